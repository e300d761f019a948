package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Glob;
import dev.kv.router.Kind;
import dev.kv.router.Limits;
import dev.kv.router.NameSpace;
import dev.kv.router.Reply;
import dev.kv.router.Reply.Word;
import dev.kv.storage.log.Refused;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.Supplier;

/** Runs commands on buckets: {@link Reads} and {@link Writes} for one bucket, RENAME and surveys here. */
public final class Commands {
    /** The name holds a bucket where the command is on a value, or the other way round. */
    static final Reply WRONG_TYPE = new Reply.Failed(Reply.Reason.WRONG_TYPE);

    private static final Reply TOO_LARGE = new Reply.Failed(Reply.Reason.CONTENT_TOO_LARGE);

    /** What a command of a batch takes of the turn by itself, as bytes read: it takes time even if it reads nothing. */
    private static final int COMMAND_BYTES = 16;

    private static final Reply TOO_MANY_VALUES = new Reply.Failed(
            Word.TOOLARGE,
            "values that are set together take at most one turn (kv.storage.large.keys and bytes): set them one by one");

    private static final Reply CUT_OFF = new Reply.Failed(
            Word.ERR, "cut off: compaction has replaced what this reads (kv.storage.pin-max): try again");

    private final Buckets buckets;
    private final Turn.Limits turn;
    private final Limits limits;

    /** What the reply to one command may hold; made only for commands that return values. */
    private final Supplier<ReplyRoom> newRoom = this::room;

