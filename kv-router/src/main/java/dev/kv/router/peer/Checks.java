package dev.kv.router.peer;

import dev.kv.router.Held;
import dev.kv.router.HeldCheck;
import dev.kv.router.Reply;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;

/**
 * The replies of one link whose held values are being checked against their checksums: one reply after another, in turns with other such
 * work of the loop. It owns the replies until it hands them on. On the link's loop only.
 */
final class Checks {
    /** As many bytes as are checked in about 0.1 ms, the length of a turn. */
    private static final int PART_BYTES = 256 * 1024;

    private final Link link;
    private final Next next;
    /** The replies by the number of their request, in the order in which they are checked. */
    private final LinkedHashMap<Integer, Check> line = new LinkedHashMap<>();

    private boolean isScheduled;

    /** Takes the checked replies. */
    @FunctionalInterface
    interface Next {
        /**
         * The held values were checked.
         *
         * @param reply with an error in place of each value that cannot be read
         * @param release as it was added
         */
        void checked(int number, Reply reply, Runnable release);
    }

    Checks(Link link, Next next) {
        this.link = link;
        this.next = next;
    }

    private record Check(int number, HeldCheck reply, Runnable release) {
        void end() {
            reply.release();
            release.run();
        }
    }

    /**
     * Adds the reply to the request of this number, which has held values.
     *
     * @param release gives back what is charged for the rest of the reply; is run here if the reply is not handed on
     */
    void add(int number, Reply reply, Runnable release) {
        HeldCheck check = new HeldCheck(reply, Held.Seen.NOTHING, HeldCheck.OnError.REPLACES_VALUE);
        line.put(number, new Check(number, check, release));
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
        Optional<Reply> checked = line.firstEntry().getValue().reply.next(PART_BYTES);
        if (checked.isEmpty()) {
            return;
        }
        Check done = line.pollFirstEntry().getValue();
        boolean isHandedOn = false;
        try {
            next.checked(done.number, checked.get(), done.release);
            isHandedOn = true;
        } finally {
            if (!isHandedOn) {
                done.end();
            }
        }
    }

    /** Releases the reply of this number; returns whether there was one. Takes the same time for any number of replies. */
    boolean forget(int number) {
        Check check = line.remove(number);
        if (check == null) {
            return false;
        }
        check.end();
        return true;
    }

    /** Whether the reply of this number is being checked. */
    boolean has(int number) {
        return line.containsKey(number);
    }

    /** Number of replies that are being checked. */
    int size() {
        return line.size();
    }

    /** The numbers of their requests. */
    List<Integer> waiting() {
        return List.copyOf(line.keySet());
    }

    /** The link is closed. */
    void close() {
        line.values().forEach(Check::end);
        line.clear();
    }
}
