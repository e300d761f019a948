package dev.kv.storage;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Glob;
import dev.kv.router.Held;
import dev.kv.router.LongDouble;
import dev.kv.router.NameSpace;
import dev.kv.router.Reply;
import dev.kv.router.Reply.Reason;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Function;

/** What each command does to buckets. */
final class Commands {
    private static final Reply NOTHING = new Reply.Amount(0);
    private static final Reply ONE = new Reply.Amount(1);

    private final Buckets buckets;
    private final long replyMaxBytes;

    /**
     * @param replyMaxBytes what one reply may hold
     */
    Commands(Buckets buckets, long replyMaxBytes) {
        this.buckets = buckets;
        this.replyMaxBytes = replyMaxBytes;
    }

    Reply run(Command command) {
        try {
            return switch (command) {
                case Command.Get get -> buckets.get(get.bucket(), get.key());
                case Command.Read read -> buckets.read(read.bucket(), view -> look(view, read, room()));
                case Command.Write write -> buckets.edit(write.bucket(), edit -> change(edit, write));
                case Command.Batch batch -> run(batch);
                case Command.Rename rename -> rename(rename);
                case Command.Names names -> names(names);
                case Command.Count count -> count(count);
                case Command.Route _ ->
                    throw new IllegalArgumentException("a bucket does not know the way: the router answers Route");
            };
        } catch (TooLarge e) {
            return new Reply.Failed(Reason.CONTENT_TOO_LARGE);
        } catch (Refused e) {
            return e.reply();
        }
    }

    private Reply run(Command.Batch batch) throws Refused {
        return batch.isRead()
                ? buckets.read(batch.bucket(), view -> {
                    ReplyRoom room = room();
                    return many(batch.commands(), command -> look(view, (Command.Read) command, room));
                })
                : buckets.edit(batch.bucket(), edit -> {
                    ReplyRoom room = room();
                    return many(batch.commands(), command -> inBatch(edit, command, room));
                });
    }

    /** A reply for each of several things; what the first of them hold is released if one fails. */
    private static <T> Reply many(List<T> asked, Function<T, Reply> answer) {
        List<Reply> replies = new ArrayList<>(asked.size());
        try {
            for (T one : asked) {
                replies.add(answer.apply(one));
            }
            return new Reply.Many(replies);
        } catch (RuntimeException | Error e) {
            replies.forEach(Held::releaseIn);
            throw e;
        }
    }

    private Reply inBatch(Edit edit, Command command, ReplyRoom room) {
        return switch (command) {
            // Nothing is held while the change may still be refused, or waits for the disk.
            case Command.Read read -> Held.flat(look(edit, read, room));
            case Command.Write write -> change(edit, write);
            case Command.Batch _, Command.Rename _, Command.Survey _, Command.Route _ ->
                throw new IllegalArgumentException("no command of a batch: " + command);
        };
    }

    private Reply look(View bucket, Command.Read command, ReplyRoom room) {
        return switch (command) {
            case Command.Get get -> bucket.exists() ? read(bucket, get.key(), room) : Reply.NOT_FOUND;
            case Command.GetAll get -> many(get.keys(), key -> read(bucket, key, room));
            case Command.Measure measure -> {
                Bytes value = bucket.get(measure.key());
                yield value == null ? Reply.ABSENT : new Reply.Amount(value.size());
            }
            case Command.Size _ -> new Reply.Amount(bucket.size());
            case Command.Content content -> content(bucket, content.part(), room);
            case Command.Sample sample -> sample(bucket, sample, room);
            case Command.Scan scan -> scan(bucket, scan, room);
        };
    }

    private static Reply read(View bucket, Bytes key, ReplyRoom room) {
        Reply reply = bucket.read(key);
        try {
            if (reply instanceof Reply.Value(Bytes value)) {
                room.take(value);
            } else if (reply instanceof Reply.LargeValue(Held value)) {
                room.take(value.size());
            }
            return reply;
        } catch (TooLarge e) {
            Held.releaseIn(reply);
            throw e;
        }
    }

