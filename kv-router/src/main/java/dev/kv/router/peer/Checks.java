package dev.kv.router.peer;

import dev.kv.router.Held;
import dev.kv.router.Reply;
import java.util.ArrayDeque;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;

/**
 * The replies of one link whose held values are being checked against their checksums: one reply after another, a part in each iteration
 * of the loop. It owns the replies until it hands them on. On the link's loop only.
 */
final class Checks {
    /** Takes about 0.2 ms. */
    private static final int PART_BYTES = 512 * 1024;

    private final Link link;
    private final Next next;
    /** By number, in the order in which they are checked. */
    private final LinkedHashMap<Integer, Check> line = new LinkedHashMap<>();

    private boolean isScheduled;

    /** What becomes of a checked reply. */
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

    private static final class Check {
        private final int number;
        private final Reply reply;
        private final Runnable release;
        private final ArrayDeque<Held> left = new ArrayDeque<>();
        private final IdentityHashMap<Held, Reply> errors = new IdentityHashMap<>();

        Check(int number, Reply reply, Runnable release) {
            this.number = number;
            this.reply = reply;
            this.release = release;
            collect(reply);
        }

        private void collect(Reply of) {
            if (of instanceof Reply.LargeValue(Held value)) {
                left.add(value);
            } else if (of instanceof Reply.Many(List<Reply> replies)) {
                replies.forEach(this::collect);
            }
        }

        /** Checks a part; returns whether it was the last. */
        boolean goOn() {
            Optional<Reply> result = left.peek().check(PART_BYTES, Held.Seen.NOTHING);
            if (result.isPresent()) {
                Held value = left.remove();
                if (result.get() instanceof Reply.Failed error) {
                    value.release();
                    errors.put(value, error);
                }
            }
            return left.isEmpty();
        }

        void end() {
            Held.releaseIn(reply);
            release.run();
        }

        Reply withErrors(Reply of) {
            if (of instanceof Reply.LargeValue(Held value)) {
                return errors.getOrDefault(value, of);
            }
            return of instanceof Reply.Many(List<Reply> replies) && Held.isIn(of)
                    ? new Reply.Many(replies.stream().map(this::withErrors).toList())
                    : of;
        }
    }

    /**
     * Adds the reply to the request of this number, which has held values.
     *
     * @param release gives back what is charged for the rest of the reply; is run here if the reply is not handed on
     */
    void add(int number, Reply reply, Runnable release) {
        line.put(number, new Check(number, reply, release));
        schedule();
    }

    private void schedule() {
        if (!isScheduled && !line.isEmpty()) {
            isScheduled = true;
            link.loop()
                    .defer(() -> link.guard("a reply", () -> {
                        isScheduled = false;
                        goOn();
                        schedule();
                    }));
        }
    }

    private void goOn() {
        if (!line.isEmpty() && line.firstEntry().getValue().goOn()) {
            Check done = line.pollFirstEntry().getValue();
            next.checked(done.number, done.withErrors(done.reply), done.release);
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

    /** How many are here. */
    int size() {
        return line.size();
    }

    /** The numbers of those that are here. */
    List<Integer> waiting() {
        return List.copyOf(line.keySet());
    }

    /** The link is closed. */
    void close() {
        line.values().forEach(Check::end);
        line.clear();
    }
}
