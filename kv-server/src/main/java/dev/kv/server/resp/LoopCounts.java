package dev.kv.server.resp;

import java.util.Arrays;

/**
 * The requests that the clients of one I/O loop have made, by command. They are written on the loop alone, so that counting costs no
 * more than an addition; any thread may read, and may see older numbers.
 *
 * <p>One request of {@link #TIMED_EVERY} of a command is timed, the first one among them: reading the clock twice takes some 50 ns, a
 * tenth of a short request.
 */
public final class LoopCounts {
    /** A prime number, so that requests that come in groups of some size are timed at each of their places. */
    static final int TIMED_EVERY = 17;

    /** What {@link #begin} returns for a request that is not timed. */
    public static final long NOT_TIMED = Long.MIN_VALUE;

    private final long[] calls = new long[RespCommand.count()];
    private final long[] timedNext = new long[RespCommand.count()];
    private final Times[] times = new Times[RespCommand.count()];

    /**
     * A request of the command begins.
     *
     * @return the time for {@link #end}, or {@link #NOT_TIMED}
     */
    public long begin(RespCommand command) {
        int row = command.number();
        long before = calls[row]++;
        if (before < timedNext[row]) {
            return NOT_TIMED;
        }
        timedNext[row] = before + TIMED_EVERY;
        return System.nanoTime();
    }

    /** A request of the command runs as a part of another one. */
    void call(RespCommand command) {
        calls[command.number()]++;
    }

    /** A timed request is answered. */
    public void end(RespCommand command, long began) {
        int row = command.number();
        if (times[row] == null) {
            times[row] = new Times();
        }
        times[row].add(System.nanoTime() - began);
    }

    /** Adds these counts to a sum. */
    void addTo(Sum sum) {
        for (int row = 0; row < calls.length; row++) {
            sum.calls[row] += calls[row];
            if (times[row] != null) {
                sum.times(row).add(times[row]);
            }
        }
    }

    /** The counts of all loops, or those since an earlier sum. Not shared between threads. */
    static final class Sum {
        private static final Times NONE = new Times();

        private final long[] calls = new long[RespCommand.count()];
        private final Times[] times = new Times[RespCommand.count()];

        private Times times(int row) {
            if (times[row] == null) {
                times[row] = new Times();
            }
            return times[row];
        }

        /** What was counted since the earlier sum. */
        Sum since(Sum earlier) {
            Sum since = new Sum();
            for (int row = 0; row < calls.length; row++) {
                since.calls[row] = calls[row] - earlier.calls[row];
                if (times[row] != null) {
                    since.times(row).add(times[row]);
                    if (earlier.times[row] != null) {
                        since.times(row).subtract(earlier.times[row]);
                    }
                }
            }
            return since;
        }

        long calls(RespCommand command) {
            return calls[command.number()];
        }

        /** The times of the requests that were timed. */
        Times times(RespCommand command) {
            Times known = times[command.number()];
            return known == null ? NONE : known;
        }
    }

    /** How long requests took: a histogram whose classes are an eighth of their values wide. */
    static final class Times {
        private static final int PARTS_BITS = 3;
        private static final int PARTS = 1 << PARTS_BITS;
        private static final int CLASSES = (Long.SIZE - PARTS_BITS) * PARTS;

        private final long[] classes = new long[CLASSES];
        private long nanos;
        private long count;

        void add(long taken) {
            classes[classOf(taken)]++;
            nanos += taken;
            count++;
        }

        private static int classOf(long taken) {
            long value = Math.max(0, taken);
            if (value < PARTS) {
                return (int) value;
            }
            int shift = Long.SIZE - 1 - PARTS_BITS - Long.numberOfLeadingZeros(value);
            return (shift << PARTS_BITS) + (int) (value >>> shift);
        }

        /** The largest value of a class. */
        private static long lastOf(int number) {
            if (number < PARTS) {
                return number;
            }
            int shift = (number >> PARTS_BITS) - 1;
            return (((long) (number - (shift << PARTS_BITS)) + 1) << shift) - 1;
        }

        void add(Times other) {
            add(other, 1);
        }

        void subtract(Times other) {
            add(other, -1);
        }

        private void add(Times other, int sign) {
            Arrays.setAll(classes, i -> classes[i] + sign * other.classes[i]);
            nanos += sign * other.nanos;
            count += sign * other.count;
        }

        long count() {
            return count;
        }

        /** The mean in nanoseconds; 0 if nothing was timed. */
        double meanNanos() {
            return count <= 0 ? 0 : (double) nanos / count;
        }

        /** The time that so many of a hundred requests did not exceed, in nanoseconds. */
        long percentileNanos(double percent) {
            long below = (long) Math.ceil(count * percent / 100);
            long seen = 0;
            for (int i = 0; i < CLASSES; i++) {
                seen += classes[i];
                if (seen >= below && seen > 0) {
                    return lastOf(i);
                }
            }
            return 0;
        }
    }
}