    private Reply change(Edit bucket, Command.Write command) {
        return switch (command) {
            case Command.Create _ -> {
                bucket.keep();
                yield Reply.OK;
            }
            case Command.Put put -> {
                if (!bucket.exists()) {
                    yield Reply.NOT_FOUND;
                }
                bucket.set(put.key(), put.value());
                yield Reply.OK;
            }
            case Command.Delete delete -> {
                if (!bucket.exists()) {
                    yield Reply.NOT_FOUND;
                }
                bucket.delete(delete.key());
                yield Reply.OK;
            }
            case Command.SetAll set -> setAll(bucket, set);
            case Command.DeleteAll delete -> {
                long before = bucket.size();
                delete.keys().forEach(bucket::delete);
                yield new Reply.Amount(before - bucket.size());
            }
            case Command.Add add -> add(bucket, add);
            case Command.AddDecimal add -> addDecimal(bucket, add);
            case Command.Drop _ -> {
                boolean counts = bucket.size() > 0;
                bucket.drop();
                yield counts ? ONE : NOTHING;
            }
        };
    }

    private static Reply setAll(Edit bucket, Command.SetAll set) {
        long before = bucket.size();
        for (int i = 0; i < set.pairs().size(); i += 2) {
            Bytes key = set.pairs().get(i);
            if (!set.onlyAbsent() || bucket.get(key) == null) {
                bucket.set(key, set.pairs().get(i + 1));
            }
        }
        return new Reply.Amount(bucket.size() - before);
    }

    private static Reply add(Edit bucket, Command.Add add) {
        Bytes old = bucket.get(add.key());
        OptionalLong number = old == null ? OptionalLong.of(0) : old.wholeNumber();
        if (number.isEmpty()) {
            return new Reply.Failed(Reason.NOT_AN_INTEGER);
        }
        long sum = number.getAsLong() + add.amount();
        if (((number.getAsLong() ^ sum) & (add.amount() ^ sum)) < 0) {
            return new Reply.Failed(Reason.SUM_OVERFLOWS);
        }
        bucket.set(add.key(), Bytes.of(Long.toString(sum)));
        return new Reply.Amount(sum);
    }

    private static Reply addDecimal(Edit bucket, Command.AddDecimal add) {
        Bytes old = bucket.get(add.key());
        Optional<BigDecimal> number = old == null ? Optional.of(BigDecimal.ZERO) : LongDouble.parse(old);
        if (number.isEmpty() && !LongDouble.isInfinity(old)) {
            return new Reply.Failed(Reason.NOT_A_NUMBER);
        }
        Optional<BigDecimal> sum = number.flatMap(value -> LongDouble.add(value, add.amount()));
        if (sum.isEmpty()) {
            return new Reply.Failed(Reason.SUM_NOT_FINITE);
        }
        Bytes value = LongDouble.text(sum.get());
        bucket.set(add.key(), value);
        return new Reply.Value(value);
    }

    private static Reply content(View bucket, Command.Part part, ReplyRoom room) {
        Gathered gathered = new Gathered(part, room);
        bucket.forEach(0, (_, key, value) -> gathered.add(key, value));
        return gathered.values();
    }

    /** Keys or values of a bucket, on their way into a reply. */
    private static final class Gathered {
        private final List<Bytes> values = new ArrayList<>();
        private final Command.Part part;
        private final ReplyRoom room;

        Gathered(Command.Part part, ReplyRoom room) {
            this.part = part;
            this.room = room;
        }

        /** Returns true, as a visitor that wants to see more. */
        boolean add(Bytes key, Bytes value) {
            if (part != Command.Part.VALUES) {
                room.take(key);
                values.add(key);
            }
            if (part != Command.Part.KEYS) {
                room.take(value);
                values.add(value);
            }
            return true;
        }

        boolean add(View bucket, Bytes key) {
            return add(key, part == Command.Part.KEYS ? Bytes.EMPTY : bucket.get(key));
        }

        Reply values() {
            return new Reply.Values(values);
        }
    }

    private static Reply sample(View bucket, Command.Sample sample, ReplyRoom room) {
        Gathered gathered = new Gathered(sample.part(), room);
        if (bucket.size() == 0 || sample.count() == 0) {
            return gathered.values();
        }
        if (sample.count() >= bucket.size()) {
            return content(bucket, sample.part(), room);
        }
        if (!room.holds(Math.abs(sample.count()))) {
            throw new TooLarge();
        }
        if (sample.count() > bucket.size() / 2) {
            drawMost(bucket, (int) sample.count()).forEach(key -> gathered.add(bucket, key));
        } else if (sample.count() > 0) {
            drawDifferent(bucket, sample.count(), gathered);
        } else {
            for (long i = sample.count(); i < 0; i++) {
                bucket.draw((_, key, value) -> gathered.add(key, value));
            }
        }
        return gathered.values();
    }

