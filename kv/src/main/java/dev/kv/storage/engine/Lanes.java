package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.CommandThread;
import dev.kv.router.LongReply;
import dev.kv.router.PackedList;
import java.util.ArrayDeque;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/**
 * Queues of commands that wait for buckets of which a large change is under way: one lane for each such bucket. The thread that makes the
 * change runs them afterwards, in their order. Any thread.
 */
public final class Lanes {
    private final BucketTable table;
    private final WaitLimits.Queue parked;

    /**
     * @param parked counts the commands that wait, in all lanes together
     */
    Lanes(BucketTable table, WaitLimits.Queue parked) {
        this.table = table;
        this.parked = parked;
    }

    /**
     * A command that waits.
     *
     * @param takenMillis when the first node took it
     * @param caller the thread that is to get the answer; empty if any thread may
     */
    record Parked(
            Command command, long takenMillis, long bytes, LongReply.UnderWay answer, Optional<CommandThread> caller) {
        /** Whether it is a read whose client is gone: it is not run. */
        boolean isUnawaited() {
            return command.isRead() && answer.isDone();
        }
    }

    /** Another thread makes a large change of the bucket. The command has changed nothing, and is to wait in the lane. */
    static final class Busy extends RuntimeException {
        private static final long serialVersionUID = 1L;

        private final transient Lane lane;

        private Busy(Lane lane) {
            super("a large change is under way", null, false, false);
            this.lane = lane;
        }

        Lane lane() {
            return lane;
        }
    }

    /** The queue of one bucket, from the beginning of a large change until no command waits behind it. */
    static final class Lane {
        private final Bytes bucket;
        private final ArrayDeque<Waiting> waiting = new ArrayDeque<>();
        private final CompletableFuture<Void> end = new CompletableFuture<>();
        private volatile Thread owner;

        Lane(Bytes bucket) {
            this.bucket = bucket;
        }

        Bytes bucket() {
            return bucket;
        }

        /** Makes the calling thread the owner: it alone uses the bucket, and runs what waits here. */
        void enter() {
            owner = Thread.currentThread();
        }

        /** No thread is the owner until one enters: all commands wait. */
        void leave() {
            owner = null;
        }

        /**
         * Lets the owner pass.
         *
         * @throws Busy for every other thread
         */
        void check() {
            if (owner != Thread.currentThread()) {
                throw new Busy(this);
            }
        }
    }

    /** A command at its place in a lane. */
    private record Waiting(Parked command, Optional<Meeting> meeting) {}

    /** A command at its place in several lanes. The owner that reaches it last runs it. */
    private static final class Meeting {
        private final List<Lane> lanes;
        private int missing;

        Meeting(List<Lane> lanes, int missing) {
            this.lanes = lanes;
            this.missing = missing;
        }
    }

    /** The outcome of an attempt to wait. */
    enum Place {
        WAITS,
        /** The lane has ended: the command is to be run again. */
        ENDED,
        /** Too much waits. */
        REFUSED
    }

    /**
     * The outcome of {@link #parkOrOpen}.
     *
     * @param opened the lane, if there was none: the caller has a thread enter it
     */
    record Opening(Place place, Optional<Lane> opened) {}

    /** Has a command wait in a lane, behind those that wait there. */
    synchronized Place park(Lane lane, Parked command) {
        if (lane.end.isDone()) {
            return Place.ENDED;
        }
        if (!parked.take(command.bytes())) {
            return Place.REFUSED;
        }
        lane.waiting.add(new Waiting(command, Optional.empty()));
        return Place.WAITS;
    }

    /** Has a command wait in the lanes of its names, if a large change of one of them is under way. */
    Place parkInAll(List<Bytes> names, Parked command) {
        return parkInAll(names, command, false).place();
    }

    /** The same also if there is no lane: one is opened then. */
    Opening parkOrOpen(List<Bytes> names, Parked command) {
        return parkInAll(names, command, true);
    }

    private Opening parkInAll(List<Bytes> names, Parked command, boolean opens) {
        BucketTable.Locks locks =
                table.lock(names.stream().mapToInt(table::hash).toArray());
        try {
            List<Lane> busy = names.stream()
                    .flatMap(name -> table.shard(table.hash(name)).openLane(name).stream())
                    .toList();
            boolean isFree = busy.isEmpty();
            if (isFree && !opens) {
                return new Opening(Place.ENDED, Optional.empty());
            }
            synchronized (this) {
                if (!parked.take(command.bytes())) {
                    return new Opening(Place.REFUSED, Optional.empty());
                }
                // A lane that is not busy is opened for this command, and entered when it runs.
                List<Lane> all = names.stream()
                        .map(name -> table.shard(table.hash(name)).lane(name))
                        .toList();
                List<Lane> in = isFree ? List.of(all.getFirst()) : busy;
                Waiting waiting = new Waiting(command, Optional.of(new Meeting(all, in.size())));
                in.forEach(lane -> lane.waiting.add(waiting));
                return new Opening(Place.WAITS, isFree ? Optional.of(all.getFirst()) : Optional.empty());
            }
        } finally {
            locks.unlock();
        }
    }

