package dev.kv.router.net;

import java.time.Duration;
import java.util.Optional;

/** Looks whether the other side of a connection takes its output, while much of it is unsent. On the loop's thread only. */
final class StallWatch {
    /** Less unsent output than this takes too little memory for others to wait for it. */
    private static final int WATCHED_MIN_BYTES = 64 * 1024;

    /** The looks in the longest time without progress: a stalled connection is found at most an eighth of the time later. */
    private static final int LOOKS = 8;

    private final Loop loop;
    private final Output output;
    private final Runnable whenStalled;
    private Duration max = Duration.ZERO;
    private Optional<Loop.Timer> next = Optional.empty();

    /** How many looks there were since much is unsent. */
    private int looks;

    /** What the kernel had taken at the last one. */
    private long takenBefore;

    /** How many looks have found no progress since it took something. */
    private int inVain;

    /** Whether it has taken something since the second look, by which the buffers of the kernel are full. */
    private boolean isRead;

    /** Whether the end of the connection is waited for. */
    private boolean isLast;

    private boolean isEnded;

    /**
     * @param whenStalled is run when nothing is taken for the time of {@link #after} while others wait for the memory of the output, or for
     *     the end of the connection
     */
    StallWatch(Loop loop, Output output, Runnable whenStalled) {
        this.loop = loop;
        this.output = output;
        this.whenStalled = whenStalled;
    }

    /** The longest time without progress; nothing is watched before it is set. */
    void after(Duration time) {
        max = time;
    }

    /** The end of the connection is waited for from now on. */
    void awaitEnd() {
        isLast = true;
        written();
    }

    private boolean isWatched() {
        return output.unsentBytes() >= (isLast ? 1 : WATCHED_MIN_BYTES);
    }

    /** Output was written; some may be left. */
    void written() {
        if (isWatched() && next.isEmpty() && !max.isZero()) {
            looks = 0;
            inVain = 0;
            isRead = false;
            lookLater();
        }
    }

    private void lookLater() {
        takenBefore = output.takenBytes();
        next = Optional.of(loop.after(max.dividedBy(LOOKS), () -> {
            next = Optional.empty();
            if (isEnded || !isWatched()) {
                return;
            }
            if (isStalled(output.takenBytes() > takenBefore, output.waitedForNanos())) {
                whenStalled.run();
            } else {
                lookLater();
                output.pushUnsent();
            }
        }));
    }

    /**
     * When others have waited for the longest time already, a client that has not begun to read is stalled after half of it: else those that
     * never read would take all of it one after the other, each when it has got memory.
     */
    private boolean isStalled(boolean hasTaken, long waitedForNanos) {
        looks++;
        inVain = hasTaken ? 0 : inVain + 1;
        isRead |= hasTaken && looks > 2;
        boolean isNeverRead = !isRead && inVain >= LOOKS / 2 && waitedForNanos >= max.toNanos();
        return isNeverRead || (inVain >= LOOKS && (isLast || waitedForNanos >= 0));
    }

    /** The connection is closed. */
    void end() {
        isEnded = true;
        next.ifPresent(Loop.Timer::cancel);
    }
}
