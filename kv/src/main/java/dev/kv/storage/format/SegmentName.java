package dev.kv.storage.format;

/**
 * The name of a segment.
 *
 * @param number its place in the log: a segment of a higher number was written later
 * @param rewrite how often compaction has rewritten it
 */
public record SegmentName(long number, int rewrite) implements Comparable<SegmentName> {
    private static final int HEX_DIGITS = 16;

    /** Higher than the number of any segment that was written, so that the numbers after that of any file do not overflow. */
    private static final long NUMBER_MAX = 1L << 56;

    /** Parses the name of a file; null if it is not that of a segment. */
    public static SegmentName of(String file) {
        if (!file.matches("[0-9a-f]{16}-[0-9]{1,9}\\.log")) {
            return null;
        }
        SegmentName name = new SegmentName(
                Long.parseUnsignedLong(file, 0, HEX_DIGITS, 16),
                Integer.parseInt(file.substring(HEX_DIGITS + 1, file.length() - ".log".length())));
        boolean isPossible =
                name.number >= 0 && name.number <= NUMBER_MAX && name.log().equals(file);
        return isPossible ? name : null;
    }

    public String log() {
        return this + ".log";
    }

    public String hint() {
        return this + ".hint";
    }

    @Override
    public int compareTo(SegmentName other) {
        int byNumber = Long.compareUnsigned(number, other.number);
        return byNumber != 0 ? byNumber : Integer.compare(rewrite, other.rewrite);
    }

    @Override
    public String toString() {
        return "%016x-%d".formatted(number, rewrite);
    }
}
