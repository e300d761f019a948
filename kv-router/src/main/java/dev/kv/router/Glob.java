package dev.kv.router;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;

/**
 * Patterns for names and keys, as Redis has them: {@code *}, {@code ?}, {@code [abc]}, {@code [a-c]}, {@code [^a]}, and
 * {@code \} before a character that stands for itself.
 *
 * <p>A pattern is compiled to an automaton whose states are bits (Baeza-Yates and Gonnet, "A new approach to text searching"): state
 * n is that the first n elements have matched, a class is one element, and a {@code *} keeps its state. Each byte of a name moves all
 * states at once, 64 in one step. So a match takes {@link #steps} at most, whatever the pattern is.
 */
public final class Glob {
    private static final Bytes ANYTHING = Bytes.of("*");
    private static final int BYTE_VALUES = 256;

    private final boolean anything;

    /** The number of longs that hold the states, a bit each: the beginning, and one for each element. */
    private final int words;

    /** The states from which a byte leads to the next one: row by row for each value of the byte. */
    private final long[] accepting;

    /** The states that a {@code *} keeps. */
    private final long[] kept;

    /** The state in which all elements have matched. */
    private final int end;

    /** What compiling wrote. */
    private long writtenBytes;

    public Glob(Bytes pattern) {
        Parser parser = new Parser(pattern.array());
        anything = pattern.equals(ANYTHING);
        end = parser.elements.size();
        words = end / Long.SIZE + 1;
        accepting = new long[anything ? 0 : BYTE_VALUES * words];
        kept = Arrays.copyOf(parser.kept.toLongArray(), words);
        writtenBytes = (long) Long.BYTES * accepting.length;
        for (int state = 0; state < end; state++) {
            int word = state / Long.SIZE;
            long bit = bit(state);
            parser.elements.get(state).stream().forEach(value -> {
                accepting[value * words + word] |= bit;
                writtenBytes += Long.BYTES;
            });
        }
    }

    /** The bytes that were written to compile the pattern: what it cost. */
    public long writtenBytes() {
        return writtenBytes;
    }

    /** The largest number of steps, of about a nanosecond each, in which a name of this size is matched. */
    public long steps(int nameBytes) {
        return anything ? 0 : (long) nameBytes * words;
    }

    /** Whether the whole of the name fits. */
    public boolean matches(Bytes name) {
        return anything || matches(name.array());
    }

    private boolean matches(byte[] name) {
        long[] states = new long[words];
        states[0] = 1;
        for (byte b : name) {
            int row = (b & 0xFF) * words;
            long carry = 0;
            long all = 0;
            for (int i = 0; i < words; i++) {
                long moved = states[i] & accepting[row + i];
                states[i] = (states[i] & kept[i]) | (moved << 1) | carry;
                carry = moved >>> (Long.SIZE - 1);
                all |= states[i];
            }
            if (all == 0) {
                return false;
            }
        }
        return (states[end / Long.SIZE] & bit(end)) != 0;
    }

    /** Splits a pattern into its elements. */
    private static final class Parser {
        private final byte[] pattern;
        private int at;

        /** The values of a byte that each element matches. */
        private final List<BitSet> elements = new ArrayList<>();

        /** The number of elements before each {@code *}. */
        private final BitSet kept = new BitSet();

        Parser(byte[] pattern) {
            this.pattern = pattern;
            while (at < pattern.length) {
                byte b = pattern[at++];
                switch (b) {
                    case '*' -> kept.set(elements.size());
                    case '?' -> elements.add(any());
                    case '[' -> elements.add(aClass());
                    case '\\' -> elements.add(one(at < pattern.length ? pattern[at++] : b));
                    default -> elements.add(one(b));
                }
            }
        }

        private static BitSet any() {
            BitSet any = new BitSet(BYTE_VALUES);
            any.set(0, BYTE_VALUES);
            return any;
        }

        private static BitSet one(byte b) {
            BitSet one = new BitSet(BYTE_VALUES);
            one.set(b & 0xFF);
            return one;
        }

        /** The class behind its opening bracket. One that is not closed ends with the pattern. */
        private BitSet aClass() {
            boolean isNegated = at < pattern.length && pattern[at] == '^';
            at += isNegated ? 1 : 0;
            BitSet members = new BitSet(BYTE_VALUES);
            while (at < pattern.length && pattern[at] != ']') {
                if (pattern[at] == '\\' && at + 1 < pattern.length) {
                    members.set(pattern[at + 1] & 0xFF);
                    at += 2;
                } else if (at + 2 < pattern.length && pattern[at + 1] == '-') {
                    int from = pattern[at] & 0xFF;
                    int to = pattern[at + 2] & 0xFF;
                    members.set(Math.min(from, to), Math.max(from, to) + 1);
                    at += 3;
                } else {
                    members.set(pattern[at++] & 0xFF);
                }
            }
            at++;
            if (isNegated) {
                members.flip(0, BYTE_VALUES);
            }
            return members;
        }
    }

    /** The place of a state in its word. */
    private static long bit(int state) {
        return 1L << state;
    }
}
