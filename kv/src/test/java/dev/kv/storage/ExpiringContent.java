package dev.kv.storage;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Expiry;
import dev.kv.router.Held;
import dev.kv.router.Reply;
import dev.kv.router.Reply.Word;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * Values, buckets and keys of which some expire soon, some later, and some not: written to a storage, and compared with what it answers. The
 * times are far behind the clock of the machine, by which the storage cleans.
 */
public final class ExpiringContent {
    public static final long NOW = 4_000_000_000_000L;
    public static final long SOON = NOW + 10;
    private static final long LATE = NOW + 1_000_000;

    private ExpiringContent() {}

    /**
     * A value, or a key of a bucket, as it was written last.
     *
     * @param key empty for a value
     * @param before the value before; the same if there was none
     * @param until when it expires; 0 if it does not
     * @param bucketUntil when its bucket expires; 0 if it does not
     */
    private record Written(Bytes name, Bytes key, Bytes before, Bytes value, long until, long bucketUntil) {
        Written(String name, String key, long until, long bucketUntil) {
            this(Bytes.of(name), Bytes.of(key), valueOf(name, key), valueOf(name, key), until, bucketUntil);
        }

        private static Bytes valueOf(String name, String key) {
            return Bytes.of("the value of " + name + " " + key);
        }

        boolean isValue() {
            return key.isEmpty();
        }

        boolean isThere(long millis) {
            return (until == 0 || millis < until) && (bucketUntil == 0 || millis < bucketUntil);
        }

        Written after(String later) {
            return new Written(name, key, value, Bytes.of(later), until, bucketUntil);
        }
    }

    private static final List<Written> FIRST = List.of(
            new Written("value", "", 0, 0),
            new Written("value-soon", "", SOON, 0),
            new Written("value-late", "", LATE, 0),
            new Written("value-moved", "", SOON, 0),
            new Written("small-soon", "key", SOON, 0),
            new Written("small-late", "key", LATE, 0),
            new Written("keys", "never", 0, 0),
            new Written("keys", "soon", SOON, 0),
            new Written("keys", "late", LATE, 0),
            new Written("whole-soon", "one", 0, SOON),
            new Written("whole-soon", "two", 0, SOON),
            new Written("whole-late", "one", 0, LATE),
            new Written("whole-late", "soon", SOON, LATE));

    private static final List<Written> SECOND = List.of(
            new Written(FIRST.get(3).name, Bytes.EMPTY, FIRST.get(3).value, Bytes.of("moved"), LATE, 0),
            FIRST.get(6).after("written again"),
            FIRST.get(8).after("written again, with a time"),
            new Written("second-soon", "", SOON, 0),
            new Written("second-late", "key", LATE, 0));

    /** Whether anything was written under a name. */
    public static boolean hasName(Bytes name) {
        return Stream.concat(FIRST.stream(), SECOND.stream()).anyMatch(each -> each.name.equals(name));
    }

    /** Something that is not as it was written. */
    public record Difference(Bytes name, String what, boolean isError) {}

    /** The first part, which all of {@link #writeSecond} comes behind. */
    public static void writeFirst(OpenStorage storage) {
        write(storage, FIRST);
    }

    public static void writeSecond(OpenStorage storage) {
        write(storage, SECOND);
    }

    private static void write(OpenStorage storage, List<Written> all) {
        for (Written each : all) {
            Expiry expiry = each.until == 0 ? Expiry.NONE : new Expiry.At(each.until);
            Command.SetValue set = new Command.SetValue(each.name, each.value, Command.Condition.ALWAYS, false);
            Reply reply = each.isValue()
                    ? run(storage, NOW, new Command.SetValueUntil(set, expiry))
                    : run(
                            storage,
                            NOW,
                            new Command.SetAllUntil(
                                    each.name, List.of(each.key, each.value), Command.KeysCondition.ALWAYS, expiry));
            assertThat(reply).isIn(Reply.OK, new Reply.Amount(1));
            if (each.bucketUntil != 0) {
                Expiry whole = new Expiry.At(each.bucketUntil);
                assertThat(run(storage, NOW, new Command.Expire(each.name, whole, Expiry.Condition.ALWAYS)))
                        .isEqualTo(new Reply.Amount(1));
            }
        }
    }

    /** What differs from all that was written, before anything expires and then when some has; fails on a value or a time that nobody wrote. */
    public static List<Difference> differences(OpenStorage storage) {
        List<Difference> found = new ArrayList<>(differences(storage, SOON - 1));
        found.addAll(differences(storage, SOON));
        return found;
    }

    /** Does the same at one time, from which on nothing is told of what expired before. */
    public static List<Difference> differences(OpenStorage storage, long millis) {
        List<Difference> found = new ArrayList<>();
        for (Written each : FIRST) {
            Written last = SECOND.stream()
                    .filter(later -> later.name.equals(each.name) && later.key.equals(each.key))
                    .findFirst()
                    .orElse(each);
            compare(storage, millis, last, found);
        }
        SECOND.stream()
                .filter(each -> each.before.equals(each.value))
                .forEach(each -> compare(storage, millis, each, found));
        return found;
    }

    private static void compare(OpenStorage storage, long millis, Written each, List<Difference> found) {
        Reply value = run(
                storage,
                millis,
                each.isValue() ? new Command.GetValue(each.name) : new Command.Get(each.name, each.key));
        boolean isGone = value.equals(Reply.ABSENT) || value.equals(Reply.NOT_FOUND);
        if (!isError(value) && !isGone) {
            assertThat(value)
                    .as("%s at %d", each, millis)
                    .isIn(new Reply.Value(each.value), new Reply.Value(each.before));
        }
        if (each.isThere(millis) ? !value.equals(new Reply.Value(each.value)) : !isGone) {
            found.add(new Difference(each.name, "%s at %d: %s".formatted(each, millis, value), isError(value)));
        }
        compareTime(storage, millis, each, found);
    }

    private static void compareTime(OpenStorage storage, long millis, Written each, List<Difference> found) {
        Reply whole = run(storage, millis, new Command.ExpiryOf(each.name));
        if (each.isValue() || each.bucketUntil != 0) {
            long until = each.isValue() ? each.until : each.bucketUntil;
            compareTime(millis, each, whole, millis < until || until == 0, until, found);
        }
        if (!each.isValue()) {
            Reply ofKey = run(storage, millis, new Command.ExpiriesOfKeys(each.name, List.of(each.key)));
            Reply one = ofKey instanceof Reply.Many(List<Reply> times) ? times.getFirst() : ofKey;
            compareTime(millis, each, one, each.isThere(millis), each.until, found);
        }
    }

    private static void compareTime(
            long millis, Written each, Reply time, boolean isThere, long until, List<Difference> found) {
        long expected = !isThere ? Command.ExpiryOf.NOTHING : until == 0 ? Expiry.NEVER : until;
        if (!isError(time)) {
            assertThat(((Reply.Amount) time).value())
                    .as("the time of %s at %d", each, millis)
                    .isIn(Command.ExpiryOf.NOTHING, Expiry.NEVER, SOON, LATE);
        }
        if (!time.equals(new Reply.Amount(expected))) {
            found.add(
                    new Difference(each.name, "the time of %s at %d: %s".formatted(each, millis, time), isError(time)));
        }
    }

    private static boolean isError(Reply reply) {
        return reply instanceof Reply.Failed failed && failed.word() == Word.ERR;
    }

    private static Reply run(OpenStorage storage, long millis, Command command) {
        return Held.flat(storage.run(command, millis).toCompletableFuture().join());
    }
}
