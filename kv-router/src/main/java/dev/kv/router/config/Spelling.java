package dev.kv.router.config;

import java.util.Collection;
import java.util.Comparator;
import java.util.Optional;

/** Finds the word that was probably meant by one that does not exist. */
public final class Spelling {
    private Spelling() {}

    /** The nearest of the known words; empty if it has more typing errors than one, and one more for each 8 characters. */
    public static Optional<String> nearest(String word, Collection<String> known) {
        int typingErrorsMax = 1 + word.length() / 8;
        return known.stream()
                .filter(other -> Math.abs(other.length() - word.length()) <= typingErrorsMax)
                .min(Comparator.comparingInt(other -> distance(word, other)))
                .filter(other -> distance(word, other) <= typingErrorsMax);
    }

    /** How many characters to insert, remove, replace or swap with the next to turn one text into the other. */
    private static int distance(String from, String to) {
        int[][] rows = new int[from.length() + 1][to.length() + 1];
        for (int i = 0; i <= from.length(); i++) {
            for (int j = 0; j <= to.length(); j++) {
                if (i == 0 || j == 0) {
                    rows[i][j] = i + j;
                    continue;
                }
                boolean same = from.charAt(i - 1) == to.charAt(j - 1);
                rows[i][j] =
                        Math.min(rows[i - 1][j - 1] + (same ? 0 : 1), 1 + Math.min(rows[i - 1][j], rows[i][j - 1]));
                if (i > 1
                        && j > 1
                        && from.charAt(i - 1) == to.charAt(j - 2)
                        && from.charAt(i - 2) == to.charAt(j - 1)) {
                    rows[i][j] = Math.min(rows[i][j], rows[i - 2][j - 2] + 1);
                }
            }
        }
        return rows[from.length()][to.length()];
    }
}
