package dev.kv.router;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * A part of all names that buckets can have.
 *
 * @param spans what it consists of, in the order of the names; none touches another; not empty
 */
public record NameSpace(List<Span> spans) {
    /** All names. */
    public static final NameSpace ALL = new NameSpace(List.of(new Span(Bytes.EMPTY, Optional.empty())));

    /**
     * The names from one on, in the order of {@link Bytes}.
     *
     * @param from the first of them
     * @param before the first that is not among them; empty if all that follow are
     */
    public record Span(Bytes from, Optional<Bytes> before) {
        public Span {
            if (before.isPresent() && from.compareTo(before.get()) >= 0) {
                throw new IllegalArgumentException("no names from " + from + " to " + before.get());
            }
        }

        boolean contains(Bytes name) {
            return from.compareTo(name) <= 0 && (before.isEmpty() || name.compareTo(before.get()) < 0);
        }
    }

    public NameSpace {
        spans = List.copyOf(spans);
        if (spans.isEmpty()) {
            throw new IllegalArgumentException("no names");
        }
        for (int i = 1; i < spans.size(); i++) {
            Optional<Bytes> end = spans.get(i - 1).before();
            if (end.isEmpty() || end.get().compareTo(spans.get(i).from()) > 0) {
                throw new IllegalArgumentException("names out of order");
            }
        }
    }

    /** The first name. */
    public Bytes first() {
        return spans.getFirst().from();
    }

    public boolean contains(Bytes name) {
        int low = 0;
        int high = spans.size();
        while (high - low > 1) {
            int middle = (low + high) >>> 1;
            if (spans.get(middle).from().compareTo(name) <= 0) {
                low = middle;
            } else {
                high = middle;
            }
        }
        return spans.get(low).contains(name);
    }

    /** The bytes of the names that it is told by. */
    public int size() {
        int size = 0;
        for (Span span : spans) {
            size += span.from().size() + span.before().map(Bytes::size).orElse(0);
        }
        return size;
    }

    /** The same names in spans none of which goes beyond one of these names, which are in order. */
    public List<Span> cutAt(List<Bytes> borders) {
        List<Span> pieces = new ArrayList<>();
        int next = 0;
        for (Span span : spans) {
            Bytes from = span.from();
            while (next < borders.size() && borders.get(next).compareTo(from) <= 0) {
                next++;
            }
            while (next < borders.size() && span.contains(borders.get(next))) {
                Bytes border = borders.get(next++);
                pieces.add(new Span(from, Optional.of(border)));
                from = border;
            }
            pieces.add(new Span(from, span.before()));
        }
        return pieces;
    }

    /** The names of these spans, which are in order. */
    public static NameSpace of(List<Span> spans) {
        List<Span> joined = new ArrayList<>();
        for (Span span : spans) {
            if (!joined.isEmpty() && joined.getLast().before().equals(Optional.of(span.from()))) {
                joined.add(new Span(joined.removeLast().from(), span.before()));
            } else {
                joined.add(span);
            }
        }
        return new NameSpace(joined);
    }

    /** The names that begin with a prefix end before this one; empty if they end with all names. */
    public static Optional<Bytes> after(Bytes prefix) {
        int last = prefix.size() - 1;
        while (last >= 0 && prefix.at(last) == 0xFF) {
            last--;
        }
        if (last < 0) {
            return Optional.empty();
        }
        byte[] next = Arrays.copyOf(prefix.array(), last + 1);
        next[last]++;
        return Optional.of(Bytes.owning(next));
    }
}
