package dev.kv.router;

import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;
import java.util.function.LongSupplier;

/**
 * Which replies are long, and which commands may get one. Both doors of a node ask here: the clients' and that of other nodes.
 *
 * <p>A reply that {@link #mayFollow} a command is bounded in three places. While earlier ones take all of the door's memory, the
 * command waits or is refused. The storage counts what it gathers, from the sizes in its index first, and ends the command when that
 * is more than a reply may hold. A reply that {@link #is} long is turned into bytes off the I/O loop.
 */
public final class LongReply {
    /**
     * More values, or more bytes in memory, than an I/O loop turns into bytes of a message by itself: other connections wait meanwhile. As
     * many take it 0.06 to 0.26 ms (median; 4096 values of 1 to 207 bytes, flat and nested, on a busy machine of two cores).
     */
    private static final int VALUES_MAX = 4096;

    private static final long BYTES_MAX = 1L << 20;

    /** What an object takes beside what it holds, roughly. */
    private static final int OBJECT_BYTES = 48;

    private LongReply() {}

    /** A reply whose caller may have to run no further command of the same client for a while. */
    public interface HoldingBack {
        /** Whether the caller has to run no further command of the same client until {@link #whenPlaced}. */
        boolean holdsBack();

        /** Runs the task when the caller may run further commands of the client. */
        void whenPlaced(Runnable task);
    }

    /**
     * The reply to a command that is not run at once: it waits for its bucket or for a thread, and then takes several turns of that thread.
     * A read that is to begin asks who awaits its reply for the memory first ({@link #begin}). A write cannot be put off once it has its
     * place before other commands: who awaits the reply counts the memory for it from the beginning. Any thread.
     *
     * <p>A write that waits for the disk {@linkplain #holdsBack holds back} its client, since nothing waits behind it on its bucket: others
     * go on reading there.
     */
    public static final class UnderWay extends CompletableFuture<Reply> implements HoldingBack {
        private final LongSupplier ahead;
        private final CompletableFuture<Void> placed;
        private volatile long turns;
        private long seen;
        private boolean hasBegun;
        private final long replyBytes;
        private Consumer<Runnable> admission = Runnable::run;

        /** A reply for which nothing else is waited. */
        public UnderWay() {
            this(() -> 0);
        }

        /**
         * @param ahead counts the turns of all commands that may be run before this one; asked until this one has its first turn
         */
        public UnderWay(LongSupplier ahead) {
            this(ahead, CompletableFuture.completedFuture(null));
        }

        /**
         * A reply that holds back.
         *
         * @param placed completes when the command has run, or has a place before all that come later; on the caller's thread if that is a
         *     {@link CommandThread}
         */
        public UnderWay(LongSupplier ahead, CompletableFuture<Void> placed) {
            this(ahead, placed, 0);
        }

        /**
         * A reply made of several, some of which are there.
         *
         * @param replyBytes the memory that it takes at most; 0 if that is not known
         */
        public UnderWay(LongSupplier ahead, CompletableFuture<Void> placed, long replyBytes) {
            this.ahead = ahead;
            this.placed = placed;
            this.replyBytes = replyBytes;
            this.hasBegun = replyBytes > 0;
            this.seen = ahead.getAsLong();
        }

        /**
         * A reply that is there, and is handed on when it may be: when a write is on the disk.
         *
         * @param bytes the memory that it takes meanwhile
         */
        public static UnderWay ready(CompletionStage<Reply> later, long bytes) {
            UnderWay ready = new UnderWay(() -> 0, CompletableFuture.completedFuture(null), bytes);
            var _ = later.whenComplete((reply, fault) -> {
                if (fault != null) {
                    ready.completeExceptionally(fault);
                } else if (!ready.complete(reply)) {
                    Held.releaseIn(reply);
                }
            });
            return ready;
        }

        /** The memory that the reply takes at most, if it or a part of it is there; else 0. */
        public long replyBytes() {
            return replyBytes;
        }

        /** Whether a further command of the same client would overtake this one. */
        @Override
        public boolean holdsBack() {
            return !placed.isDone();
        }

        @Override
        public void whenPlaced(Runnable task) {
            var _ = placed.thenRun(task);
        }

