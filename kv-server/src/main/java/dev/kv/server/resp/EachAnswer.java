package dev.kv.server.resp;

import dev.kv.router.Bytes;
import dev.kv.router.Held;
import dev.kv.router.LongReply;
import dev.kv.router.Reply;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * The reply to a {@link Question.Each}, made of the replies to its commands: the first failure and how many were none, or what a subclass
 * makes of them. One thread at a time.
 */
abstract sealed class EachAnswer {
    private static final Reply.Failed TOO_LARGE =
            new Reply.Failed(Reply.Word.ERR, "reply too large (kv.router.reply-max), ask for fewer keys at once");

    private int added;
    private int failed;
    private Optional<Reply.Failed> first = Optional.empty();
    private int firstNumber;
    private Optional<Reply.Failed> stopped = Optional.empty();

    /** Counts the replies that pass a test. */
    static final class Count extends EachAnswer {
        private final Predicate<Reply> counts;
        private long counted;

        Count(Predicate<Reply> counts) {
            this.counts = counts;
        }

        @Override
        void take(int number, Reply reply) {
            counted += counts.test(reply) ? 1 : 0;
        }

        @Override
        Reply whole() {
            return new Reply.Amount(counted);
        }

        @Override
        long bytes() {
            return 0;
        }

        @Override
        void drop() {}
    }

    /** Keeps values, in the order of the commands; what is no value is absent. */
    static final class Values extends EachAnswer {
        private static final long PLACE_BYTES = LongReply.bytes(Reply.ABSENT);

        private final Reply[] replies;
        private final long maxBytes;
        private long valueBytes;
        private long bytes;

        /**
         * @param count the number of commands
         * @param maxBytes the bound of the reply
         */
        Values(int count, long maxBytes) {
            this.replies = new Reply[count];
            this.maxBytes = maxBytes;
            Arrays.fill(replies, Reply.ABSENT);
        }

        @Override
        boolean isFailure(Reply.Failed failure) {
            return failure.reason() != Reply.Reason.WRONG_TYPE;
        }

        @Override
        void take(int number, Reply reply) {
            switch (reply) {
                case Reply.Value(Bytes value) -> keep(number, reply, value.size());
                case Reply.LargeValue(Held value) -> keep(number, value);
                default -> {}
            }
        }

        private void keep(int number, Held value) {
            Optional<Bytes> received = value.inMemory();
            keep(number, received.<Reply>map(Reply.Value::new).orElse(new Reply.LargeValue(value)), value.size());
            if (received.isPresent()) {
                value.release();
            }
        }

        private void keep(int number, Reply reply, int size) {
            valueBytes += size;
            // A value in a file is charged as if it were in memory: it keeps the file on the disk meanwhile.
            bytes += PLACE_BYTES + size;
            replies[number] = reply;
            if (valueBytes > maxBytes) {
                stop(TOO_LARGE);
            }
        }

        @Override
        Reply whole() {
            return new Reply.Many(List.of(replies));
        }

        @Override
        long bytes() {
            return bytes;
        }

        @Override
        void drop() {
            for (Reply reply : replies) {
                Held.releaseIn(reply);
            }
            Arrays.fill(replies, Reply.ABSENT);
            bytes = 0;
        }
    }

    /** Adds the reply to the command of this number, in any order. */
    final void add(int number, Reply reply) {
        added++;
        if (reply instanceof Reply.Failed failure && isFailure(failure)) {
            failed++;
            if (failure.reason() == Reply.Reason.CONTENT_TOO_LARGE) {
                stop(TOO_LARGE);
            }
            if (first.isEmpty() || number < firstNumber) {
                first = Optional.of(failure);
                firstNumber = number;
            }
        } else if (stopped.isPresent()) {
            Held.releaseIn(reply);
        } else {
            take(number, reply);
        }
    }

    /** Whether it makes the whole a failure. */
    boolean isFailure(Reply.Failed failure) {
        return true;
    }

    /** Takes a reply that is no failure, and owns what is held for it. */
    abstract void take(int number, Reply reply);

    /** The reply if none was a failure. */
    abstract Reply whole();

    /** The memory that the replies take. */
    abstract long bytes();

    /** Lets go of the replies. */
    abstract void drop();

    /** No more commands have to run: this is the reply. */
    final void stop(Reply.Failed why) {
        stopped = Optional.of(why);
        drop();
    }

    final boolean isStopped() {
        return stopped.isPresent();
    }

    /** The reply when all replies were added; what is held for it passes to the caller. */
    final Reply reply() {
        if (stopped.isPresent()) {
            return stopped.get();
        }
        if (first.isEmpty()) {
            return whole();
        }
        drop();
        return added == 1
                ? first.get()
                : new Reply.Failed(
                        first.get().word(),
                        "%s (%d of %d done)".formatted(RespError.text(first.get()), added - failed, added));
    }
}
