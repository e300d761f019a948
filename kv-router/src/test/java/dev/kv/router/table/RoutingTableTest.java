package dev.kv.router.table;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.Bytes;
import dev.kv.router.table.RoutingTable.Entry;
import dev.kv.router.table.RoutingTable.Malformed;
import dev.kv.router.table.RoutingTable.Node;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a routing table says, and which entry applies to a bucket. */
class RoutingTableTest extends RandomTables {
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
    void blanksBehindACommaAreNothing() throws Malformed {
        String table = "a..f=foo@h,g..z=bar@h";

        assertThat(RoutingTable.parse("a..f=foo@h, g..z=bar@h")).hasToString(table);
        assertThat(RoutingTable.parse("a..f=foo@h, \t# comment\ng..z=bar@h")).hasToString(table);
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

    /** The largest table that a node takes, of ranges that each cover all first bytes. */
    @Test
    @Timeout(10)
    void manyWideRangesAreParsedInLinearithmicTime() throws Malformed {
        for (String range : List.of("%00..%FF", "*", "a..z")) {
            String entry = range + "=n@h,";
            RoutingTable table = RoutingTable.parse(entry.repeat(1024 * 1024 / entry.length() - 1) + "0=n@h");

            assertThat(nodeOf(table, "fig")).isEqualTo("n@h");
            assertThat(table.warnings()).anyMatch(warning -> warning.endsWith(" more entries can never match"));
        }
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
}
