package dev.kv.router.table;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.table.RoutingTable.Malformed;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The warnings about entries that never match and first bytes that no entry covers. */
class TableWarningsTest extends RandomTables {
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
}
