package dev.kv.router;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.NameSpace.Span;
import dev.kv.router.placement.Placement;
import dev.kv.router.placement.Placement.Share;
import dev.kv.router.table.RoutingTable;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class NameSpaceTest {
    private static Span span(String from, String before) {
        return new Span(Bytes.of(from), Optional.of(Bytes.of(before)));
    }

    @Test
    void holdsTheNamesOfItsSpans() {
        NameSpace names = new NameSpace(List.of(span("b", "c"), span("d", "da"), span("x", "z")));

        for (String in : List.of("b", "b\0", "bzz", "d", "x", "xyz", "y")) {
            assertThat(names.contains(Bytes.of(in))).as(in).isTrue();
        }
        for (String out : List.of("", "a", "azz", "c", "cc", "da", "db", "e", "z")) {
            assertThat(names.contains(Bytes.of(out))).as(out).isFalse();
        }
        assertThat(NameSpace.ALL.contains(Bytes.EMPTY)).isTrue();
        assertThat(names.first()).isEqualTo(Bytes.of("b"));
    }

    @Test
    void emptyAndUnorderedSpansAreRefused() {
        assertThatThrownBy(() -> span("b", "b")).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new NameSpace(List.of())).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new NameSpace(List.of(span("b", "d"), span("c", "e"))))
                .isInstanceOf(IllegalArgumentException.class);
    }

    /** The answer for a span equals the answer for each name in it. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "*=foo@h",
                "a..m=foo@h,n..z=bar@h",
                "shop-*=baz@h,s..z=bar@h,s=foo@h,*=foo@h",
                "ab*=foo@h,a*=bar@h,abc*=baz@h,%FF*=baz@h,%FF%FF*=foo@h,a%FF*=foo@h,%00=foo@h",
                "b=foo@h"
            })
    void aTableSplitsNamesWhereItsAnswerChanges(String text) throws Exception {
        RoutingTable table = RoutingTable.parse(text);
        Random random = new Random(4);
        NameSpace part = new NameSpace(List.of(span("", "aaa"), span("ab", "shop-1"), span("t", "zz")));
        for (NameSpace names : List.of(NameSpace.ALL, part)) {
            List<Share> shares = new Placement("foo@h", table).shares(names);
            for (int i = 0; i < 20_000; i++) {
                Bytes name = name(random);
                List<Share> holding = shares.stream()
                        .filter(share -> share.span().contains(name))
                        .toList();
                assertThat(holding).as("%s in %s", name, text).hasSize(names.contains(name) ? 1 : 0);
                holding.forEach(share ->
                        assertThat(share.place().entry()).as("%s", name).isEqualTo(table.find(name)));
            }
            assertThat(NameSpace.of(shares.stream().map(Share::span).toList())).isEqualTo(names);
        }
    }

    private static Bytes name(Random random) {
        String letters = "abcshop-1tz\0\u00FF";
        byte[] name = new byte[random.nextInt(6)];
        for (int i = 0; i < name.length; i++) {
            name[i] = (byte) letters.charAt(random.nextInt(letters.length()));
        }
        return random.nextInt(4) == 0 ? Bytes.of("shop-" + (char) ('0' + random.nextInt(4))) : Bytes.owning(name);
    }
}
