package dev.kv.router;

/**
 * Patterns for names and keys, as Redis has them: {@code *}, {@code ?}, {@code [abc]}, {@code [a-c]}, {@code [^a]}, and
 * {@code \} before a character that stands for itself. Takes time by the product of both lengths at most.
 */
public final class Glob {
    private static final Bytes ANYTHING = Bytes.of("*");

    private final byte[] pattern;
    private final boolean anything;

    public Glob(Bytes pattern) {
        this.pattern = pattern.array();
        this.anything = pattern.equals(ANYTHING);
    }

    /** Whether the whole of the name fits. */
    public boolean matches(Bytes name) {
        return anything || matches(name.array());
    }

    private boolean matches(byte[] name) {
        int p = 0;
        int n = 0;
        // Where to go on if what follows the last * does not fit here: the * takes one byte more.
        int star = -1;
        int taken = 0;
        while (n < name.length) {
            if (p < pattern.length && pattern[p] == '*') {
                star = p++;
                taken = n;
            } else if (p < pattern.length && matchesOne(p, name[n])) {
                p = after(p);
                n++;
            } else if (star >= 0) {
                p = star + 1;
                n = ++taken;
            } else {
                return false;
            }
        }
        while (p < pattern.length && pattern[p] == '*') {
            p++;
        }
        return p == pattern.length;
    }

    /** Whether the element of the pattern that begins at {@code p} matches the byte. */
    private boolean matchesOne(int p, byte b) {
        return switch (pattern[p]) {
            case '?' -> true;
            case '[' -> matchesClass(p + 1, b);
            case '\\' -> pattern[p + 1 < pattern.length ? p + 1 : p] == b;
            default -> pattern[p] == b;
        };
    }

    private boolean matchesClass(int first, byte b) {
        int p = first;
        boolean not = p < pattern.length && pattern[p] == '^';
        if (not) {
            p++;
        }
        boolean found = false;
        while (p < pattern.length && pattern[p] != ']') {
            if (pattern[p] == '\\' && p + 1 < pattern.length) {
                found |= pattern[p + 1] == b;
                p += 2;
            } else if (p + 2 < pattern.length && pattern[p + 1] == '-') {
                int low = Math.min(pattern[p] & 0xFF, pattern[p + 2] & 0xFF);
                int high = Math.max(pattern[p] & 0xFF, pattern[p + 2] & 0xFF);
                found |= (b & 0xFF) >= low && (b & 0xFF) <= high;
                p += 3;
            } else {
                found |= pattern[p] == b;
                p++;
            }
        }
        return found != not;
    }

    /** Where the element after the one at {@code p} begins. */
    private int after(int p) {
        if (pattern[p] == '\\' && p + 1 < pattern.length) {
            return p + 2;
        }
        if (pattern[p] != '[') {
            return p + 1;
        }
        int end = p + 1;
        while (end < pattern.length && pattern[end] != ']') {
            end += pattern[end] == '\\' ? 2 : end + 2 < pattern.length && pattern[end + 1] == '-' ? 3 : 1;
        }
        return Math.min(end + 1, pattern.length);
    }
}
