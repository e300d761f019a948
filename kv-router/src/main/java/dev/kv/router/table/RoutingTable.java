package dev.kv.router.table;

import static java.util.stream.Collectors.joining;
import static java.util.stream.Collectors.toCollection;

import dev.kv.router.Bytes;
import dev.kv.router.NameSpace;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.Set;
import java.util.function.IntPredicate;
import java.util.regex.Pattern;

/** Which node keeps which buckets: entries of a range and a node, the first that matches wins. Immutable. */
public final class RoutingTable {
    /** The table without entries. */
    public static final RoutingTable EMPTY = new RoutingTable(List.of());

    /** The position of no entry. */
    public static final int NONE = -1;

    private static final int PRINTABLE_MAX = 1024;
    private static final int WARNED_ENTRIES_MAX = 16;
    private static final int WARNED_RUNS_MAX = 8;
    private static final int FIRST_BYTES = 256;

    private final List<Entry> entries;

    /** The entries, ready to be returned without allocation. */
    private final List<Optional<Entry>> answers;

    private final List<String> warnings;
    private final String canonical;

    /**
     * The first names of spans, in order, and the position of the first entry that matches all names of each. A span ends with the
     * last name that begins with its first byte.
     */
    private final List<Bytes> froms;

    private final int[] positions;

    /** For the bucket without a name and behind it for each first byte, which span its names begin with. */
    private final int[] starts = new int[FIRST_BYTES + 2];

    /** The first names of those spans that have another entry than the one before them. */
    private final List<Bytes> borders;

    /** The table of the text, or a {@link Malformed} that says where it is wrong. An empty text is an empty table. */
    public static RoutingTable parse(String text) throws Malformed {
        return new RoutingTable(new RoutingTableParser(text).entries());
    }

    private RoutingTable(List<Entry> entries) {
        this.entries = List.copyOf(entries);
        answers = entries.stream().map(Optional::of).toList();
        canonical = entries.stream().map(Entry::toString).collect(joining(","));
        Claims claims = new Claims();
        List<String> odd = new ArrayList<>();
        int unreachable = 0;
        for (int position = 0; position < entries.size(); position++) {
            Range range = entries.get(position).range();
            if (!claims.add(range, position) && ++unreachable <= WARNED_ENTRIES_MAX) {
                odd.add(neverMatches(entries.get(position), claims.takers(range)));
            }
        }
        if (unreachable > WARNED_ENTRIES_MAX) {
            odd.add((unreachable - WARNED_ENTRIES_MAX) + " more entries can never match");
        }
        NavigableMap<Bytes, Integer> spans = claims.spans();
        borders = borders(spans);
        for (int b = 0; b < FIRST_BYTES; b++) {
            Bytes name = Range.oneByte(b);
            spans.putIfAbsent(name, spans.floorEntry(name).getValue());
        }
        froms = List.copyOf(spans.keySet());
        positions = spans.values().stream().mapToInt(Integer::intValue).toArray();
        int span = 0;
        for (int slot = 0; slot < starts.length; slot++) {
            while (span < froms.size() && slot(froms.get(span)) < slot) {
                span++;
            }
            starts[slot] = span;
        }
        if (!entries.isEmpty()) {
            odd.addAll(gaps());
        }
        warnings = List.copyOf(odd);
    }

    private static List<Bytes> borders(NavigableMap<Bytes, Integer> spans) {
        List<Bytes> borders = new ArrayList<>();
        int before = NONE;
        for (Map.Entry<Bytes, Integer> span : spans.entrySet()) {
            if (span.getValue() != before) {
                borders.add(span.getKey());
            }
            before = span.getValue();
        }
        return List.copyOf(borders);
    }

    private String neverMatches(Entry entry, Set<Integer> takers) {
        Entry first = entries.get(takers.iterator().next());
        String why = takers.size() == 1
                ? "the entry at line %d, column %d takes all its buckets".formatted(first.line, first.column)
                : "earlier entries take all its buckets";
        return "line %d, column %d: %s can never match: %s"
                .formatted(entry.line, entry.column, cut(entry.toString(), 256), why);
    }

    private List<String> gaps() {
        List<String> gaps = new ArrayList<>();
        String uncovered = runs(b -> !isCovered(b));
        if (!uncovered.isEmpty()) {
            gaps.add("no entry for first bytes " + uncovered);
        }
        // A name of one byte is matched only by an entry that matches the whole byte.
        String partly = runs(b -> isCovered(b) && find(Range.oneByte(b)).isEmpty());
        if (!partly.isEmpty()) {
            gaps.add("only names with a prefix of the table have an entry for first bytes " + partly);
        }
        return gaps;
    }

    /** Whether any name with this prefix has an entry. */
    private boolean isCovered(int b) {
        return Arrays.stream(positions, starts[1 + b], starts[2 + b]).anyMatch(position -> position != NONE);
    }