        /** The command runs, and has had a turn. By one thread. */
        @SuppressWarnings("NonAtomicVolatileUpdate") // one thread runs the command
        public void hadTurn() {
            turns++;
        }

        /** Grows while the command runs, or is waited for. */
        public long progress() {
            return turns > 0 ? -turns : ahead.getAsLong();
        }

        /** Whether the command, or what it waits for, has had a turn since this was called last. By who awaits the reply. */
        public boolean hasMoved() {
            long now = progress();
            boolean hasMoved = now != seen;
            seen = now;
            return hasMoved;
        }

        /**
         * The command is to begin, and may have a long reply.
         *
         * @param run begins it; is run once, now or when there is memory for the reply, or when the reply is cancelled; on any thread
         */
        public void begin(Runnable run) {
            Consumer<Runnable> admitting;
            synchronized (this) {
                hasBegun = true;
                admitting = admission;
            }
            admitting.accept(run);
        }

        /**
         * Has a command that has not begun begin when this runs what it is given, which it does once. By who awaits the reply.
         *
         * @return false if it has begun
         */
        public synchronized boolean admitBy(Consumer<Runnable> admitting) {
            admission = admitting;
            return !hasBegun;
        }
    }

    /**
     * The reply of another node. Its memory is charged while it is handed on, and as long as somebody keeps it who has taken over the charge.
     * While many requests are in flight to that node, it holds back its client until it has come. On one loop only.
     */
    public static class Charged extends CompletableFuture<Reply> implements HoldingBack {
        private Optional<Runnable> memory = Optional.empty();
        private boolean isCrowded;

        /** Many requests are in flight to the node; to be said before the caller gets this. */
        public final void crowded() {
            isCrowded = true;
        }

        @Override
        public final boolean holdsBack() {
            return isCrowded && !isDone();
        }

        @Override
        public final void whenPlaced(Runnable task) {
            var _ = whenComplete((_, _) -> task.run());
        }

        /**
         * Hands on the reply, unless that was done before.
         *
         * @param release gives the memory back: is run here, unless who gets the reply takes the charge over
         * @return whether it was handed on
         */
        public final boolean complete(Reply reply, Runnable release) {
            memory = Optional.of(release);
            try {
                return complete(reply);
            } finally {
                takeMemory().ifPresent(Runnable::run);
            }
        }

        /** Takes over the charge: the result gives the memory back. Empty if there is none. Only while the reply is being handed on. */
        public final Optional<Runnable> takeMemory() {
            Optional<Runnable> taken = memory;
            memory = Optional.empty();
            return taken;
        }

        @Override
        public <U> CompletableFuture<U> newIncompleteFuture() {
            return new CompletableFuture<>();
        }
    }

    /**
     * Whether the reply to a command may be long, and is in memory as a whole before it is sent. A large value as a whole is not: it is
     * sent from the log.
     */
    public static boolean mayFollow(Command command) {
        return switch (command) {
            case Command.GetAll _,
                    Command.Content _,
                    Command.Sample _,
                    Command.Scan _,
                    Command.GetRange _,
                    Command.ExpireKeys _,
                    Command.ExpiriesOfKeys _,
                    Command.GetAllAndExpire _,
                    Command.TakeAll _,
                    Command.Names _,
                    Command.NamesOfKind _ -> true;
            case Command.Batch batch -> mayFollow(batch.commands());
            case Command.Each each -> each.commands().size() > VALUES_MAX || returnsValue(each.commands());
            case Command.Together together -> mayFollow(together.commands());
            // A value that is not held has less than 64 KiB.
            case Command.Create _,
                    Command.Put _,
                    Command.Delete _,
                    Command.SetAll _,
                    Command.DeleteAll _,
                    Command.Add _,
                    Command.AddDecimal _,
                    Command.Drop _,
                    Command.Get _,
                    Command.Measure _,
                    Command.Size _,
                    Command.Count _,
                    Command.Rename _,
                    Command.RenameAbsent _,
                    Command.Copy _,
                    Command.Watch _,
                    Command.Weigh _,
                    Command.GetValue _,
                    Command.Expire _,
                    Command.ExpiryOf _,
                    Command.SetAllUntil _,
                    Command.SetValue _,
                    Command.TakeValue _,
                    Command.SetValueUntil _,
                    Command.GetValueAndExpire _,
                    Command.DropEqual _,
                    Command.AddToValue _,
                    Command.AddDecimalToValue _,
                    Command.WriteRange _,
                    Command.SetAbsentValues _,
                    Command.MeasureValue _,
                    Command.KindOf _,
                    Command.Route _ -> false;
        };
    }

