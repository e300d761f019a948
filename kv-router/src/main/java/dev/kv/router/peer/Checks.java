package dev.kv.router.peer;

import dev.kv.router.Held;
import dev.kv.router.Reply;
import dev.kv.router.net.Loop;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.function.ObjIntConsumer;

/**
 * The replies of one link whose held values are being checked against their checksums: one reply after another, a part in each iteration
 * of the loop. It owns the replies until it hands them on. On the link's loop only.
 */
final class Checks {
    /** Takes about 0.2 ms. */
    private static final int PART_BYTES = 512 * 1024;

    private final Loop loop;
    private final ObjIntConsumer<Reply> checked;
    private final ArrayDeque<Check> line = new ArrayDeque<>();
    private boolean isScheduled;

    /**
     * @param checked is given each checked reply and the number of its request; an error replaces each value that cannot be read
     */
    Checks(Loop loop, ObjIntConsumer<Reply> checked) {
        this.loop = loop;
        this.checked = checked;
    }

    private static final class Check {
        private final int number;
        private final Reply reply;
        private final ArrayDeque<Held> left = new ArrayDeque<>();
        private final IdentityHashMap<Held, Reply> errors = new IdentityHashMap<>();

        Check(int number, Reply reply) {
            this.number = number;
            this.reply = reply;
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

        Reply withErrors(Reply of) {
            if (of instanceof Reply.LargeValue(Held value)) {
                return errors.getOrDefault(value, of);
            }
            return of instanceof Reply.Many(List<Reply> replies) && Held.isIn(of)
                    ? new Reply.Many(replies.stream().map(this::withErrors).toList())
                    : of;
        }
    }

    /** Adds the reply to the request of this number, which has held values. */
    void add(int number, Reply reply) {
        line.add(new Check(number, reply));
        schedule();
    }

    private void schedule() {
        if (!isScheduled && !line.isEmpty()) {
            isScheduled = true;
            loop.defer(() -> {
                isScheduled = false;
                goOn();
                schedule();
            });
        }
    }

    private void goOn() {
        if (!line.isEmpty() && line.peek().goOn()) {
            Check done = line.remove();
            checked.accept(done.withErrors(done.reply), done.number);
        }
    }

    /** Releases the reply of this number; returns whether there was one. */
    boolean forget(int number) {
        for (Iterator<Check> checks = line.iterator(); checks.hasNext(); ) {
            Check check = checks.next();
            if (check.number == number) {
                checks.remove();
                Held.releaseIn(check.reply);
                return true;
            }
        }
        return false;
    }

    /** The numbers of those that are here. */
    List<Integer> waiting() {
        List<Integer> numbers = new ArrayList<>();
        line.forEach(check -> numbers.add(check.number));
        return numbers;
    }

    /** The link is closed. */
    void close() {
        line.forEach(check -> Held.releaseIn(check.reply));
        line.clear();
    }
}
