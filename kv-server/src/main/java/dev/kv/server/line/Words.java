package dev.kv.server.line;

import dev.kv.router.Bytes;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/** The positions of the words of one line. One instance is used for all lines of a client. */
public final class Words {
    /** More than any command has, and as many as an error of RESP shows: further words do not matter. */
    private static final int COUNTED_MAX = 33;

    private final int[] starts = new int[COUNTED_MAX];
    private final int[] ends = new int[COUNTED_MAX];
    private byte[] array = new byte[0];
    private int count;

    /** Finds the words of the line from {@code start} to {@code end}. They are valid until the array is changed. */
    public void split(byte[] array, int start, int end) {
        this.array = array;
        count = 0;
        for (int at = start; at < end && count < COUNTED_MAX; at++) {
            if (isBlank(array[at])) {
                continue;
            }
            starts[count] = at;
            while (at < end && !isBlank(array[at])) {
                at++;
            }
            ends[count++] = at;
        }
    }

    /** Space, HT, VT, FF and CR; a line has no LF. */
    private static boolean isBlank(byte b) {
        return b == ' ' || (b >= '\t' && b <= '\r');
    }

    /** The number of words, counted up to {@link #COUNTED_MAX}. */
    public int count() {
        return count;
    }

    boolean is(int index, Bytes word) {
        return Arrays.equals(array, starts[index], ends[index], word.array(), 0, word.size());
    }

    /** Copies of the words from one on. */
    public List<Bytes> from(int index) {
        return IntStream.range(index, count).mapToObj(this::at).toList();
    }

    /** A copy of the word. */
    public Bytes at(int index) {
        return Bytes.owning(Arrays.copyOfRange(array, starts[index], ends[index]));
    }
}
