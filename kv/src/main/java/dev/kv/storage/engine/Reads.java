package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Glob;
import dev.kv.router.Held;
import dev.kv.router.PackedList;
import dev.kv.router.Reply;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Function;

/** What each command reads from its bucket. */
final class Reads {
    /** What a name takes beside its keys and values: the name in its records, and its slot. Roughly. */
    private static final long NAME_BYTES = 64;

    /** What a key takes beside its bytes: the heads of its record and field, and its entry in the index. Roughly. */
    private static final long KEY_BYTES = 48;

    private Reads() {}

    static Reply look(View bucket, Command.Read command, ReplyRoom room) {
        return switch (command) {
            case Command.Get get -> bucket.exists() ? read(bucket, get.key(), room) : Reply.NOT_FOUND;
            case Command.GetAll get -> many(get.keys(), key -> read(bucket, key, room));
            case Command.Measure measure -> {
                long bytes = bucket.valueBytes(measure.key());
                yield bytes == View.ABSENT ? Reply.ABSENT : new Reply.Amount(bytes);
            }
            case Command.GetValue _ -> read(bucket, View.VALUE, room);
            case Command.GetRange range -> Values.range(bucket, range, room);
            case Command.MeasureValue _ -> Values.measure(bucket);
            case Command.KindOf _ -> Values.kind(bucket);
            case Command.Weigh _ ->
                bucket.size() == 0
                        ? Reply.ABSENT
                        : new Reply.Amount(NAME_BYTES + KEY_BYTES * bucket.size() + bucket.bytesMin());
            case Command.ExpiryOf _ -> ExpiryCommands.tell(bucket);
            case Command.ExpiriesOfKeys tell -> ExpiryCommands.tell(bucket, tell.keys());
            case Command.Size _ -> new Reply.Amount(bucket.size());
            case Command.Content content -> content(bucket, content.part(), room);
            case Command.Sample sample -> sample(bucket, sample, room);
            case Command.Scan scan -> scan(bucket, scan, room);
        };
    }

    /** A reply for each of several things. If one fails, the held values of those before it are released. */
    static <T> Reply many(List<T> asked, Function<T, Reply> answer) {
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

    static Reply read(View bucket, Bytes key, ReplyRoom room) {
        Reply reply = bucket.read(key);
        try {
            if (reply instanceof Reply.Value(Bytes value)) {
                room.take(value);
            } else if (reply instanceof Reply.LargeValue(Held value)) {
                room.take(value.size());
            }
            return reply;
        } catch (ReplyRoom.TooLarge e) {
            Held.releaseIn(reply);
            throw e;
        }
    }

    private static Reply content(View bucket, Command.Part part, ReplyRoom room) {
        long values = part == Command.Part.PAIRS ? 2 * bucket.size() : bucket.size();
        if (!bucket.mayHaveGoneKeys() && !room.holds(values, part == Command.Part.PAIRS ? bucket.bytesMin() : 0)) {
            throw new ReplyRoom.TooLarge();
        }
        bucket.checkAll();
        Gathered gathered = new Gathered(part, room);
        bucket.forEach(0, (_, key, value) -> gathered.add(key, value));
        return gathered.values();
    }

    /** Keys or values of a bucket for a reply. */
    private static final class Gathered {
        private final PackedList.Builder values = new PackedList.Builder();
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
            return new Reply.Values(values.build());
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
        boolean isExact = sample.count() < 0 || !bucket.mayHaveGoneKeys();
        if (isExact && !room.holds(Math.abs(sample.count()), 0)) {
            throw new ReplyRoom.TooLarge();
        }
        if (sample.count() > bucket.size() / 2) {
            drawMost(bucket, (int) sample.count()).forEach(key -> gathered.add(bucket, key));
        } else if (sample.count() > 0) {
            drawDifferent(bucket, sample.count(), gathered);
        } else {
            drawAny(bucket, -sample.count(), gathered);
        }
        return gathered.values();
    }

    /**
     * How many draws may come to no key before a walk finds the keys that are there: most have expired, and are not removed yet. Draws that
     * came to a key add to it.
     */
    private static final int MISSES_MAX = 100;

    /** Draws until so many different keys were drawn; they are at most half of all. */
    private static void drawDifferent(View bucket, long count, Gathered gathered) {
        Set<Bytes> drawn = new HashSet<>();
        int misses = 0;
        while (drawn.size() < count && misses <= MISSES_MAX + drawn.size()) {
            misses += bucket.draw((_, key, value) -> !drawn.add(key) || gathered.add(key, value)) ? 0 : 1;
        }
        if (drawn.size() < count) {
            List<Bytes> others = keys(bucket, drawn);
            Collections.shuffle(others, ThreadLocalRandom.current());
            others.stream().limit(count - drawn.size()).forEach(key -> gathered.add(bucket, key));
        }
    }

    /** Draws so many keys, one perhaps several times. */
    private static void drawAny(View bucket, long count, Gathered gathered) {
        long drawn = 0;
        int misses = 0;
        while (drawn < count && misses <= MISSES_MAX + drawn) {
            boolean isShown = bucket.draw((_, key, value) -> gathered.add(key, value));
            drawn += isShown ? 1 : 0;
            misses += isShown ? 0 : 1;
        }
        if (drawn < count) {
            List<Bytes> all = keys(bucket, Set.of());
            for (long i = all.isEmpty() ? count : drawn; i < count; i++) {
                boolean _ =
                        gathered.add(bucket, all.get(ThreadLocalRandom.current().nextInt(all.size())));
            }
        }
    }

    /** The keys of a bucket but for some. */
    private static List<Bytes> keys(View bucket, Set<Bytes> but) {
        List<Bytes> keys = new ArrayList<>();
        bucket.forEach(0, (_, key, _) -> but.contains(key) || keys.add(key));
        return keys;
    }

    /** Draws so many different keys in one pass; each choice has the same probability (Vitter's algorithm R). */
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
        bucket.work(match.writtenBytes());
        ReplyRoom.Page page = new ReplyRoom.Page(scan.count(), room);
        bucket.forEach(scan.position(), (position, key, value) -> {
            if (page.endsBefore(position)) {
                return false;
            }
            bucket.work(match.steps(key.size()));
            return !match.matches(key) || gathered.add(key, value);
        });
        return new Reply.Page(page.next(), gathered.values.build());
    }
}
