package dev.kv.router;

import java.math.BigDecimal;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * What a client asks for. A name decides which node runs it, and there it runs as a whole: no other command on that name comes
 * between.
 *
 * <p>A name holds a bucket, a value, or nothing. Where a command says so it makes the bucket that it needs. Such a bucket vanishes with
 * its last key; one that was made by {@link Create} stays until it is dropped or a value replaces it. A command on a value is answered
 * with {@link Reply.Reason#WRONG_TYPE} where there is a bucket with keys, a command on a bucket where there is a value, unless it says
 * otherwise. A bucket without keys is nothing to a command on a value.
 *
 * <p>A name and a key can expire. A command that sets a value or a key anew has it expire no more, one that adds to it leaves the time as
 * it is, unless it says otherwise. That of the bucket stays when keys are set.
 *
 * <p>Longer than other files: a sealed type and what belongs to it stand in one.
 */
public sealed interface Command {
    /** The name of the bucket or value that the command concerns, which is what it is routed by. */
    Bytes bucket();

    /** Whether it leaves all buckets as they are. */
    default boolean isRead() {
        return this instanceof Read || this instanceof Survey;
    }

    /** A command that looks at its bucket and leaves it as it is. */
    sealed interface Read extends Command {}

    /** A command that may change its bucket. */
    sealed interface Write extends Command {}

    /** A command of as many words as its client sends: the bounds of names, keys and values do not bound its length. */
    sealed interface Unbounded extends Command {}

    /** A command on several names, all of which one node has to keep. */
    sealed interface Several extends Command {
        /** Each name once, the one that it is routed by first. */
        List<Bytes> names();
    }

    /** A command on all names of a part of the name space; nodes split it by their tables. */
    sealed interface Survey extends Command {
        /** The names that it asks for. */
        NameSpace names();

        /** The same question for other names. */
        Survey within(NameSpace part);

        /** The first of the names: who keeps it is asked first. */
        @Override
        default Bytes bucket() {
            return names().first();
        }
    }

    /** Make the bucket, unless it is there already, and keep it when it is empty. Answered with {@link Reply.Ok}. */
    record Create(Bytes bucket) implements Write {}

    /** Set a key. Answered with {@link Reply.Ok}, or {@link Reply.NotFound} without such a bucket. */
    record Put(Bytes bucket, Bytes key, Bytes value) implements Write {}

    /** Read a key. Answered with {@link Reply.Value} or {@link Reply.LargeValue}, {@link Reply.Absent}, or {@link Reply.NotFound}. */
    record Get(Bytes bucket, Bytes key) implements Read {}

    /** Remove a key. Answered with {@link Reply.Ok}, also if there was none, or {@link Reply.NotFound}. */
    record Delete(Bytes bucket, Bytes key) implements Write {}

    /**
     * Set keys, and make the bucket if there is none. Answered with the {@link Reply.Amount} of keys that are new.
     *
     * @param pairs a key, its value, the next key, its value
     * @param onlyAbsent whether keys that are there keep their values
     */
    record SetAll(Bytes bucket, List<Bytes> pairs, boolean onlyAbsent) implements Write, Unbounded {
        public SetAll {
            pairs = List.copyOf(pairs);
            if (pairs.size() % 2 != 0) {
                throw new IllegalArgumentException("a key without a value");
            }
        }
    }

    /** Remove keys. Answered with the {@link Reply.Amount} of those that were there. */
    record DeleteAll(Bytes bucket, List<Bytes> keys) implements Write, Unbounded {
        public DeleteAll {
            keys = List.copyOf(keys);
        }
    }

    /**
     * Add to the whole number that is the key's value, 0 if there is none. Answered with the {@link Reply.Amount} that it
     * becomes.
     */
    record Add(Bytes bucket, Bytes key, long amount) implements Write {}

    /**
     * Add to the decimal number that is the key's value, 0 if there is none. Answered with the {@link Reply.Value} that it
     * becomes.
     */
    record AddDecimal(Bytes bucket, Bytes key, BigDecimal amount) implements Write {}

    /** Remove the bucket with all its keys, or the value. Answered with the {@link Reply.Amount} of buckets with keys, and values: 0 or 1. */
    record Drop(Bytes bucket) implements Write {}

    /** When a value is set. */
    sealed interface Condition {
        Condition ALWAYS = new Always();
        Condition ABSENT = new IfAbsent();
        Condition PRESENT = new IfPresent();

        record Always() implements Condition {}

        /** The name holds nothing. */
        record IfAbsent() implements Condition {}

        /** The name holds a value, or a bucket with keys. */
        record IfPresent() implements Condition {}

        /** The name holds this value; without {@link SetValue#returnsOld}, too, a bucket is of the wrong type. */
        record IfEqual(Bytes value) implements Condition {}
    }

    /**
     * Set the value, in place of what the name holds, of either kind. Answered with {@link Reply.Ok}, or {@link Reply.Absent} if the
     * condition does not hold.
     *
     * @param returnsOld whether it is answered, set or not, with what was there: {@link Reply.Value}, {@link Reply.LargeValue} or
     *     {@link Reply.Absent}; a bucket is of the wrong type then
     */
    record SetValue(Bytes bucket, Bytes value, Condition condition, boolean returnsOld) implements Write, Unbounded {}

    /** Read the value and remove it. Answered with {@link Reply.Value}, {@link Reply.LargeValue} or {@link Reply.Absent}. */
    record TakeValue(Bytes bucket) implements Write {}

    /**
     * Set the value with an expiry; {@link SetValue} by itself sets one that does not expire. Answered like that.
     */
    record SetValueUntil(SetValue set, Expiry expiry) implements Write, Unbounded {
        @Override
        public Bytes bucket() {
            return set.bucket();
        }
    }

    /** Read the value and change its expiry. Answered with {@link Reply.Value}, {@link Reply.LargeValue} or {@link Reply.Absent}. */
    record GetValueAndExpire(Bytes bucket, Expiry expiry) implements Write {}

    /**
     * Change when the bucket or value expires. Answered with the {@link Reply.Amount} of 1, or 0 if there is nothing, or the condition
     * does not hold.
     */
    record Expire(Bytes bucket, Expiry expiry, Expiry.Condition condition) implements Write {}

    /**
     * Tell when the bucket or value expires. Answered with the {@link Reply.Amount} of milliseconds since 1970, of {@link Expiry#NEVER}, or
     * of {@link #NOTHING} if there is nothing, or a bucket without keys.
     */
    record ExpiryOf(Bytes bucket) implements Read {
        public static final long NOTHING = -2;
    }

    /**
     * Change when keys expire. Answered with {@link Reply.Many}, an {@link Reply.Amount} for each key: {@link ExpiryOf#NOTHING} without such
     * a key, 0 if the condition does not hold, 1 if it is done, {@link #REMOVED} if it is done by a time that is past.
     */
    record ExpireKeys(Bytes bucket, List<Bytes> keys, Expiry expiry, Expiry.Condition condition)
            implements Write, Unbounded {
        public static final long REMOVED = 2;

        public ExpireKeys {
            keys = List.copyOf(keys);
        }
    }

    /** Tell when keys expire. Answered with {@link Reply.Many}, for each key an {@link Reply.Amount} as for {@link ExpiryOf}. */
    record ExpiriesOfKeys(Bytes bucket, List<Bytes> keys) implements Read, Unbounded {
        public ExpiriesOfKeys {
            keys = List.copyOf(keys);
        }
    }

    /** Read keys and change when they expire. Answered like {@link GetAll}. */
    record GetAllAndExpire(Bytes bucket, List<Bytes> keys, Expiry expiry) implements Write, Unbounded {
        public GetAllAndExpire {
            keys = List.copyOf(keys);
        }
    }

    /**
     * Set keys with an expiry, and make the bucket if there is none; {@link SetAll} sets keys that do not expire. Answered with the
     * {@link Reply.Amount} of 1, or 0 if the condition does not hold and nothing is set.
     *
     * @param pairs a key, its value, the next key, its value
     */
    record SetAllUntil(Bytes bucket, List<Bytes> pairs, KeysCondition condition, Expiry expiry)
            implements Write, Unbounded {
        public SetAllUntil {
            pairs = List.copyOf(pairs);
            if (pairs.size() % 2 != 0) {
                throw new IllegalArgumentException("a key without a value");
            }
        }
    }

    /** When several keys are set. */
    enum KeysCondition {
        ALWAYS,
        /** There is none of the keys. */
        ALL_ABSENT,
        /** There are all of the keys. */
        ALL_PRESENT
    }

    /** Read keys and remove them. Answered like {@link GetAll}. */
    record TakeAll(Bytes bucket, List<Bytes> keys) implements Write, Unbounded {
        public TakeAll {
            keys = List.copyOf(keys);
        }
    }

    /** Remove the value if it is this one. Answered with the {@link Reply.Amount} of values removed: 0 or 1. */
    record DropEqual(Bytes bucket, Bytes value) implements Write {}

    /** Add to the whole number that is the value, 0 if there is none. Answered with the {@link Reply.Amount} that it becomes. */
    record AddToValue(Bytes bucket, long amount) implements Write {}

    /** Add to the decimal number that is the value, 0 if there is none. Answered with the {@link Reply.Value} that it becomes. */
    record AddDecimalToValue(Bytes bucket, BigDecimal amount) implements Write {}

    /**
     * Write bytes into the value, which grows as far as it needs, with zeros between. Answered with the {@link Reply.Amount} of its bytes
     * after that, or {@link Reply.Word#TOOLARGE}.
     *
     * @param at where they begin, from 0, or {@link #END}: behind the last one. No bytes there change nothing, and no bytes at the end
     *     make an empty value if there is none
     */
    record WriteRange(Bytes bucket, long at, Bytes bytes) implements Write {
        public static final long END = -1;

        public WriteRange {
            if (at < END) {
                throw new IllegalArgumentException("a range that begins at " + at);
            }
        }
    }

    /**
     * Set values if none of the names holds anything. Answered with the {@link Reply.Amount} of 1, or 0 if it is not done.
     *
     * @param pairs a name, its value, the next name, its value; the last value of a name counts
     */
    record SetAbsentValues(List<Bytes> pairs) implements Several, Unbounded {
        public SetAbsentValues {
            pairs = List.copyOf(pairs);
            if (pairs.isEmpty() || pairs.size() % 2 != 0) {
                throw new IllegalArgumentException("a name without a value");
            }
        }

        /** The first of the names. */
        @Override
        public Bytes bucket() {
            return pairs.getFirst();
        }

        @Override
        public List<Bytes> names() {
            return IntStream.range(0, pairs.size() / 2)
                    .mapToObj(i -> pairs.get(2 * i))
                    .distinct()
                    .toList();
        }
    }

    /** Read the value. Answered with {@link Reply.Value}, {@link Reply.LargeValue} or {@link Reply.Absent}. */
    record GetValue(Bytes bucket) implements Read {}

    /**
     * Read a part of the value. Answered with {@link Reply.Value}, which is empty if there is none.
     *
     * @param first its first byte, counted from 0, or from the end if negative: -1 is the last one
     * @param last its last byte, counted likewise
     */
    record GetRange(Bytes bucket, long first, long last) implements Read {
        /** The first byte of the part in a value of so many bytes. */
        public int from(int bytes) {
            return (int) Math.min(bytes, counted(first, bytes));
        }

        /** The byte after the last one of the part; not before {@link #from}. */
        public int to(int bytes) {
            // As in Redis: an end before the first byte is the first byte, unless it is before the beginning as they
            // are written.
            boolean isTurned = first < 0 && last < 0 && first > last;
            long end = Math.min(bytes, Math.min(counted(last, bytes), bytes) + 1);
            return isTurned ? from(bytes) : (int) Math.max(from(bytes), end);
        }

        private static long counted(long at, int bytes) {
            return Math.max(0, at < 0 ? at + bytes : at);
        }
    }

    /** Tell the size of the value in bytes. Answered with {@link Reply.Amount} or {@link Reply.Absent}. */
    record MeasureValue(Bytes bucket) implements Read {}

    /** Estimate the bytes that the bucket or value takes, on the disk and in memory. Answered with {@link Reply.Amount} or {@link Reply.Absent}. */
    record Weigh(Bytes bucket) implements Read {}

    /** Tell what the name holds. Answered with {@link Reply.OfKind}, or {@link Reply.Absent} if it is nothing, or a bucket without keys. */
    record KindOf(Bytes bucket) implements Read {}

    /** Read keys. Answered with {@link Reply.Many}: a {@link Reply.Value}, {@link Reply.LargeValue} or {@link Reply.Absent} for each. */
    record GetAll(Bytes bucket, List<Bytes> keys) implements Read, Unbounded {
        public GetAll {
            keys = PackedList.copyOf(keys);
        }
    }

    /** Tell the size of a value in bytes. Answered with {@link Reply.Amount} or {@link Reply.Absent}. */
    record Measure(Bytes bucket, Bytes key) implements Read {}

    /** Tell the {@link Reply.Amount} of keys: 0 without such a bucket. */
    record Size(Bytes bucket) implements Read {}

    /** Read the whole bucket. Answered with {@link Reply.Values}. */
    record Content(Bytes bucket, Part part) implements Read {}

    /**
     * Read keys by chance. Answered with {@link Reply.Values}.
     *
     * @param count so many different keys, or all; if it is negative, as many as it says, of which some may be the same
     */
    record Sample(Bytes bucket, long count, Part part) implements Read {}

    /**
     * Read the bucket a page at a time. Answered with {@link Reply.Page}.
     *
     * @param position where to begin: 0, or what the page before says
     * @param match a pattern for the keys: {@code *}, {@code ?}, {@code [a-c]}, {@code [^a]}, and {@code \} before any of these
     * @param count about how many keys to look at
     */
    record Scan(Bytes bucket, long position, Bytes match, long count, Part part) implements Read {}

    /**
     * Give the bucket or value another name; what that name holds is dropped. Answered with {@link Reply.Ok}, or {@link Reply.NotFound}
     * without keys.
     */
    record Rename(Bytes bucket, Bytes to) implements Several {
        @Override
        public List<Bytes> names() {
            return distinct(bucket, to);
        }
    }

    /**
     * Give the bucket or value another name, if that holds nothing. Answered with the {@link Reply.Amount} of 1, or 0 if it holds something,
     * or {@link Reply.NotFound} without keys.
     */
    record RenameAbsent(Bytes bucket, Bytes to) implements Several {
        @Override
        public List<Bytes> names() {
            return distinct(bucket, to);
        }
    }

    /**
     * Copy the bucket or value under another name, with its expiry. Answered with the {@link Reply.Amount} of 1, or 0 without keys, or
     * {@link Reply.Word#TOOLARGE} if it is too large to be copied in one change.
     *
     * @param replaces whether what the other name holds is dropped; else nothing is copied, and the amount is 0, if it holds something
     */
    record Copy(Bytes bucket, Bytes to, boolean replaces) implements Several {
        @Override
        public List<Bytes> names() {
            return distinct(bucket, to);
        }
    }

    private static List<Bytes> distinct(Bytes one, Bytes other) {
        return one.equals(other) ? List.of(one) : List.of(one, other);
    }

    /**
     * Have the node tell later whether what the name holds has changed since. Answered with the {@link Reply.Amount} that {@link Watched}
     * takes.
     */
    record Watch(Bytes bucket) implements Command {
        @Override
        public boolean isRead() {
            return true;
        }
    }

    /**
     * A name that must not have changed.
     *
     * @param number the reply to {@link Watch}
     */
    record Watched(Bytes name, long number) {}

    /**
     * Run commands on several names without any other in between, and with all of their changes or none in the log. Answered with
     * {@link Reply.Many}, one for each, or with {@link Reply.Absent} if a watched name has changed and nothing was run.
     *
     * @param commands each of them a {@link Read} or a {@link Write}; none only if names are watched
     */
    record Together(List<Watched> watched, List<Command> commands) implements Several, Unbounded {
        public Together {
            watched = List.copyOf(watched);
            commands = List.copyOf(commands);
            if (watched.isEmpty() && commands.isEmpty()) {
                throw new IllegalArgumentException("commands on no name");
            }
            for (Command command : commands) {
                if (!(command instanceof Read || command instanceof Write)) {
                    throw new IllegalArgumentException(
                            "not together with others: " + command.getClass().getSimpleName());
                }
            }
        }

        @Override
        public Bytes bucket() {
            return commands.isEmpty()
                    ? watched.getFirst().name()
                    : commands.getFirst().bucket();
        }

        @Override
        public List<Bytes> names() {
            return Stream.concat(
                            commands.stream().map(Command::bucket),
                            watched.stream().map(Watched::name))
                    .distinct()
                    .toList();
        }
    }

    /**
     * Run commands on several names, each by itself: other commands may come between, and nodes split it by their tables. Answered with
     * {@link Reply.Many}, one for each, or with a {@link Reply.Failed} that stands for each of them.
     *
     * @param commands each of them a {@link Read} or a {@link Write} whose reply is short or {@linkplain Reply.LargeValue held}
     */
    record Each(List<Command> commands) implements Unbounded {
        public Each {
            commands = List.copyOf(commands);
            if (commands.isEmpty()) {
                throw new IllegalArgumentException("commands on no name");
            }
            // The class of a Read or a Write decides alone, and nearly all are of one.
            Class<?> fits = null;
            for (Command command : commands) {
                if (command.getClass() != fits) {
                    if (!(command instanceof Read || command instanceof Write) || LongReply.mayFollow(command)) {
                        throw new IllegalArgumentException("not with others on several names: "
                                + command.getClass().getSimpleName());
                    }
                    fits = command.getClass();
                }
            }
        }

        /** One command, or several as one. */
        public static Command of(List<Command> commands) {
            return commands.size() == 1 ? commands.getFirst() : new Each(commands);
        }

        @Override
        public Bytes bucket() {
            return commands.getFirst().bucket();
        }

        @Override
        public boolean isRead() {
            for (Command command : commands) {
                if (!(command instanceof Read)) {
                    return false;
                }
            }
            return true;
        }
    }

    /**
     * Run commands on one bucket without any other in between. Answered with {@link Reply.Many}, one for each.
     *
     * @param commands each of them a {@link Read} or a {@link Write} on the same bucket
     */
    record Batch(Bytes bucket, List<Command> commands) implements Unbounded {
        public Batch {
            commands = List.copyOf(commands);
            for (Command command : commands) {
                if (!(command instanceof Read || command instanceof Write)
                        || !command.bucket().equals(bucket)) {
                    throw new IllegalArgumentException("not in a batch on this bucket: "
                            + command.getClass().getSimpleName());
                }
            }
        }

        @Override
        public boolean isRead() {
            return commands.stream().allMatch(Read.class::isInstance);
        }
    }

    /**
     * Tell names of buckets with keys, and of values. Answered with {@link Reply.Names}.
     *
     * @param position where to begin: 0, or what the page before says
     * @param match a pattern, as for {@link Scan}
     * @param count about how many names each node looks at
     */
    record Names(NameSpace names, long position, Bytes match, long count) implements Survey {
        @Override
        public Survey within(NameSpace part) {
            return new Names(part, position, match, count);
        }
    }

    /** Tell the names that hold something of one kind, of those that {@link Names} tells. Answered like that. */
    record NamesOfKind(Names of, Kind kind) implements Survey {
        @Override
        public NameSpace names() {
            return of.names();
        }

        @Override
        public Survey within(NameSpace part) {
            return new NamesOfKind((Names) of.within(part), kind);
        }
    }

    /** Tell the {@link Reply.Amount} of buckets with keys, and of values. */
    record Count(NameSpace names) implements Survey {
        @Override
        public Survey within(NameSpace part) {
            return new Count(part);
        }
    }

    /**
     * Tell the way that a request for the bucket takes. Answered with {@link Reply.Way}; every node on the way adds its
     * own part, and the bucket need not exist.
     */
    record Route(Bytes bucket) implements Command {}

    /** What of each pair is wanted. */
    enum Part {
        KEYS,
        VALUES,
        /** A key, its value, the next key, its value. */
        PAIRS
    }
}
