package dev.kv.server.resp;

import dev.kv.router.Bytes;
import dev.kv.router.Glob;
import java.util.Locale;

/** Names of commands and options as RESP compares them: ASCII letters in either case. */
final class Keyword {
    private Keyword() {}

    /**
     * Whether the word is the keyword.
     *
     * @param keyword in lower case
     */
    static boolean is(Bytes word, String keyword) {
        return is(word.array(), 0, word.size(), keyword);
    }

    /** The pattern in lower case, to be matched with names in lower case. */
    static Glob pattern(Bytes pattern) {
        return new Glob(Bytes.of(pattern.text().toLowerCase(Locale.ROOT)));
    }

    /** The same for the word from {@code start} to {@code end} of the array. */
    static boolean is(byte[] array, int start, int end, String keyword) {
        if (end - start != keyword.length()) {
            return false;
        }
        for (int i = 0; i < keyword.length(); i++) {
            int b = array[start + i];
            if (keyword.charAt(i) != (b >= 'A' && b <= 'Z' ? b | 0x20 : b)) {
                return false;
            }
        }
        return true;
    }
}
