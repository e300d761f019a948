package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Glob;
import dev.kv.router.NameSpace;
import dev.kv.router.Reply;
import dev.kv.router.Reply.Word;
import dev.kv.storage.log.Refused;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;

/** Runs commands on buckets: {@link Reads} and {@link Writes} for one bucket, RENAME and surveys here. */
public final class Commands {
    private static final Reply TOO_LARGE = new Reply.Failed(Reply.Reason.CONTENT_TOO_LARGE);

    /** What a command of a batch takes of the turn by itself, as bytes read: it takes time even if it reads nothing. */
    private static final int COMMAND_BYTES = 16;

    private static final Reply CUT_OFF = new Reply.Failed(
            Word.ERR, "cut off: compaction has replaced what this reads (kv.storage.pin-max): try again");

    private final Buckets buckets;
    private final Turn.Limits limits;
    private final long replyMaxBytes;

    /** What the reply to one command may hold; made only for commands that return values. */
    private final Supplier<ReplyRoom> newRoom = this::room;

    /**
     * @param limits what {@link #run} may touch
     * @param replyMaxBytes what one reply may hold
     */
    public Commands(Buckets buckets, Turn.Limits limits, long replyMaxBytes) {
        this.buckets = buckets;
        this.limits = limits;
        this.replyMaxBytes = replyMaxBytes;
    }

    @FunctionalInterface
    private interface Work {
        Reply run() throws Refused;
    }

    private static Reply replied(Work work) {
        try {
            return work.run();
        } catch (ReplyRoom.TooLarge e) {
            return TOO_LARGE;
        } catch (Frozen.CutOff e) {
            return CUT_OFF;
        } catch (Refused e) {
            return e.reply();
        }
    }

    /**
     * Runs a command.
     *
     * @throws Turn.TooMuch if it touches more than a turn; it has changed nothing, and is to be run by {@link #large}
     * @throws Lanes.Busy if it has to wait for its bucket; it has changed nothing
     */
    Reply run(Command command) {
        try {
            return switch (command) {
                case Command.Get get -> buckets.get(get.bucket(), get.key());
                case Command.Read read -> buckets.read(read.bucket(), look(read));
                case Command.Write write -> buckets.edit(write.bucket(), edit -> Writes.change(edit, write, newRoom));
                case Command.Batch batch when batch.isRead() -> buckets.read(batch.bucket(), look(batch));
                case Command.Batch batch -> buckets.edit(batch.bucket(), change(batch));
                case Command.Rename rename -> rename(rename);
                case Command.SetAbsentValues _ -> throw new UnsupportedOperationException("values");
                case Command.Survey survey -> survey(survey, new Turn(limits));
                case Command.Route _ -> throw noRoute();
            };
        } catch (ReplyRoom.TooLarge e) {
            return TOO_LARGE;
        } catch (Refused e) {
            return e.reply();
        }
    }

    /**
     * Prepares a command that touches more than a turn: freezes what it reads, and locks what it changes for other commands.
     *
     * @throws Lanes.Busy if it has to wait for its bucket
     */
    Large large(Command command) {
        return switch (command) {
            case Command.Read read -> reading(read.bucket(), look(read));
            case Command.Batch batch when batch.isRead() -> reading(batch.bucket(), look(batch));
            case Command.Write write -> changing(write.bucket(), edit -> Writes.change(edit, write, newRoom));
            case Command.Batch batch -> changing(batch.bucket(), change(batch));
            case Command.Survey survey ->
                new Large(
                        isCancelled -> replied(() -> survey(survey, Turn.ofLarge(isCancelled))),
                        Optional.empty(),
                        () -> {});
            case Command.Rename _, Command.SetAbsentValues _ -> throw new IllegalStateException("a bucket is renamed in one turn");
            case Command.Route _ -> throw noRoute();
        };
    }

