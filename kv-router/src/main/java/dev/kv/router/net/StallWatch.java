package dev.kv.router.net;

import java.time.Duration;
import java.util.Optional;

/** Looks whether the other side of a connection takes its output, while much of it is unsent. On the loop's thread only. */
final class StallWatch {
    /** Less unsent output than this takes too little memory for others to wait for it. */
    private static final int WATCHED_MIN_BYTES = 64 * 1024;

    /** The looks in the longest time without progress: a stalled connection is found at most a quarter of the time later. */
    private static final int LOOKS = 4;

    private final Loop loop;
    private final Output output;
    private final Runnable whenStalled;
    private Duration max = Duration.ZERO;
    private Optional<Loop.Timer> next = Optional.empty();
    private boolean isEnded;

    /**
     * @param whenStalled is run when nothing is taken for the time of {@link #after} while others wait for the memory of the output
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

    /** Output was written; some may be left. */
    void written() {
        if (output.unsentBytes() >= WATCHED_MIN_BYTES && next.isEmpty() && !max.isZero()) {
            look(output.takenBytes(), 0);
        }
    }

    /**
     * @param takenBefore what the kernel had taken at the last look
     * @param inVain how many looks have found no progress since it took something
     */
    private void look(long takenBefore, int inVain) {
        next = Optional.of(loop.after(max.dividedBy(LOOKS), () -> {
            next = Optional.empty();
            if (isEnded || output.unsentBytes() < WATCHED_MIN_BYTES) {
                return;
            }
            int looks = output.takenBytes() == takenBefore ? inVain + 1 : 0;
            if (looks >= LOOKS && output.isWaitedFor()) {
                whenStalled.run();
            } else {
                look(output.takenBytes(), looks);
            }
        }));
    }

    /** The connection is closed. */
    void end() {
        isEnded = true;
        next.ifPresent(Loop.Timer::cancel);
    }
}