    /** Whether the reply to a command may be more than a short one of a length that is known: it may hold keys or values. */
    public static boolean mayHoldValues(Command command) {
        return returnsValue(command) || mayFollow(command);
    }

    /** A value that the batch itself has set is in memory, however large it is. */
    private static boolean mayFollow(List<Command> batch) {
        if (batch.size() > VALUES_MAX) {
            return true;
        }
        for (Command command : batch) {
            if (returnsValue(command) || mayFollow(command)) {
                return true;
            }
        }
        return false;
    }

    private static boolean returnsValue(List<Command> commands) {
        for (Command command : commands) {
            if (returnsValue(command)) {
                return true;
            }
        }
        return false;
    }

    private static boolean returnsValue(Command command) {
        return command instanceof Command.Get
                || command instanceof Command.GetValue
                || command instanceof Command.GetValueAndExpire
                || command instanceof Command.TakeValue
                || (command instanceof Command.SetValue set && set.returnsOld())
                || (command instanceof Command.SetValueUntil until && returnsValue(until.set()));
    }

    /** Whether a loop leaves the reply to another thread. */
    public static boolean is(Reply reply) {
        return switch (reply) {
            case Reply.Values _, Reply.Page _, Reply.Names _, Reply.Many _ ->
                values(reply) > VALUES_MAX || bytes(reply) > BYTES_MAX;
            case Reply.Value(Bytes value) -> value.size() > BYTES_MAX;
            case Reply.Ok _,
                    Reply.NotFound _,
                    Reply.Absent _,
                    Reply.LargeValue _,
                    Reply.Amount _,
                    Reply.OfKind _,
                    Reply.Way _,
                    Reply.Failed _ -> false;
        };
    }

    /** How many values a reply holds, those of nested replies included. */
    private static long values(Reply reply) {
        return switch (reply) {
            case Reply.Values(List<Bytes> values) -> values.size();
            case Reply.Page(long _, List<Bytes> values) -> values.size();
            case Reply.Names names ->
                (long) names.names().size() + names.owners().size();
            case Reply.Many(List<Reply> replies) -> {
                long values = 0;
                for (Reply one : replies) {
                    values += values(one);
                }
                yield values;
            }
            case Reply.Ok _,
                    Reply.NotFound _,
                    Reply.Absent _,
                    Reply.Value _,
                    Reply.LargeValue _,
                    Reply.Amount _,
                    Reply.OfKind _,
                    Reply.Way _,
                    Reply.Failed _ -> 1;
        };
    }

    /** The memory that a reply takes, roughly; held values take none. */
    public static long bytes(Reply reply) {
        return switch (reply) {
            case Reply.Values(List<Bytes> values) -> bytes(values);
            case Reply.Page(long _, List<Bytes> values) -> bytes(values);
            case Reply.Names names -> {
                long bytes = (long) names.owners().size() * OBJECT_BYTES;
                for (Reply.Name name : names.names()) {
                    bytes += 2 * OBJECT_BYTES + name.bucket().size();
                }
                yield bytes;
            }
            case Reply.Many(List<Reply> replies) -> {
                long bytes = 0;
                for (Reply one : replies) {
                    bytes += bytes(one);
                }
                yield bytes;
            }
            case Reply.Value(Bytes value) -> 2 * OBJECT_BYTES + value.size();
            case Reply.Ok _,
                    Reply.NotFound _,
                    Reply.Absent _,
                    Reply.LargeValue _,
                    Reply.Amount _,
                    Reply.OfKind _,
                    Reply.Way _,
                    Reply.Failed _ -> OBJECT_BYTES;
        };
    }

    private static long bytes(List<Bytes> values) {
        if (values instanceof PackedList packed) {
            return packed.bytes();
        }
        long bytes = 0;
        for (Bytes value : values) {
            bytes += OBJECT_BYTES + value.size();
        }
        return bytes;
    }
}
