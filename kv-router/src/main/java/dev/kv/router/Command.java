package dev.kv.router;

import java.math.BigDecimal;
import java.util.List;

/**
 * What a client asks for. Its bucket's name decides which node runs it, and there it runs as a whole: no other command on
 * that bucket comes between.
 *
 * <p>Where a command says so it makes the bucket that it needs. Such a bucket vanishes with its last key; one that was made
 * by {@link Create} stays until it is dropped.
 */
public sealed interface Command {
    /** The bucket that the command concerns, which is what it is routed by. */
    Bytes bucket();

    /** Whether it leaves all buckets as they are. */
    default boolean isRead() {
        return this instanceof Read || this instanceof Survey;
    }

    /** A command that looks at its bucket and leaves it as it is. */
    sealed interface Read extends Command {}

    /** A command that may change its bucket. */
    sealed interface Write extends Command {}

    /** A command on all buckets with names of a part of the name space; nodes split it by their tables. */
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
    record SetAll(Bytes bucket, List<Bytes> pairs, boolean onlyAbsent) implements Write {
        public SetAll {
            pairs = List.copyOf(pairs);
            if (pairs.size() % 2 != 0) {
                throw new IllegalArgumentException("a key without a value");
            }
        }
    }

    /** Remove keys. Answered with the {@link Reply.Amount} of those that were there. */
    record DeleteAll(Bytes bucket, List<Bytes> keys) implements Write {
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

    /** Remove the bucket with all its keys. Answered with the {@link Reply.Amount} of buckets with keys: 0 or 1. */
    record Drop(Bytes bucket) implements Write {}

    /** Read keys. Answered with {@link Reply.Many}: a {@link Reply.Value}, {@link Reply.LargeValue} or {@link Reply.Absent} for each. */
    record GetAll(Bytes bucket, List<Bytes> keys) implements Read {
        public GetAll {
            keys = List.copyOf(keys);
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
     * Give the bucket another name; one of that name is dropped. Answered with {@link Reply.Ok}, or {@link Reply.NotFound}
     * without keys. Only a node that keeps both can do it.
     */
    record Rename(Bytes bucket, Bytes to) implements Command {}

    /**
     * Run commands on one bucket without any other in between. Answered with {@link Reply.Many}, one for each.
     *
     * @param commands each of them a {@link Read} or a {@link Write} on the same bucket
     */
    record Batch(Bytes bucket, List<Command> commands) implements Command {
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
     * Tell names of buckets with keys. Answered with {@link Reply.Names}.
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

    /** Tell the {@link Reply.Amount} of buckets with keys. */
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
