package dev.kv.router.table;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.kv.router.Bytes;
import dev.kv.router.table.RoutingTable.Entry;
import dev.kv.router.table.RoutingTable.Malformed;
import dev.kv.router.table.RoutingTable.Node;
import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.IntPredicate;

/** Reads the text of one routing table, once, from its first character to its last. */
final class RoutingTableParser {
    private static final int END = -1;

    private final String text;
    private final List<Entry> entries = new ArrayList<>();
    private int at;
    private int line = 1;
    private int lineStart;

    /** The last comma, while no entry has followed it. */
    private Optional<Place> owed = Optional.empty();

    private record Place(int line, int column) {}

    RoutingTableParser(String text) {
        this.text = text;
    }

    List<Entry> entries() throws Malformed {
        line();
        while (peek() == '\n') {
            at++;
            line++;
            lineStart = at;
            line();
        }
        if (owed.isPresent()) {
            throw new Malformed(
                    owed.get().line(),
                    owed.get().column(),
                    "expected an entry after this comma, found the end: was the table cut at a blank?");
        }
        return entries;
    }

    /** Reads up to the end of the line, without the line break. */
    private void line() throws Malformed {
        skipBlanks();
        boolean comment = peek() == '#';
        while (!comment && !atLineEnd()) {
            boolean isComma = peek() == ',';
            if (isComma) {
                comma();
            } else {
                entry();
            }
            int blank = at;
            skipBlanks();
            comment = at > blank && peek() == '#';
            if (at > blank && !isComma && !comment && !atLineEnd()) {
                throw malformed(blank, "expected a comma or a line break behind the entry, found a blank");
            }
        }
        while (!atLineEnd()) {
            at++;
        }
    }

    private void comma() throws Malformed {
        if (entries.isEmpty()) {
            throw malformed(at, "expected an entry, found a comma: was the table cut at a blank?");
        }
        if (owed.isPresent()) {
            throw malformed(at, "expected an entry, found a second comma");
        }
        owed = Optional.of(new Place(line, column(at)));
        at++;
    }

    private void entry() throws Malformed {
        int start = at;
        Range range = range();
        if (peek() != '=') {
            throw expected("= after the range");
        }
        at++;
        Node node = node();
        if (peek() != ',' && !isBlank(peek()) && !atLineEnd()) {
            throw expected("a comma or a line break after the entry (a comment needs a blank before it)");
        }
        entries.add(new Entry(range, node, line, column(start)));
        owed = Optional.empty();
    }

    private Range range() throws Malformed {
        if (peek() == '*') {
            at++;
            return new Range.All();
        }
        if (peek() == '-') {
            throw malformed(at, "expected a range, found -: as the first character of an entry it is written %2D");
        }
        int start = at;
        boolean dot = peek() == '.';
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        while (!atDots() && (isPlain(peek()) || peek() == '%')) {
            bytes.write(oneByte());
        }
        byte[] read = bytes.toByteArray();
        if (atDots()) {
            return read.length == 1 && !dot ? span(read[0] & 0xFF, start) : notSpan(read.length);
        }
        if (peek() == '*' && read.length > 0) {
            at++;
            return new Range.Prefix(Bytes.owning(read));
        }
        if (read.length == 0) {
            throw expected("a range: X..Y, X, PREFIX* or *", true);
        }
        if (peek() != '=') {
            throw expected("= or .. or * in the range", true);
        }
        if (read.length > 1) {
            throw malformed(
                    at, "expected * after the prefix, found =: only a range of a single first byte goes without");
        }
        if (dot) {
            throw malformed(start, "expected a range, found .: as a single first byte it is written %2E");
        }
        return new Range.Span(read[0] & 0xFF, read[0] & 0xFF);
    }

    /** Reads {@code ..Y}. */
    private Range span(int first, int start) throws Malformed {
        int dots = at;
        at += 2;
        if (peek() == '*') {
            throw dotsInPrefix(dots);
        }
        if (peek() == '.' || peek() == '-') {
            throw malformed(
                    at,
                    "expected the last byte of the range, found " + found() + ": here it is written "
                            + escaped(peek()));
        }
        if (!isPlain(peek()) && peek() != '%') {
            throw expected("the last byte of the range", true);
        }
        int last = oneByte();
        if (isPlain(peek()) || peek() == '%' || peek() == '*') {
            throw expected("= after the last byte of the range (.. in a prefix is written .%2E)");
        }
        if (first > last) {
            throw malformed(
                    start, "expected a range from a lower byte to a higher one, found " + text.substring(start, at));
        }
        return new Range.Span(first, last);
    }