    /**
     * @param turn what {@link #run} may touch
     * @param limits how large values and replies may be
     */
    public Commands(Buckets buckets, Turn.Limits turn, Limits limits) {
        this.buckets = buckets;
        this.turn = turn;
        this.limits = limits;
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
     * @param takenMillis when the first node took it, in milliseconds since 1970
     * @throws Turn.TooMuch if it touches more than a turn; it has changed nothing, and is to be run by {@link #large}
     * @throws Lanes.Busy if it has to wait for its bucket; it has changed nothing
     */
    Reply run(Command command, long takenMillis) {
        try {
            return switch (command) {
                case Command.Get get -> buckets.get(takenMillis, get.bucket(), get.key());
                case Command.GetValue get -> buckets.get(takenMillis, get.bucket());
                case Command.Read read -> buckets.read(takenMillis, read.bucket(), look(read));
                case Command.Write write ->
                    buckets.edit(takenMillis, write.bucket(), edit -> change(edit, write, newRoom));
                case Command.Batch batch when batch.isRead() -> buckets.read(takenMillis, batch.bucket(), look(batch));
                case Command.Batch batch -> buckets.edit(takenMillis, batch.bucket(), change(batch));
                case Command.Rename rename -> rename(takenMillis, rename);
                case Command.RenameAbsent rename -> renameAbsent(takenMillis, rename);
                case Command.Copy copy -> buckets.several().copy(takenMillis, copy);
                case Command.SetAbsentValues set -> setAbsent(takenMillis, set);
                case Command.Together together -> together(takenMillis, together);
                case Command.Watch watch -> new Reply.Amount(buckets.several().watch(takenMillis, watch.bucket()));
                case Command.Survey survey -> survey(survey, new Turn(turn, buckets.now(takenMillis)));
                case Command.Each _ -> throw apart(command);
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
    Large large(Command command, long takenMillis) {
        return switch (command) {
            case Command.Read read -> reading(takenMillis, read.bucket(), look(read));
            case Command.Batch batch when batch.isRead() -> reading(takenMillis, batch.bucket(), look(batch));
            case Command.Write write -> changing(takenMillis, write.bucket(), edit -> change(edit, write, newRoom));
            case Command.Batch batch -> changing(takenMillis, batch.bucket(), change(batch));
            case Command.Survey survey ->
                new Large(
                        isCancelled ->
                                replied(() -> survey(survey, Turn.ofLarge(buckets.now(takenMillis), isCancelled))),
                        Optional.empty(),
                        () -> {});
            case Command.Copy copy -> copying(takenMillis, copy);
            case Command.Rename _,
                    Command.RenameAbsent _,
                    Command.SetAbsentValues _,
                    Command.Together _,
                    Command.Watch _ -> throw new IllegalStateException("it is run in one turn: " + command);
            case Command.Each _ -> throw apart(command);
            case Command.Route _ -> throw noRoute();
        };
    }

    private static IllegalArgumentException apart(Command each) {
        return new IllegalArgumentException("its commands are run one by one: " + each);
    }

    private static IllegalArgumentException noRoute() {
        return new IllegalArgumentException("a bucket does not know the way: the router answers Route");
    }

    private Large reading(long takenMillis, Bytes bucket, Function<View, Reply> command) {
        Frozen frozen = buckets.frozen(takenMillis, bucket);
        return new Large(
                isCancelled -> replied(() -> frozen.read(() -> command.apply(frozen.view(isCancelled)))),
                Optional.empty(),
                frozen::close);
    }

    private Large changing(long takenMillis, Bytes bucket, Function<Edit, Reply> command) {
        LargeChange change = buckets.beginLarge(takenMillis, bucket);
        return new Large(
                hadTurn -> replied(() -> change.run(command, hadTurn)), Optional.of(change.lane()), change::close);
    }

    private Function<View, Reply> look(Command.Read command) {
        return view -> look(view, command, room());
    }

    private static Reply look(View view, Command.Read command, ReplyRoom room) {
        return Values.isWrongType(view, command) ? WRONG_TYPE : Reads.look(view, command, room);
    }

    private Reply change(Edit edit, Command.Write command, Supplier<ReplyRoom> room) {
        return Values.isWrongType(edit, command) ? WRONG_TYPE : Writes.change(edit, command, room, limits);
    }

    private Function<View, Reply> look(Command.Batch batch) {
        return view -> {
            ReplyRoom room = room();
            return Reads.many(batch.commands(), command -> {
                view.work(COMMAND_BYTES);
                return look(view, (Command.Read) command, room);
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

    private Reply inBatch(Edit edit, Command command, ReplyRoom room) {
        return switch (command) {
            case Command.Read read -> look(edit, read, room);
            case Command.Write write -> change(edit, write, () -> room);
            case Command.Batch _,
                    Command.Several _,
                    Command.Each _,
                    Command.Watch _,
                    Command.Survey _,
                    Command.Route _ -> throw new IllegalArgumentException("no command of a batch: " + command);
        };
    }

    private Reply rename(long takenMillis, Command.Rename rename) throws Refused {
        if (rename.bucket().equals(rename.to())) {
            return buckets.read(
                    takenMillis, rename.bucket(), bucket -> bucket.size() == 0 ? Reply.NOT_FOUND : Reply.OK);
        }
        return buckets.publisher().rename(takenMillis, rename.bucket(), rename.to(), (from, _) -> from.size() > 0)
                ? Reply.OK
                : Reply.NOT_FOUND;
    }

    private Reply renameAbsent(long takenMillis, Command.RenameAbsent rename) throws Refused {
        Reply[] otherwise = {Reply.NOT_FOUND};
        boolean isRenamed = buckets.publisher().rename(takenMillis, rename.bucket(), rename.to(), (from, to) -> {
            if (from.size() > 0) {
                otherwise[0] = Writes.NOTHING;
            }
            return from.size() > 0 && to.size() == 0;
        });
        return isRenamed ? Writes.ONE : otherwise[0];
    }

    private Reply together(long takenMillis, Command.Together together) throws Refused {
        ReplyRoom room = room();
        try {
            return buckets.several().run(takenMillis, together, (edit, command) -> {
                edit.work(COMMAND_BYTES);
                return inBatch(edit, command, room);
            });
        } catch (Turn.TooMuch e) {
            return new Reply.Failed(Reply.Reason.TOO_MUCH_TOGETHER);
        }
    }

    /** Freezes what is copied, and locks the name of the copy for other commands. */
    private Large copying(long takenMillis, Command.Copy copy) {
        Frozen from = buckets.frozen(takenMillis, copy.bucket());
        LargeCopy large;
        try {
            large = new LargeCopy(
                    buckets.publisher(), copy, takenMillis, from, buckets.beginLarge(takenMillis, copy.to()));
        } catch (RuntimeException | Error e) {
            from.close();
            throw e;
        }
        return new Large(isCancelled -> replied(() -> large.run(isCancelled)), Optional.of(large.lane()), large::close);
    }

    /** Each name that a command is on, once. */
    static List<Bytes> namesOf(Command command) {
        return command instanceof Command.Several several ? several.names() : List.of(command.bucket());
    }

    private static Map<Bytes, Bytes> valuesOf(Command.SetAbsentValues set) {
        Map<Bytes, Bytes> values = new LinkedHashMap<>();
        for (int i = 0; i < set.pairs().size(); i += 2) {
            values.put(set.pairs().get(i), set.pairs().get(i + 1));
        }
        return values;
    }

    private Reply setAbsent(long takenMillis, Command.SetAbsentValues set) throws Refused {
        if (set.pairs().size() / 2 > turn.keys()) {
            return TOO_MANY_VALUES;
        }
        try {
            return buckets.setAbsent(takenMillis, valuesOf(set)) ? Writes.ONE : Writes.NOTHING;
        } catch (Turn.TooMuch e) {
            return TOO_MANY_VALUES;
        }
    }

    private Reply survey(Command.Survey survey, Turn ofSurvey) {
        return switch (survey) {
            case Command.Names names -> names(names, _ -> true, ofSurvey);
            case Command.NamesOfKind names ->
                names(names.of(), bucket -> bucket.isValue() == (names.kind() == Kind.VALUE), ofSurvey);
            case Command.Count count -> count(count, ofSurvey);
        };
    }

    private Reply names(Command.Names names, Predicate<BucketTable.Seen> isWanted, Turn ofSurvey) {
        Glob match = new Glob(names.match());
        ofSurvey.work(match.writtenBytes());
        ReplyRoom room = room();
        ReplyRoom.Page page = new ReplyRoom.Page(names.count(), room);
        List<Reply.Name> found = new ArrayList<>();
        buckets.table().forEachBucket(ofSurvey.nowMillis(), names.position(), (position, bucket) -> {
            if (page.endsBefore(position)) {
                return false;
            }
            Bytes name = Bytes.owning(bucket.name());
            ofSurvey.take(match.steps(name.size()));
            if (bucket.size() > 0 && isWanted.test(bucket) && names.names().contains(name) && match.matches(name)) {
                room.take(name);
                found.add(new Reply.Name(position, name));
            }
            return true;
        });
        return new Reply.Names(List.of(), page.next(), found);
    }

    private Reply count(Command.Count count, Turn ofSurvey) {
        if (count.names().equals(NameSpace.ALL)) {
            return new Reply.Amount(buckets.table().filled());
        }
        long[] sum = {0};
        buckets.table().forEachSoundBucket(ofSurvey.nowMillis(), bucket -> {
            ofSurvey.take(0);
            if (bucket.size() > 0 && count.names().contains(Bytes.owning(bucket.name()))) {
                sum[0]++;
            }
            return true;
        });
        return new Reply.Amount(sum[0]);
    }

    private ReplyRoom room() {
        return new ReplyRoom(limits.replyMaxBytes());
    }
}
