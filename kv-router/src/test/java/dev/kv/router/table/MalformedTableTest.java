package dev.kv.router.table;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.kv.router.table.RoutingTable.Malformed;
import dev.kv.router.table.RoutingTable.Node;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The place and the reason that the error for a malformed routing table gives. */
class MalformedTableTest extends RandomTables {
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "a                 | 1 | 2 | expected = or .. or * in the range, found the end",
                "a=                | 1 | 3 | expected a node, name@host, with a name of A-Z a-z 0-9 _ -, found the end",
                "=x@h              | 1 | 1 | expected a range: X..Y, X, PREFIX* or *, found =",
                "ab=x@h            | 1 | 3 | expected * after the prefix, found =: only a range of a single first byte goes without",
                "**=x@h            | 1 | 2 | expected = after the range, found *",
                "z..a=x@h          | 1 | 1 | expected a range from a lower byte to a higher one, found z..a",
                "a..=x@h           | 1 | 4 | expected the last byte of the range, found =",
                "a..bc=x@h         | 1 | 5 | expected = after the last byte of the range (.. in a prefix is written .%2E), found c",
                "a..*=x@h          | 1 | 2 | expected X..Y with a single byte on both sides, found .. in a prefix: there it is written .%2E",
                "ab..c*=x@h        | 1 | 3 | expected X..Y with a single byte on both sides, found .. in a prefix: there it is written .%2E",
                ".=x@h             | 1 | 1 | expected a range, found .: as a single first byte it is written %2E",
                "..a=x@h           | 1 | 1 | expected a range, found .: before another . it is written %2E",
                "...a=x@h          | 1 | 1 | expected a range, found .: before another . it is written %2E",
                "a...=x@h          | 1 | 4 | expected the last byte of the range, found .: here it is written %2E",
                "+..-=x@h          | 1 | 1 | expected a range: X..Y, X, PREFIX* or *, found +: in a range it is written %2B",
                "%2B..-=x@h        | 1 | 6 | expected the last byte of the range, found -: here it is written %2D",
                "-=x@h             | 1 | 1 | expected a range, found -: as the first character of an entry it is written %2D",
                "-a*=x@h           | 1 | 1 | expected a range, found -: as the first character of an entry it is written %2D",
                "a$*=x@h           | 1 | 2 | expected = or .. or * in the range, found $: in a range it is written %24",
                "ü*=x@h            | 1 | 1 | expected a range: X..Y, X, PREFIX* or *, found the character %C3%BC: in a range it is written %C3%BC",
                "a..😀=x@h         | 1 | 4 | expected the last byte of the range, found the character %F0%9F%98%80: in a range it is written %F0%9F%98%80",
                "a\uFFFD*=x@h      | 1 | 2 | expected = or .. or * in the range, found bytes that are no UTF-8",
                "a b*=x@h          | 1 | 2 | expected = or .. or * in the range, found a blank: in a range it is written %20",
                "%zz=x@h           | 1 | 2 | expected two hexadecimal digits after % (a % itself is written %25), found z",
                "%4=x@h            | 1 | 3 | expected two hexadecimal digits after % (a % itself is written %25), found =",
                "a#b*=x@h          | 1 | 2 | expected = or .. or * in the range, found #: in a range it is written %23",
                "a=x               | 1 | 4 | expected @ and a host after the node's name, which has at most 64 characters of A-Z a-z 0-9 _ -, found the end",
                "a=x.y@h           | 1 | 4 | expected @ and a host after the node's name, which has at most 64 characters of A-Z a-z 0-9 _ -, found .",
                "a=x@              | 1 | 5 | expected the node's host, at most 253 characters of A-Z a-z 0-9 . _ -, found the end",
                "a= x@h            | 1 | 3 | expected a node, name@host, with a name of A-Z a-z 0-9 _ -, found a blank",
                "a=x@h:            | 1 | 7 | expected a port, 1 to 65535, found the end",
                "a=x@h:0           | 1 | 7 | expected a port, 1 to 65535, found 0",
                "a=x@h:65536       | 1 | 7 | expected a port, 1 to 65535, found 65536",
                "a=x@h:123456      | 1 | 12 | expected a port, 1 to 65535, found more than 5 characters",
                "a=x@h:80x         | 1 | 9 | expected a comma or a line break after the entry (a comment needs a blank before it), found x",
                "a=x@h#c           | 1 | 6 | expected a comma or a line break after the entry (a comment needs a blank before it), found #",
                "a=x@hü            | 1 | 6 | expected a comma or a line break after the entry (a comment needs a blank before it), found the character %C3%BC",
                "a=x@h b=y@h       | 1 | 6 | expected a comma or a line break behind the entry, found a blank",
                "'a=x@h, '         | 1 | 6 | expected an entry after this comma, found the end: was the table cut at a blank?",
                "'a=x@h, ,b=y@h'   | 1 | 8 | expected an entry, found a second comma",
                "a=x@h ,b=y@h      | 1 | 6 | expected a comma or a line break behind the entry, found a blank",
                "a=x@h,            | 1 | 6 | expected an entry after this comma, found the end: was the table cut at a blank?",
                "',a=x@h'          | 1 | 1 | expected an entry, found a comma: was the table cut at a blank?",
                "'a=x@h,,b=y@h'    | 1 | 7 | expected an entry, found a second comma",
            })
    void anErrorHasItsPlaceAndWhatWasExpected(String text, int line, int column, String message) {
        assertMalformed(text, line, column, message);
    }

    @Test
    void anErrorInAFileHasItsLine() {
        assertMalformed(
                "# ü\r\na=x@h,\r\n\r\n  b=y",
                4,
                6,
                "expected @ and a host after the node's name, which has at most 64 characters of A-Z a-z 0-9 _ -, found the end");
        assertMalformed(
                "a=x@h,\n# and that is all\n",
                1,
                6,
                "expected an entry after this comma, found the end: was the table cut at a blank?");
        assertMalformed("a=x@h,\n,b=y@h", 2, 1, "expected an entry, found a second comma");
        assertMalformed("a=x@h\nb\n", 2, 2, "expected = or .. or * in the range, found the end of the line");
        assertMalformed(
                "\u0001=x@h",
                1,
                1,
                "expected a range: X..Y, X, PREFIX* or *, found the character %01: in a range it is written %01");
    }

    @Test
    void theLengthsOfNodeNamesAndHostsAreBounded() throws Malformed {
        String longest = "n".repeat(64) + "@" + "h".repeat(253);

        assertThat(RoutingTable.parse("a=" + longest).entries().getFirst().node())
                .isEqualTo(new Node(longest, 0));
        assertMalformed(
                "a=n" + longest,
                1,
                67,
                "expected a node, name@host, with a name of A-Z a-z 0-9 _ -, found more than 64 characters");
        assertMalformed(
                "a=" + longest + "h",
                1,
                321,
                "expected the node's host, at most 253 characters of A-Z a-z 0-9 . _ -, found more than 253 characters");
    }

    @Test
    void randomTextIsATableOrMalformedAtAPlaceInsideTheText() {
        Random random = seeded();
        String alphabet = "aabz.-_%2E*=@,::#\n\r\t \u0000ü\uD800\uFFFD😀019";
        int tables = 0;
        for (int round = 0; round < 20_000; round++) {
            StringBuilder text = new StringBuilder(random.nextBoolean() ? randomTable(random) : "");
            for (int i = random.nextInt(12); i >= 0; i--) {
                text.insert(random.nextInt(text.length() + 1), alphabet.charAt(random.nextInt(alphabet.length())));
            }
            try {
                RoutingTable.parse(text.toString());
                tables++;
            } catch (Malformed malformed) {
                String[] lines = text.toString().split("\n", -1);
                assertThat(malformed.line()).as(text::toString).isBetween(1, lines.length);
                assertThat(malformed.column())
                        .as(text::toString)
                        .isBetween(1, lines[malformed.line() - 1].length() + 1);
                assertThat(malformed.getMessage()).as(text::toString).matches("[ -~]{1,300}");
            }
        }
        assertThat(tables).isPositive();
    }

    private static void assertMalformed(String text, int line, int column, String message) {
        Malformed malformed = catchThrowableOfType(Malformed.class, () -> RoutingTable.parse(text));
        assertThat(malformed).as(text).isNotNull();
        assertThat(malformed).hasMessage("line " + line + ", column " + column + ": " + message);
        assertThat(malformed.line()).isEqualTo(line);
        assertThat(malformed.column()).isEqualTo(column);
    }
}