    /** The bytes as ranges in the syntax of the table, those that most names begin with first. */
    private static String runs(IntPredicate chosen) {
        List<String> runs = new ArrayList<>();
        addRuns(runs, 'A', 'Z', chosen);
        addRuns(runs, 'a', 'z', chosen);
        addRuns(runs, '0', '9', chosen);
        addRuns(runs, 0, 0xFF, chosen.and(b -> !Range.isAlphanumeric(b)));
        String shown = runs.stream().limit(WARNED_RUNS_MAX).collect(joining(" "));
        return runs.size() > WARNED_RUNS_MAX ? shown + " ..." : shown;
    }

    private static void addRuns(List<String> runs, int first, int last, IntPredicate chosen) {
        for (int b = first; b <= last; b++) {
            if (chosen.test(b)) {
                int start = b;
                while (b < last && chosen.test(b + 1)) {
                    b++;
                }
                runs.add(new Range.Span(start, b).toString());
            }
        }
    }

    /** The first entry that matches the bucket's name. Allocates nothing. */
    public Optional<Entry> find(Bytes bucket) {
        int position = position(bucket);
        return position == NONE ? Optional.empty() : answers.get(position);
    }

    /**
     * The position in {@link #entries} of the first entry that matches the bucket's name, or {@link #NONE}. Allocates nothing; O(1)
     * if the table has no prefixes with the name's first byte, else O(log n) in their number.
     */
    public int position(Bytes bucket) {
        int slot = slot(bucket);
        int low = starts[slot];
        int high = starts[slot + 1];
        while (high - low > 1) {
            int middle = (low + high) >>> 1;
            if (froms.get(middle).compareTo(bucket) <= 0) {
                low = middle;
            } else {
                high = middle;
            }
        }
        return positions[low];
    }

    /** The names in spans with the same first matching entry. */
    public List<NameSpace.Span> split(NameSpace names) {
        return names.cutAt(borders);
    }

    private static int slot(Bytes bucket) {
        return bucket.isEmpty() ? 0 : 1 + bucket.at(0);
    }

    /** The entries in their order. */
    public List<Entry> entries() {
        return entries;
    }

    /** The names of the nodes in its entries, in the order of the first entry of each. */
    public Set<String> nodeNames() {
        return entries.stream().map(entry -> entry.node().name()).collect(toCollection(LinkedHashSet::new));
    }

    /** Warnings about a usable table, one line each. */
    public List<String> warnings() {
        return warnings;
    }

    /** The canonical form for messages: at most 1 KiB, with {@code ...} if it was cut. */
    public String printable() {
        return cut(canonical, PRINTABLE_MAX);
    }

    private static String cut(String text, int max) {
        return text.length() <= max ? text : text.substring(0, max) + "...";
    }

    /** Whether both have the same canonical form; lines and columns of entries do not count. */
    @Override
    public boolean equals(Object other) {
        return other instanceof RoutingTable table && canonical.equals(table.canonical);
    }

    @Override
    public int hashCode() {
        return canonical.hashCode();
    }

    /** The canonical form: printable ASCII on one line, without comments; parses to an equal table. */
    @Override
    public String toString() {
        return canonical;
    }

    /** One entry, and where it stands in the text (from 1). */
    public record Entry(Range range, Node node, int line, int column) {
        /** The entry in the table's syntax, without its place. */
        @Override
        public String toString() {
            return range + "=" + node;
        }
    }

    /**
     * A node as a table names it. Its text is the one of the table.
     *
     * @param name {@code name@host}, see {@link #isName}
     * @param port the port that the table gives, 1 to 65535; 0 for none
     */
    public record Node(String name, int port) {
        static final int NAME_MAX = 64;
        static final int HOST_MAX = 253;
        private static final Pattern NAME =
                Pattern.compile("[A-Za-z0-9_-]{1," + NAME_MAX + "}@[A-Za-z0-9._-]{1," + HOST_MAX + "}");

        public Node {
            if (!isName(name)) {
                throw new IllegalArgumentException("no node name: " + name);
            }
            if (port < 0 || port > 65535) {
                throw new IllegalArgumentException("no port: " + port);
            }
        }

        /** Whether the text can name a node: {@code [A-Za-z0-9_-]{1,64}@[A-Za-z0-9._-]{1,253}}. */
        public static boolean isName(String text) {
            return NAME.matcher(text).matches();
        }

        /** The part of the name behind the {@code @}. */
        public String host() {
            return name.substring(name.indexOf('@') + 1);
        }

        @Override
        public String toString() {
            return port == 0 ? name : name + ":" + port;
        }
    }

    /** A text is not a routing table. The message has line, column and what was expected. */
    public static final class Malformed extends Exception {
        private static final long serialVersionUID = 1L;

        private final int line;
        private final int column;

        Malformed(int line, int column, String what) {
            super("line " + line + ", column " + column + ": " + what);
            this.line = line;
            this.column = column;
        }

        /** The line of the first character that is wrong, from 1. */
        public int line() {
            return line;
        }

        /** Its column, from 1; one behind the line's last character where something is missing there. */
        public int column() {
            return column;
        }
    }
}