    private Range notSpan(int length) throws Malformed {
        if (length == 0) {
            throw malformed(at, "expected a range, found .: before another . it is written %2E");
        }
        throw dotsInPrefix(at);
    }

    private Malformed dotsInPrefix(int dots) {
        return malformed(
                dots, "expected X..Y with a single byte on both sides, found .. in a prefix: there it is written .%2E");
    }

    /** Reads one byte of a name: a character that stands for itself, or {@code %HH}. */
    private int oneByte() throws Malformed {
        int c = peek();
        at++;
        return c == '%' ? hexDigit() << 4 | hexDigit() : c;
    }

    private int hexDigit() throws Malformed {
        int digit = peek() < 0x80 ? Character.digit(peek(), 16) : -1;
        if (digit < 0) {
            throw expected("two hexadecimal digits after % (a % itself is written %25)");
        }
        at++;
        return digit;
    }

    private Node node() throws Malformed {
        int start = at;
        skip(
                RoutingTableParser::isNodeNameCharacter,
                Node.NAME_MAX,
                "a node, name@host, with a name of A-Z a-z 0-9 _ -");
        if (peek() != '@') {
            throw expected("@ and a host after the node's name, which has at most 64 characters of A-Z a-z 0-9 _ -");
        }
        at++;
        skip(
                RoutingTableParser::isPlain,
                Node.HOST_MAX,
                "the node's host, at most 253 characters of A-Z a-z 0-9 . _ -");
        String name = text.substring(start, at);
        return new Node(name, peek() == ':' ? port() : 0);
    }

    /** Reads {@code :port}. */
    private int port() throws Malformed {
        at++;
        int start = at;
        skip(c -> c >= '0' && c <= '9', 5, "a port, 1 to 65535");
        int port = Integer.parseInt(text.substring(start, at));
        if (port < 1 || port > 65535) {
            throw malformed(start, "expected a port, 1 to 65535, found " + port);
        }
        return port;
    }

    /** Skips one to {@code max} characters. */
    private void skip(IntPredicate wanted, int max, String what) throws Malformed {
        int start = at;
        while (wanted.test(peek())) {
            if (at == start + max) {
                throw malformed(at, "expected " + what + ", found more than " + max + " characters");
            }
            at++;
        }
        if (at == start) {
            throw expected(what);
        }
    }

    private void skipBlanks() {
        while (isBlank(peek())) {
            at++;
        }
    }

    private static boolean isBlank(int c) {
        return c == ' ' || c == '\t' || c == 0x0B || c == '\f' || c == '\r';
    }

    private static boolean isNodeNameCharacter(int c) {
        return Range.isAlphanumeric(c) || c == '_' || c == '-';
    }

    /** Whether the character needs no escape in a range, or is allowed in the name of a host. */
    private static boolean isPlain(int c) {
        return Range.isAlphanumeric(c) || c == '_' || c == '-' || c == '.';
    }

    private boolean atDots() {
        return text.startsWith("..", at);
    }

    private boolean atLineEnd() {
        return peek() == END || peek() == '\n';
    }

    private int peek() {
        return at < text.length() ? text.codePointAt(at) : END;
    }

    private Malformed expected(String what) {
        return expected(what, false);
    }

    /** With {@code inRange}, the message shows how to escape a character that is not allowed in a range. */
    private Malformed expected(String what, boolean inRange) {
        boolean escapable = inRange && !atLineEnd() && !isUndecodable(peek()) && "=,*".indexOf(peek()) < 0;
        String hint = escapable ? ": in a range it is written " + escaped(peek()) : "";
        return malformed(at, "expected " + what + ", found " + found() + hint);
    }

    private String found() {
        int c = peek();
        if (c == END) {
            return "the end";
        }
        if (c == '\n') {
            return "the end of the line";
        }
        if (c == ',') {
            return "a comma";
        }
        if (isBlank(c)) {
            return "a blank";
        }
        if (isUndecodable(c)) {
            return "bytes that are no UTF-8";
        }
        return c > 0x20 && c < 0x7F ? Character.toString(c) : "the character " + escaped(c);
    }

    /** The replacement character of a decoder, or an unpaired surrogate. */
    private static boolean isUndecodable(int c) {
        return c == 0xFFFD || Character.getType(c) == Character.SURROGATE;
    }

    private static String escaped(int character) {
        StringBuilder bytes = new StringBuilder();
        for (byte b : Character.toString(character).getBytes(UTF_8)) {
            bytes.append("%%%02X".formatted(b));
        }
        return bytes.toString();
    }

    private Malformed malformed(int where, String what) {
        return new Malformed(line, column(where), what);
    }

    /** Before a wrong character there are only characters of one UTF-16 unit, so this counts characters. */
    private int column(int where) {
        return where - lineStart + 1;
    }
}
