package dev.kv.router.table;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.kv.router.Bytes;
import dev.kv.router.table.RoutingTable.Entry;
import dev.kv.router.table.RoutingTable.Malformed;
import dev.kv.router.table.RoutingTable.Node;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RoutingTableTest {
    @Test
    void aTableOnOneLineSendsEachBucketToTheNodeOfItsFirstByte() throws Malformed {
        RoutingTable table = RoutingTable.parse("a..m=foo@computer-name,n..z=bar@computer-name");

        assertThat(nodeOf(table, "apple")).isEqualTo("foo@computer-name");
        assertThat(nodeOf(table, "milk")).isEqualTo("foo@computer-name");
        assertThat(nodeOf(table, "n")).isEqualTo("bar@computer-name");
        assertThat(nodeOf(table, "zoo")).isEqualTo("bar@computer-name");
        assertThat(nodeOf(table, "Apple")).isEqualTo("none");
        assertThat(nodeOf(table, "1")).isEqualTo("none");
    }

    @Test
    void aFileHoldsAnEntryALineWithCommentsAndBlanksAround() throws Malformed {
        RoutingTable table = RoutingTable.parse("""
                # who keeps what; the first entry that matches wins

                shop-*=baz@computer-name
                  a..m=foo@computer-name  \t # the first half, ü and all
                \t# a comment behind blanks

                n..z=bar@computer-name:4141""");

        assertThat(table)
                .hasToString("shop-*=baz@computer-name,a..m=foo@computer-name,n..z=bar@computer-name:4141")
                .isEqualTo(RoutingTable.parse(table.toString()))
                .hasSameHashCodeAs(RoutingTable.parse(table.toString()));
        assertThat(table.entries().get(1)).extracting("line", "column").containsExactly(4, 3);
        assertThat(table.entries().get(2).node()).isEqualTo(new Node("bar@computer-name", 4141));
        assertThat(nodeOf(table, "shop-1")).isEqualTo("baz@computer-name");
        assertThat(nodeOf(table, "shop")).isEqualTo("bar@computer-name:4141");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "a=x@h,b=y@h",
                "a=x@h\nb=y@h",
                "a=x@h\r\nb=y@h\r\n",
                "a=x@h,\nb=y@h",
                "a=x@h, \r\n b=y@h",
                "a=x@h\n,b=y@h",
                "a=x@h, # one\n\n# two\nb=y@h # three",
                "\n\n \t\n#\na=x@h\n\n\nb=y@h\n \n",
                "%61=x@h,%62=y@h",
            })
    void entriesAreSeparatedByACommaOrALineBreakOrBoth(String text) throws Malformed {
        assertThat(RoutingTable.parse(text)).hasToString("a=x@h,b=y@h");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "\n", "\r\n", "# nothing", "\n # nothing\n\n", "#"})
    void aTextWithoutEntriesIsAnEmptyTable(String text) throws Malformed {
        RoutingTable table = RoutingTable.parse(text);

        assertThat(table.entries()).isEmpty();
        assertThat(table.warnings()).isEmpty();
        assertThat(table).hasToString("");
        assertThat(nodeOf(table, "a")).isEqualTo("none");
    }

    @Test
    void theFirstMatchingEntryApplies() throws Malformed {
        RoutingTable table = RoutingTable.parse("ab*=1@h,a=2@h,a..c=3@h,*=4@h");

        assertThat(nodeOf(table, "abc")).isEqualTo("1@h");
        assertThat(nodeOf(table, "ab")).isEqualTo("1@h");
        assertThat(nodeOf(table, "ac")).isEqualTo("2@h");
        assertThat(nodeOf(table, "c")).isEqualTo("3@h");
        assertThat(nodeOf(table, "d")).isEqualTo("4@h");
    }

    @Test
    void aBucketWithoutANameMatchesOnlyTheStar() throws Malformed {
        assertThat(nodeOf(RoutingTable.parse("%00..%FF=x@h"), "")).isEqualTo("none");
        assertThat(nodeOf(RoutingTable.parse("%00..%FF=x@h,*=y@h"), "")).isEqualTo("y@h");
    }

    @Test
    void anyByteCanBeWrittenInHexadecimal() throws Malformed {
        RoutingTable table = RoutingTable.parse("%00=nul@h,%ff=last@h,%C3%bC*=u@h,%25%2c*=percent@h");

        assertThat(table).hasToString("%00=nul@h,%FF=last@h,%C3%BC*=u@h,%25%2C*=percent@h");
        assertThat(nodeOf(table, "\0x")).isEqualTo("nul@h");
        assertThat(table.find(Bytes.owning(new byte[] {-1, 'x'})).orElseThrow().node())
                .isEqualTo(new Node("last@h", 0));
        assertThat(nodeOf(table, "über")).isEqualTo("u@h");
        assertThat(nodeOf(table, "%,")).isEqualTo("percent@h");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "a=x@h",
                "a..z=x@h",
                "%2D..%2E=x@h",
                "%2E=x@h",
                "%2D=x@h",
                "_=x@h",
                "a.b-c*=x@h",
                ".a*=x@h",
                "%2Da*=x@h",
                "a.%2E*=x@h",
                ".%2E.a*=x@h",
                "a.*=x@h",
                "*=x@h",
                "%2A*=x@h",
                "%23=x@h",
                "a=A-z_0@A.b-c_9",
                "a=x@h:1",
                "a=x@h:65535"
            })
    void theCanonicalFormStaysAsItIs(String text) throws Malformed {
        assertThat(RoutingTable.parse(text)).hasToString(text);
    }

    @Test
    void theCanonicalFormEscapesWhatMustBe() throws Malformed {
        assertThat(RoutingTable.parse("%2e%2E%2e%2d*=x@h")).hasToString(".%2E.-*=x@h");
        assertThat(RoutingTable.parse("%41..%41=x@h:080")).hasToString("A=x@h:80");
    }

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
                "a=x@h b=y@h       | 1 | 6 | expected a comma without blanks around it, or a line break, between entries; found a blank",
                "a=x@h, b=y@h      | 1 | 7 | expected a comma without blanks around it, or a line break, between entries; found a blank",
                "a=x@h ,b=y@h      | 1 | 6 | expected a comma without blanks around it, or a line break, between entries; found a blank",
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
    void aNodeIsCheckedWhereverItsNameComesFrom() {
        assertThat(Node.isName("kv@computer-name.example")).isTrue();
        assertThat(new Node("kv@computer-name", 0).host()).isEqualTo("computer-name");
        for (String name : List.of("", "kv", "kv@", "@h", "kv@h@h", "k v@h", "kv@h:1", "kü@h", "kv@h\n")) {
            assertThat(Node.isName(name)).as(name).isFalse();
            assertThatThrownBy(() -> new Node(name, 0)).isInstanceOf(IllegalArgumentException.class);
        }
        assertThatThrownBy(() -> new Node("kv@h", 65536)).isInstanceOf(IllegalArgumentException.class);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "'*=x@h,a=y@h'               | line 1, column 7: a=y@h can never match: the entry at line 1, column 1 takes all its buckets",
                "'*=x@h,*=y@h'               | line 1, column 7: *=y@h can never match: the entry at line 1, column 1 takes all its buckets",
                "'*=x@h,ab*=y@h'             | line 1, column 7: ab*=y@h can never match: the entry at line 1, column 1 takes all its buckets",
                "'a..m=x@h,c..d=y@h,*=z@h'   | line 1, column 10: c..d=y@h can never match: the entry at line 1, column 1 takes all its buckets",
                "'a..c=x@h,d=y@h,b..d=z@h,*=z@h' | line 1, column 16: b..d=z@h can never match: earlier entries take all its buckets",
                "'ab*=x@h,abc*=y@h,*=z@h'    | line 1, column 9: abc*=y@h can never match: the entry at line 1, column 1 takes all its buckets",
                "'a*=x@h,a=y@h,*=z@h'        | line 1, column 8: a=y@h can never match: the entry at line 1, column 1 takes all its buckets",
            })
    void anEntryThatCanNeverMatchIsWarnedOf(String text, String warning) throws Malformed {
        assertThat(RoutingTable.parse(text).warnings()).containsExactly(warning);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "*=x@h",
                "a..m=x@h,*=y@h",
                "ab*=x@h,a=y@h,*=z@h",
                "abc*=x@h,ab*=y@h,*=z@h",
                "a..c=x@h,b..d=y@h,*=z@h",
                "%00..%FF=x@h,*=z@h", // the bucket without a name is left
                "%00..%7F=x@h,%80..%FF=y@h",
            })
    void aTableWhoseEntriesAllMatchSomethingIsNotWarnedOf(String text) throws Malformed {
        assertThat(RoutingTable.parse(text).warnings()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "'a..m=x@h,n..z=y@h'       | no entry for first bytes A..Z 0..9 %00..%2F %3A..%40 %5B..%60 %7B..%FF",
                "'%00..a=x@h,c..%FF=y@h'   | no entry for first bytes b",
                "'%01..%FF=x@h'            | no entry for first bytes %00",
                "'a=x@h,c=x@h,e=x@h,g=x@h,i=x@h,k=x@h,m=x@h,o=x@h,q=x@h' | no entry for first bytes A..Z b d f h j l n ...",
            })
    void firstBytesThatNoEntryCoversAreWarnedOf(String text, String warning) throws Malformed {
        assertThat(RoutingTable.parse(text).warnings()).containsExactly(warning);
    }

    @Test
    void firstBytesThatOnlyPrefixesCoverAreWarnedOfApart() throws Malformed {
        assertThat(RoutingTable.parse("shop-*=x@h,t*=x@h,ua*=x@h,u=x@h,%00..r=x@h,v..%FF=x@h")
                        .warnings())
                .containsExactly("only names with a prefix of the table have an entry for first bytes s");
    }

    @Test
    void warningsAreBounded() throws Malformed {
        String same = IntStream.range(0, 100).mapToObj(i -> "a=x@h").collect(Collectors.joining(","));
        assertThat(RoutingTable.parse("*=x@h," + same).warnings())
                .hasSize(17)
                .last()
                .isEqualTo("84 more entries can never match");
        assertThat(RoutingTable.parse("*=x@h," + "p".repeat(100_000) + "*=y@h").warnings())
                .singleElement()
                .satisfies(warning -> assertThat(warning).hasSizeLessThan(400).contains("ppp... can never match"));
    }

    @Test
    void messagesShowAtMostOneKibibyteOfATable() throws Malformed {
        assertThat(RoutingTable.parse("a=x@h").printable()).isEqualTo("a=x@h");
        assertThat(RoutingTable.parse("p".repeat(1024) + "*=x@h").printable()).isEqualTo("p".repeat(1024) + "...");
    }

    @Test
    void findingAllocatesNothing() throws Malformed {
        RoutingTable table = RoutingTable.parse("shop-*=x@h,a..z=y@h");

        assertThat(table.find(Bytes.of("shop-1"))).isSameAs(table.find(Bytes.of("shop-2")));
        assertThat(table.find(Bytes.of("milk"))).isSameAs(table.find(Bytes.of("shopping")));
        assertThat(table.find(Bytes.of("1"))).isSameAs(table.find(Bytes.of("2")));
    }

    @Test
    void randomTablesSurviveTheirCanonicalFormAndFindAsALinearScanDoes() throws Malformed {
        Random random = seeded();
        for (int round = 0; round < 2_000; round++) {
            String text = randomTable(random);
            RoutingTable table = RoutingTable.parse(text);
            RoutingTable again = RoutingTable.parse(table.toString());

            assertThat(again).as(text).isEqualTo(table).hasToString(table.toString());
            assertThat(again.entries())
                    .extracting(Entry::node)
                    .isEqualTo(table.entries().stream().map(Entry::node).toList());
            assertThat(table.toString()).as(text).matches("[A-Za-z0-9_.:,=@*%-]+");
            for (int i = 0; i < 50; i++) {
                Bytes name = randomName(random);
                assertThat(table.find(name))
                        .as("%s in %s", name, text)
                        .isEqualTo(table.entries().stream()
                                .filter(entry -> entry.range().matches(name))
                                .findFirst());
            }
        }
    }

    /** The warnings against their definition, on names that are long enough to tell all ranges of these tables apart. */
    @Test
    void randomTablesAreWarnedOfExactlyTheEntriesThatMatchNothing() throws Malformed {
        Random random = seeded();
        for (int round = 0; round < 300; round++) {
            List<String> texts = new ArrayList<>(List.of("%00..%60=rest@h", "d..%FF=rest@h"));
            for (int i = random.nextInt(8); i >= 0; i--) {
                char x = (char) ('a' + random.nextInt(3));
                char y = (char) ('a' + random.nextInt(3));
                texts.add(
                        random.nextInt(texts.size() + 1),
                        switch (random.nextInt(3)) {
                            case 0 -> "" + x + y + "*=n@h";
                            case 1 -> x + "*=n@h";
                            default -> (char) Math.min(x, y) + ".." + (char) Math.max(x, y) + "=n@h";
                        });
            }
            RoutingTable table = RoutingTable.parse(String.join(",", texts));
            List<Integer> found = new ArrayList<>();
            for (int first = 0; first <= 0xFF; first++) {
                for (int second = 'a' - 1; second <= 'c'; second++) {
                    byte[] name = second < 'a' ? new byte[] {(byte) first} : new byte[] {(byte) first, (byte) second};
                    table.find(Bytes.owning(name)).ifPresent(entry -> found.add(entry.column()));
                }
            }
            assertThat(table.warnings().stream().filter(warning -> warning.contains(" can never match: ")))
                    .as(table.toString())
                    .hasSize((int) table.entries().stream()
                            .filter(entry -> !found.contains(entry.column()))
                            .count());
        }
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

    /** The largest table that a node takes, in the worst order, and its worst reader. */
    @Test
    @Timeout(30)
    void manyPrefixesWithOneFirstByteAreParsedInLinearithmicTime() throws Malformed {
        StringBuilder text = new StringBuilder();
        for (int i = 0; text.length() < 1024 * 1024 - 32; i++) {
            text.append(text.isEmpty() ? "" : ",")
                    .append("a")
                    .append(Integer.toString(i, 36))
                    .append("*=n@h");
        }
        RoutingTable table = RoutingTable.parse(text.toString());
        for (int i = 0; i < 1_000_000; i++) {
            assertThat(table.find(Bytes.of("b"))).isEmpty();
            assertThat(table.find(Bytes.of("az" + i))).isPresent();
        }
        assertThat(RoutingTable.parse("a*=n@h," + text).warnings().getLast()).isNotEmpty();
        assertThat(RoutingTable.parse(text + ",a*=n@h").find(Bytes.of("a"))).isPresent();
    }

    @Test
    @Timeout(30)
    void nestedPrefixesAreParsedInLinearithmicTime() throws Malformed {
        List<String> nested = new ArrayList<>();
        for (int length = 1_400; length > 0; length--) {
            nested.add("a".repeat(length) + "*=n" + length + "@h");
        }
        RoutingTable longestFirst = RoutingTable.parse(String.join(",", nested));
        assertThat(nodeOf(longestFirst, "a".repeat(700) + "b")).isEqualTo("n700@h");
        Collections.reverse(nested);
        assertThat(RoutingTable.parse(String.join(",", nested)).warnings())
                .contains("1383 more entries can never match");
    }

    private static Random seeded() {
        long seed = new Random().nextLong();
        System.out.println("seed " + seed);
        return new Random(seed);
    }

    private static String randomTable(Random random) {
        StringBuilder text = new StringBuilder();
        for (int i = random.nextInt(6); i >= 0; i--) {
            text.append(randomRange(random))
                    .append("=n")
                    .append(random.nextInt(5))
                    .append("@h");
            if (random.nextBoolean()) {
                text.append(':').append(1 + random.nextInt(65535));
            }
            text.append(
                    i == 0
                            ? ""
                            : List.of(",", "\n", ",\r\n", " # x\n", ", # ü\n\n ")
                                    .get(random.nextInt(5)));
        }
        return text.toString();
    }

    private static String randomRange(Random random) {
        return switch (random.nextInt(8)) {
            case 0 -> "*";
            case 1, 2 -> bound(random.nextInt(256), random);
            case 3, 4 -> {
                int first = random.nextInt(256);
                yield bound(first, random) + ".." + bound(first + random.nextInt(256 - first), random);
            }
            default -> {
                StringBuilder prefix = new StringBuilder();
                for (byte b : randomName(random).array()) {
                    boolean plain = prefix.isEmpty()
                            ? b == '.'
                            : b == '-' || (b == '.' && !prefix.toString().endsWith("."));
                    prefix.append(plain ? Character.toString(b) : bound(b & 0xFF, random));
                }
                yield prefix + "*";
            }
        };
    }

    private static String bound(int b, Random random) {
        boolean plain = b < 0x80 && (Character.isLetterOrDigit(b) || b == '_');
        return plain && random.nextBoolean()
                ? Character.toString(b)
                : (random.nextBoolean() ? "%%%02x" : "%%%02X").formatted(b);
    }

    /** One to four bytes, mostly of few kinds, so that ranges and names meet. */
    private static Bytes randomName(Random random) {
        byte[] name = new byte[1 + random.nextInt(4)];
        random.nextBytes(name);
        for (int i = 0; i < name.length; i++) {
            if (random.nextInt(8) > 0) {
                name[i] = (byte) "ab.-*".charAt(random.nextInt(5));
            }
        }
        return Bytes.owning(name);
    }

    private static String nodeOf(RoutingTable table, String bucket) {
        return table.find(Bytes.of(bucket))
                .map(entry -> entry.node().toString())
                .orElse("none");
    }

    private static void assertMalformed(String text, int line, int column, String message) {
        Malformed malformed = catchThrowableOfType(Malformed.class, () -> RoutingTable.parse(text));
        assertThat(malformed).as(text).isNotNull();
        assertThat(malformed).hasMessage("line " + line + ", column " + column + ": " + message);
        assertThat(malformed.line()).isEqualTo(line);
        assertThat(malformed.column()).isEqualTo(column);
    }
}