    private static IllegalArgumentException noRoute() {
        return new IllegalArgumentException("a bucket does not know the way: the router answers Route");
    }

    private Large reading(Bytes bucket, Function<View, Reply> command) {
        Frozen frozen = buckets.frozen(bucket);
        return new Large(
                isCancelled -> replied(() -> frozen.read(() -> command.apply(frozen.view(Turn.ofLarge(isCancelled))))),
                Optional.empty(),
                frozen::close);
    }

    private Large changing(Bytes bucket, Function<Edit, Reply> command) {
        LargeChange change = buckets.beginLarge(bucket);
        return new Large(
                hadTurn -> replied(() -> change.run(command, hadTurn)), Optional.of(change.lane()), change::close);
    }

    private Function<View, Reply> look(Command.Read command) {
        return view -> Reads.look(view, command, room());
    }

    private Function<View, Reply> look(Command.Batch batch) {
        return view -> {
            ReplyRoom room = room();
            return Reads.many(batch.commands(), command -> {
                view.work(COMMAND_BYTES);
                return Reads.look(view, (Command.Read) command, room);
            });
        };
    }

    private Function<Edit, Reply> change(Command.Batch batch) {
        return edit -> {
            ReplyRoom room = room();
            return Reads.many(batch.commands(), command -> {
                edit.work(COMMAND_BYTES);
                return inBatch(edit, command, room);
            });
        };
    }

    private static Reply inBatch(Edit edit, Command command, ReplyRoom room) {
        return switch (command) {
            case Command.Read read -> Reads.look(edit, read, room);
            case Command.Write write -> Writes.change(edit, write, () -> room);
            case Command.Batch _, Command.Rename _, Command.SetAbsentValues _, Command.Survey _, Command.Route _ ->
                throw new IllegalArgumentException("no command of a batch: " + command);
        };
    }

    private Reply rename(Command.Rename rename) throws Refused {
        if (rename.bucket().equals(rename.to())) {
            return buckets.read(rename.bucket(), bucket -> bucket.size() == 0 ? Reply.NOT_FOUND : Reply.OK);
        }
        return buckets.publisher().rename(rename.bucket(), rename.to(), (from, _) -> from.size() > 0)
                ? Reply.OK
                : Reply.NOT_FOUND;
    }

    private Reply survey(Command.Survey survey, Turn turn) {
        return switch (survey) {
            case Command.Names names -> names(names, turn);
            case Command.Count count -> count(count, turn);
            case Command.NamesOfKind _ -> throw new UnsupportedOperationException("values");
        };
    }

    private Reply names(Command.Names names, Turn turn) {
        Glob match = new Glob(names.match());
        turn.work(match.writtenBytes());
        ReplyRoom room = room();
        ReplyRoom.Page page = new ReplyRoom.Page(names.count(), room);
        List<Reply.Name> found = new ArrayList<>();
        buckets.table().forEachBucket(names.position(), (position, bucket) -> {
            if (page.endsBefore(position)) {
                return false;
            }
            Bytes name = Bytes.owning(bucket.name());
            turn.take(match.steps(name.size()));
            if (bucket.size() > 0 && names.names().contains(name) && match.matches(name)) {
                room.take(name);
                found.add(new Reply.Name(position, name));
            }
            return true;
        });
        return new Reply.Names(List.of(), page.next(), found);
    }

    private Reply count(Command.Count count, Turn turn) {
        if (count.names().equals(NameSpace.ALL)) {
            return new Reply.Amount(buckets.table().filled());
        }
        long[] sum = {0};
        buckets.table().forEachBucket(0, (_, bucket) -> {
            turn.take(0);
            if (bucket.size() > 0 && count.names().contains(Bytes.owning(bucket.name()))) {
                sum[0]++;
            }
            return true;
        });
        return new Reply.Amount(sum[0]);
    }

    private ReplyRoom room() {
        return new ReplyRoom(replyMaxBytes);
    }
}
