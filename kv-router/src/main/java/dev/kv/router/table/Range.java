package dev.kv.router.table;

import dev.kv.router.Bytes;
import dev.kv.router.NameSpace;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The buckets that an entry matches. {@code toString} is the canonical form. */
public sealed interface Range {
    boolean matches(Bytes bucket);

    /**
     * Prefixes that represent the range: an entry that matches one of them matches all names of the range with that prefix, and
     * entries that match none of them leave a part of the range unmatched.
     */
    List<Bytes> shortestNames();

    /** The names that the range matches, which lie together. */
    NameSpace.Span names();

    /** The name of this one byte. */
    static Bytes oneByte(int b) {
        return Bytes.owning(new byte[] {(byte) b});
    }

    /** Whether the character needs no escape anywhere in a range. */
    static boolean isAlphanumeric(int c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    }

    private static String escaped(int b) {
        return "%%%02X".formatted(b);
    }

    /** Every bucket, also the one without a name. */
    record All() implements Range {
        @Override
        public boolean matches(Bytes bucket) {
            return true;
        }

        @Override
        public NameSpace.Span names() {
            return new NameSpace.Span(Bytes.EMPTY, Optional.empty());
        }

        @Override
        public List<Bytes> shortestNames() {
            List<Bytes> names = new ArrayList<>(new Span(0, 0xFF).shortestNames());
            names.add(Bytes.EMPTY);
            return names;
        }

        @Override
        public String toString() {
            return "*";
        }
    }

    /** The buckets whose first byte is {@code first} to {@code last}, 0 to 255, both included. */
    record Span(int first, int last) implements Range {
        public Span {
            if (first < 0 || first > last || last > 0xFF) {
                throw new IllegalArgumentException("no range of bytes: " + first + " to " + last);
            }
        }

        @Override
        public boolean matches(Bytes bucket) {
            return !bucket.isEmpty() && bucket.at(0) >= first && bucket.at(0) <= last;
        }

        @Override
        public NameSpace.Span names() {
            return new NameSpace.Span(oneByte(first), NameSpace.after(oneByte(last)));
        }

        @Override
        public List<Bytes> shortestNames() {
            List<Bytes> names = new ArrayList<>();
            for (int b = first; b <= last; b++) {
                names.add(oneByte(b));
            }
            return names;
        }

        @Override
        public String toString() {
            return first == last ? bound(first) : bound(first) + ".." + bound(last);
        }

        private static String bound(int b) {
            return isAlphanumeric(b) || b == '_' ? Character.toString(b) : escaped(b);
        }
    }

    /** The buckets whose name begins with {@code prefix}, which is not empty. */
    record Prefix(Bytes prefix) implements Range {
        public Prefix {
            if (prefix.isEmpty()) {
                throw new IllegalArgumentException("an empty prefix");
            }
        }

        @Override
        public boolean matches(Bytes bucket) {
            return bucket.startsWith(prefix);
        }

        @Override
        public NameSpace.Span names() {
            return new NameSpace.Span(prefix, NameSpace.after(prefix));
        }

        @Override
        public List<Bytes> shortestNames() {
            return List.of(prefix);
        }

        @Override
        public String toString() {
            StringBuilder text = new StringBuilder(prefix.size() + 1);
            for (int i = 0; i < prefix.size(); i++) {
                int b = prefix.at(i);
                boolean afterDot = !text.isEmpty() && text.charAt(text.length() - 1) == '.';
                if (isAlphanumeric(b) || b == '_' || (b == '-' && i > 0) || (b == '.' && !afterDot)) {
                    text.append((char) b);
                } else {
                    text.append(escaped(b));
                }
            }
            return text.append('*').toString();
        }
    }
}
