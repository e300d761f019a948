package dev.kv.router.placement;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.kv.router.Bytes;
import dev.kv.router.placement.Placement.Here;
import dev.kv.router.placement.Placement.Nowhere;
import dev.kv.router.placement.Placement.There;
import dev.kv.router.table.RoutingTable;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.api.Test;

final class PlacementTest {
    private static Placement ofFoo(String table) throws RoutingTable.Malformed {
        return new Placement("foo@h", RoutingTable.parse(table));
    }

    @Test
    void theFirstMatchingEntryPlacesABucket() throws Exception {
        Placement placement = ofFoo("shop-*=bar@h:4141,a..m=foo@h,s=foo@h:1");

        assertThat(placement.of(Bytes.of("shop-1")))
                .isInstanceOfSatisfying(
                        There.class, there -> assertThat(there.node()).hasToString("bar@h:4141"));
        assertThat(placement.of(Bytes.of("apple")))
                .isInstanceOfSatisfying(
                        Here.class, here -> assertThat(here.by()).hasToString("a..m=foo@h"));
        assertThat(placement.of(Bytes.of("shopping"))).isInstanceOf(Here.class);
        assertThat(placement.of(Bytes.of("zebra"))).isInstanceOf(Nowhere.class);
        assertThat(placement.of(Bytes.EMPTY).entry()).isEmpty();
        assertThat(placement.here()).map(Object::toString).containsExactly("a..m=foo@h", "s=foo@h:1");
        assertThat(ofFoo("").of(Bytes.of("apple"))).isInstanceOf(Nowhere.class);
    }

    /** Every request is placed. */
    @Test
    void placingABucketAllocatesNothing() throws Exception {
        Placement placement = ofFoo("shop-*=bar@h,sh*=foo@h,a..m=foo@h,n..z=bar@h");
        Bytes[] names = {Bytes.of("shop-1"), Bytes.of("shopping"), Bytes.of("apple"), Bytes.of("1"), Bytes.EMPTY};
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        int found = 0;
        long before = 0;
        for (int i = 0; i < 200_000; i++) {
            if (i == 100_000) {
                before = threads.getCurrentThreadAllocatedBytes();
            }
            found += placement.of(names[i % names.length]) instanceof Nowhere ? 0 : 1;
        }
        assertThat(threads.getCurrentThreadAllocatedBytes() - before).isLessThan(10_000);
        assertThat(found).isEqualTo(120_000);
    }
}
