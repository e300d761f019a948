package dev.kv.server.resp;

import dev.kv.router.Reply;
import java.util.Optional;
import java.util.function.Predicate;

/** The answer to a {@link Question.Each}: how many replies count, or the first failure and how many were none. One thread at a time. */
final class EachAnswer {
    private final Predicate<Reply> counts;
    private long counted;
    private int added;
    private int failed;
    private Optional<Reply.Failed> first = Optional.empty();
    private int firstNumber;

    /**
     * @param counts see {@link Question.Each}
     */
    EachAnswer(Predicate<Reply> counts) {
        this.counts = counts;
    }

    /** Adds the reply to the command of this number, in any order. */
    void add(int number, Reply reply) {
        added++;
        if (reply instanceof Reply.Failed failure) {
            failed++;
            if (first.isEmpty() || number < firstNumber) {
                first = Optional.of(failure);
                firstNumber = number;
            }
        } else if (counts.test(reply)) {
            counted++;
        }
    }

    /** Writes the answer when all replies were added. */
    void write(RespWriter out) {
        if (first.isEmpty()) {
            out.number(counted);
        } else if (added == 1) {
            out.error(first.get());
        } else {
            out.error("%s (%d of %d done)".formatted(RespError.line(first.get()), added - failed, added));
        }
    }
}