    /** Draws until so many keys were met, which are at most half of all. */
    private static void drawDifferent(View bucket, long count, Gathered gathered) {
        Set<Bytes> drawn = new HashSet<>();
        while (drawn.size() < count) {
            bucket.draw((_, key, value) -> !drawn.add(key) || gathered.add(key, value));
        }
    }

    /** Each choice of so many keys is as likely as any other (Vitter's algorithm R). */
    private static List<Bytes> drawMost(View bucket, int count) {
        ThreadLocalRandom random = ThreadLocalRandom.current();
        List<Bytes> drawn = new ArrayList<>();
        long[] seen = {0};
        bucket.forEach(0, (_, key, _) -> {
            seen[0]++;
            if (drawn.size() < count) {
                drawn.add(key);
            } else {
                long place = random.nextLong(seen[0]);
                if (place < count) {
                    drawn.set((int) place, key);
                }
            }
            return true;
        });
        return drawn;
    }

    private static Reply scan(View bucket, Command.Scan scan, ReplyRoom room) {
        Gathered gathered = new Gathered(scan.part(), room);
        Glob match = new Glob(scan.match());
        Page page = new Page(scan.count(), room);
        bucket.forEach(scan.position(), (position, key, value) -> {
            if (page.endsBefore(position)) {
                return false;
            }
            return !match.matches(key) || gathered.add(key, value);
        });
        return new Reply.Page(page.next, gathered.values);
    }

    /** How far a page goes: things at one position stay together, since the next page begins at a position. */
    private static final class Page {
        private final long count;
        private final ReplyRoom room;
        private long seen;
        private long last = -1;

        /** The position that the next page begins at; 0 if there is none. */
        private long next;

        Page(long count, ReplyRoom room) {
            this.count = count;
            this.room = room;
        }

        boolean endsBefore(long position) {
            if (position != last && (seen >= count || room.isScarce())) {
                next = position;
                return true;
            }
            seen++;
            last = position;
            return false;
        }
    }

    private Reply rename(Command.Rename rename) throws Refused {
        if (rename.bucket().equals(rename.to())) {
            return buckets.read(rename.bucket(), bucket -> bucket.size() == 0 ? Reply.NOT_FOUND : Reply.OK);
        }
        return buckets.edit(rename.bucket(), rename.to(), (from, to) -> {
            if (from.size() == 0) {
                return Reply.NOT_FOUND;
            }
            to.drop();
            from.forEach(0, (_, key, value) -> {
                to.set(key, value);
                return true;
            });
            if (from.isKept()) {
                to.keep();
            }
            from.drop();
            return Reply.OK;
        });
    }

    private Reply names(Command.Names names) {
        Glob match = new Glob(names.match());
        ReplyRoom room = room();
        Page page = new Page(names.count(), room);
        List<Reply.Name> found = new ArrayList<>();
        buckets.forEachBucket(names.position(), (position, bucket) -> {
            if (page.endsBefore(position)) {
                return false;
            }
            Bytes name = Bytes.owning(bucket.name());
            if (bucket.size() > 0 && names.names().contains(name) && match.matches(name)) {
                room.take(name);
                found.add(new Reply.Name(position, name));
            }
            return true;
        });
        return new Reply.Names(List.of(), page.next, found);
    }

    private Reply count(Command.Count count) {
        if (count.names().equals(NameSpace.ALL)) {
            return new Reply.Amount(buckets.filled());
        }
        long[] sum = {0};
        buckets.forEachBucket(0, (_, bucket) -> {
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

    /** What a reply may still hold. */
    private static final class ReplyRoom {
        /** What a value takes beside its bytes, on the way to another node and to a client. */
        private static final int OVERHEAD_BYTES = 16;

        private final long maxBytes;
        private long leftBytes;

        ReplyRoom(long maxBytes) {
            this.maxBytes = maxBytes;
            this.leftBytes = maxBytes;
        }

        void take(Bytes value) {
            take(value.size());
        }

        void take(int valueBytes) {
            leftBytes -= OVERHEAD_BYTES + valueBytes;
            if (leftBytes < 0) {
                throw new TooLarge();
            }
        }

        /** Whether so many values fit, if they are short. */
        boolean holds(long values) {
            return values <= leftBytes / OVERHEAD_BYTES;
        }

        /** Whether half of it is taken: a page can end here. */
        boolean isScarce() {
            return leftBytes < maxBytes / 2;
        }
    }

    /** A reply that would be larger than replies may be; it ends the command, which has changed nothing then. */
    private static final class TooLarge extends RuntimeException {
        private static final long serialVersionUID = 1L;

        TooLarge() {
            super("reply too large", null, false, false);
        }
    }
}
