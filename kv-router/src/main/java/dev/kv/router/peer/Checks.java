package dev.kv.router.peer;

import dev.kv.router.Held;
import dev.kv.router.Reply;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.Iterator;
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
    private final ArrayDeque<Check> line = new ArrayDeque<>();
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
        line.add(new Check(number, reply, release));
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
        if (!line.isEmpty() && line.peek().goOn()) {
            Check done = line.remove();
            next.checked(done.number, done.withErrors(done.reply), done.release);
        }
    }

    /** Releases the reply of this number; returns whether there was one. */
    boolean forget(int number) {
        for (Iterator<Check> checks = line.iterator(); checks.hasNext(); ) {
            Check check = checks.next();
            if (check.number == number) {
                checks.remove();
                check.end();
                return true;
            }
        }
        return false;
    }

    /** How many are here. */
    int size() {
        return line.size();
    }

    /** The numbers of those that are here. */
    List<Integer> waiting() {
        List<Integer> numbers = new ArrayList<>();
        line.forEach(check -> numbers.add(check.number));
        return numbers;
    }

    /** The link is closed. */
    void close() {
        line.forEach(Check::end);
        line.clear();
    }
}