    /**
     * What the owner of a lane does next.
     *
     * @param command the command to run; empty if the owner of another lane will run it, and owns this lane too from then on
     * @param entered the other lanes that the owner has entered for this command
     */
    record Next(Optional<Parked> command, List<Lane> entered) {}

    /** Removes the next command from a lane that is not empty. By the owner. */
    synchronized Next next(Lane lane) {
        Waiting next = lane.waiting.remove();
        if (next.meeting().isPresent()) {
            Meeting meeting = next.meeting().get();
            meeting.missing--;
            if (meeting.missing > 0) {
                lane.leave();
                return new Next(Optional.empty(), List.of());
            }
        }
        parked.give(next.command().bytes());
        List<Lane> entered = next.meeting().stream()
                .flatMap(meeting -> meeting.lanes.stream())
                .filter(other -> other != lane)
                .toList();
        entered.forEach(Lane::enter);
        return new Next(Optional.of(next.command()), entered);
    }

    /** Ends a lane, unless a command waits there; returns whether it has ended. */
    boolean end(Lane lane) {
        Shard shard = table.shard(table.hash(lane.bucket()));
        long stamp = shard.lock.writeLock();
        try {
            if (!isEnded(lane)) {
                return false;
            }
            shard.remove(lane);
            return true;
        } finally {
            shard.lock.unlockWrite(stamp);
        }
    }

    private synchronized boolean isEnded(Lane lane) {
        return lane.waiting.isEmpty() && lane.end.complete(null);
    }

    /** Work on buckets by a thread that may block. */
    @FunctionalInterface
    public interface Patient<T, E extends Exception> {
        T run() throws E;
    }

    /** Does work, and repeats it after each large change that was in its way. */
    public static <T, E extends Exception> T patiently(Patient<T, E> work) throws E {
        while (true) {
            try {
                return work.run();
            } catch (Busy e) {
                e.lane().end.join();
            }
        }
    }

    /** Bytes of memory that a waiting command takes: names, keys, values, and their objects. */
    static long bytes(Command command) {
        return switch (command) {
            case Command.Put put -> bytes(List.of(put.bucket(), put.key(), put.value()));
            case Command.SetAll set -> bytes(set.pairs());
            case Command.DeleteAll delete -> bytes(delete.keys());
            case Command.GetAll get -> bytes(get.keys());
            case Command.Batch batch ->
                batch.commands().stream().mapToLong(Lanes::bytes).sum();
            case Command.Rename _, Command.RenameAbsent _, Command.Copy _ -> bytes(((Command.Several) command).names());
            case Command.Together together ->
                bytes(together.names())
                        + together.commands().stream().mapToLong(Lanes::bytes).sum();
            case Command.Each each ->
                each.commands().stream().mapToLong(Lanes::bytes).sum();
            case Command.Get get -> bytes(List.of(get.bucket(), get.key()));
            case Command.Delete delete -> bytes(List.of(delete.bucket(), delete.key()));
            case Command.Measure measure -> bytes(List.of(measure.bucket(), measure.key()));
            case Command.Add add -> bytes(List.of(add.bucket(), add.key()));
            case Command.AddDecimal add -> bytes(List.of(add.bucket(), add.key()));
            case Command.Scan scan -> bytes(List.of(scan.bucket(), scan.match()));
            case Command.Names names -> bytes(List.of(names.match()));
            case Command.NamesOfKind names -> bytes(names.of());
            case Command.SetValue set -> bytes(List.of(set.bucket(), set.value()));
            case Command.SetValueUntil set -> bytes(set.set());
            case Command.ExpireKeys expire -> bytes(expire.keys());
            case Command.ExpiriesOfKeys tell -> bytes(tell.keys());
            case Command.GetAllAndExpire get -> bytes(get.keys());
            case Command.SetAllUntil set -> bytes(set.pairs());
            case Command.TakeAll take -> bytes(take.keys());
            case Command.DropEqual drop -> bytes(List.of(drop.bucket(), drop.value()));
            case Command.WriteRange write -> bytes(List.of(write.bucket(), write.bytes()));
            case Command.SetAbsentValues set -> bytes(set.pairs());
            case Command.GetValue _,
                    Command.GetRange _,
                    Command.MeasureValue _,
                    Command.KindOf _,
                    Command.Watch _,
                    Command.Weigh _,
                    Command.TakeValue _,
                    Command.GetValueAndExpire _,
                    Command.Expire _,
                    Command.ExpiryOf _,
                    Command.AddToValue _,
                    Command.AddDecimalToValue _,
                    Command.Create _,
                    Command.Drop _,
                    Command.Size _,
                    Command.Content _,
                    Command.Sample _,
                    Command.Count _,
                    Command.Route _ -> bytes(List.of(command.bucket()));
        };
    }

    private static long bytes(Collection<Bytes> parts) {
        if (parts instanceof PackedList packed) {
            return OBJECT_BYTES + packed.bytes();
        }
        long bytes = OBJECT_BYTES;
        for (Bytes part : parts) {
            bytes += OBJECT_BYTES + part.size();
        }
        return bytes;
    }

    /** Bytes of an object beside its content, roughly. */
    private static final int OBJECT_BYTES = 48;
}
