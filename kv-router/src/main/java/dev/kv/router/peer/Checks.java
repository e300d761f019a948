package dev.kv.router.peer;

import dev.kv.router.Held;
import dev.kv.router.HeldCheck;
import dev.kv.router.Reply;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * The replies of one link whose held values are being checked against their checksums: the streams take turns, a part of their oldest reply
 * each, in turns with other such work of the loop. A stream of which much is checked and not sent has no turn: a client that takes none of
 * its replies costs the time for few. It owns the replies until it hands them on. On the link's loop only.
 */
final class Checks {
    /** As many bytes as are checked in about 0.1 ms, the length of a turn. */
    private static final int PART_BYTES = 256 * 1024;

    /** Replies of a stream wait while so much of older ones is checked and not sent: 3 ms of checks, and enough to keep a link busy. */
    private static final long AHEAD_MAX_BYTES = 16 << 20;

    private final Link link;
    private final Next next;

    /** By number, the replies that are not checked. */
    private final Map<Integer, Check> checks = new HashMap<>();

    private final Map<Integer, Stream> streams = new HashMap<>();

    /** The streams that may go on; the first one has the next turn. */
    private final LinkedHashSet<Stream> line = new LinkedHashSet<>();

    private boolean isScheduled;

    /** Takes the checked replies. */
    @FunctionalInterface
    interface Next {
        /**
         * The held values were checked.
         *
         * @param reply with an error in place of each value that cannot be read
         * @param release is to be run when the reply was sent or dropped
         */
        void checked(int number, Reply reply, Runnable release);
    }

    Checks(Link link, Next next) {
        this.link = link;
        this.next = next;
    }

    private record Check(Stream stream, int number, long bytes, HeldCheck reply, Runnable release) {
        void end() {
            reply.release();
            release.run();
        }
    }

    /** The replies of one stream. A caller numbers its requests in their order, and the numbers come round. */
    private static final class Stream {
        private static final Comparator<Integer> OLDEST_FIRST = (a, b) -> a - b;

        private final int id;
        private final TreeMap<Integer, Check> unchecked = new TreeMap<>(OLDEST_FIRST);

        /** The lengths of those that were checked and are not sent. */
        private final TreeMap<Integer, Long> unsent = new TreeMap<>(OLDEST_FIRST);

        private long unsentBytes;

        Stream(int id) {
            this.id = id;
        }

        /** A reply that is older than those before never waits for them: they may wait for it. */
        boolean mayGoOn() {
            return !unchecked.isEmpty()
                    && (unsentBytes < AHEAD_MAX_BYTES || unchecked.firstKey() - unsent.firstKey() < 0);
        }
    }

    /**
     * Adds the reply to the request of this number, which has held values.
     *
     * @param release gives back what is charged for the rest of the reply; is run here if the reply is not handed on
     */
    void add(int stream, int number, Reply reply, Runnable release) {
        Stream of = streams.computeIfAbsent(stream, Stream::new);
        HeldCheck check = new HeldCheck(reply, Held.Seen.NOTHING, HeldCheck.OnError.REPLACES_VALUE);
        Check added = new Check(of, number, Held.bytesIn(reply), check, release);
        checks.put(number, added);
        of.unchecked.put(number, added);
        changed(of);
    }

    /** Gives the stream a place in the line, or takes it. */
    private void changed(Stream stream) {
        if (!stream.mayGoOn()) {
            line.remove(stream);
            if (stream.unchecked.isEmpty() && stream.unsent.isEmpty()) {
                streams.remove(stream.id, stream);
            }
            return;
        }
        line.add(stream);
        if (!isScheduled) {
            isScheduled = true;
            link.loop().inTurns(() -> {
                link.guard("a reply", this::goOn);
                isScheduled = !line.isEmpty();
                return isScheduled;
            });
        }
    }

    private void goOn() {
        if (line.isEmpty()) {
            return;
        }
        Stream stream = line.getFirst();
        line.addLast(stream);
        Check check = stream.unchecked.firstEntry().getValue();
        Optional<Reply> checked = check.reply.next(PART_BYTES);
        if (checked.isEmpty()) {
            return;
        }
        remove(check);
        stream.unsent.put(check.number, check.bytes);
        stream.unsentBytes += check.bytes;
        changed(stream);
        boolean isHandedOn = false;
        try {
            next.checked(check.number, checked.get(), () -> sent(check));
            isHandedOn = true;
        } finally {
            if (!isHandedOn) {
                check.end();
            }
        }
    }

    private void remove(Check check) {
        checks.remove(check.number);
        check.stream.unchecked.remove(check.number);
    }

    private void sent(Check check) {
        check.release.run();
        Stream stream = check.stream;
        stream.unsentBytes -=
                Optional.ofNullable(stream.unsent.remove(check.number)).orElse(0L);
        changed(stream);
    }

    /** Releases the reply of this number; returns whether there was one. Takes about the same time for any number of replies. */
    boolean forget(int number) {
        Check check = checks.get(number);
        if (check == null) {
            return false;
        }
        remove(check);
        changed(check.stream);
        check.end();
        return true;
    }

    /** Whether the reply of this number is being checked. */
    boolean has(int number) {
        return checks.containsKey(number);
    }

    /** Number of replies that are being checked. */
    int size() {
        return checks.size();
    }

    /** The numbers of their requests. */
    List<Integer> waiting() {
        return List.copyOf(checks.keySet());
    }

    /** The link is closed. */
    void close() {
        List<Check> left = new ArrayList<>(checks.values());
        checks.clear();
        streams.values().forEach(stream -> stream.unchecked.clear());
        streams.clear();
        line.clear();
        left.forEach(Check::end);
    }
}
