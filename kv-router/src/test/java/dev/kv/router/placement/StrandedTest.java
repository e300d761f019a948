package dev.kv.router.placement;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.table.RoutingTable;
import java.util.List;
import org.junit.jupiter.api.Test;

class StrandedTest {
    private static final List<Holding> HOLDINGS = List.of(new Holding("a..m=foo@h", 12, 3400));

    @Test
    void aTableThatTakesAWholeEntryAwayStrandsAllOfItsBuckets() throws Exception {
        assertThat(stranded("a..m=foo@h,n..z=bar@h", HOLDINGS, "*=bar@h"))
                .containsExactly(new Stranded("foo@h", "a..m=foo@h", 12, 3400, false));
    }

    @Test
    void aTableThatTakesAPartOfAnEntryAwayStrandsUpToAllOfThem() throws Exception {
        assertThat(stranded("a..m=foo@h,n..z=bar@h", HOLDINGS, "a..l=foo@h,m..z=bar@h"))
                .containsExactly(new Stranded("foo@h", "a..m=foo@h", 12, 3400, true));
    }

    @Test
    void aBucketThatNoEntryMatchesIsStrandedToo() throws Exception {
        assertThat(stranded("a..m=foo@h", HOLDINGS, "n=foo@h")).hasSize(1);
    }

    @Test
    void anEqualTableWithAnotherTextStrandsNothing() throws Exception {
        assertThat(stranded("a..m=foo@h", HOLDINGS, "a=foo@h:4141,b..m=foo@h")).isEmpty();
    }

    @Test
    void aPrefixThatWentToAnotherNodeBeforeIsNotTakenAway() throws Exception {
        assertThat(stranded("go-*=bar@h,a..m=foo@h", HOLDINGS, "go-*=baz@h,a..m=foo@h"))
                .isEmpty();
    }

    @Test
    void anEntryThatHoldsNoBucketsStrandsNothing() throws Exception {
        assertThat(stranded("a..m=foo@h", List.of(new Holding("a..m=foo@h", 0, 0)), "*=bar@h"))
                .isEmpty();
    }

    @Test
    void entriesWithBucketsReplaceAnUnknownTable() throws Exception {
        RoutingTable after = RoutingTable.parse("a..l=foo@h");

        assertThat(Stranded.on("foo@h", Stranded.entriesOf(HOLDINGS), HOLDINGS, after))
                .containsExactly(new Stranded("foo@h", "a..m=foo@h", 12, 3400, true));
    }

    private static List<Stranded> stranded(String inForce, List<Holding> holdings, String after) throws Exception {
        return Stranded.on("foo@h", RoutingTable.parse(inForce), holdings, RoutingTable.parse(after));
    }
}
