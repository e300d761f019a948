package dev.kv.router.placement;

import dev.kv.router.Bytes;
import dev.kv.router.placement.Placement.Here;
import dev.kv.router.placement.Placement.Nowhere;
import dev.kv.router.placement.Placement.There;
import dev.kv.router.table.RoutingTable.Entry;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The buckets on this node, counted by the table in force: by entry those that it sends here, and the misplaced buckets, which it
 * sends to other nodes. Moving buckets after a change of the table starts from these.
 */
public final class Holdings {
    private static final int SHOWN_NAME_BYTES = 64;

    private final Placement placement;
    private final Map<Entry, Count> held = new LinkedHashMap<>();
    private final Count misplaced = new Count();
    private final List<String> misplacedNames = new ArrayList<>();

    private static final class Count {
        private long buckets;
        private long bytes;

        void add(long size) {
            buckets++;
            bytes += size;
        }
    }

    /** Counts nothing yet. */
    public Holdings(Placement placement) {
        this.placement = placement;
        placement.here().forEach(entry -> held.put(entry, new Count()));
    }

    /** Counts a bucket. */
    public void add(Bytes bucket, long bytes) {
        switch (placement.of(bucket)) {
            case Here(Entry entry) -> held.get(entry).add(bytes);
            case There _, Nowhere _ -> {
                misplaced.add(bytes);
                if (misplacedNames.size() < Misplaced.NAMES_MAX) {
                    misplacedNames.add(bucket.printable(SHOWN_NAME_BYTES));
                }
            }
        }
    }

    /** The buckets that the table sends here, by its entries. */
    public List<Holding> held() {
        List<Holding> counted = new ArrayList<>();
        held.forEach((entry, count) -> counted.add(new Holding(entry.toString(), count.buckets, count.bytes)));
        return counted;
    }

    /** The buckets that the table sends to other nodes. */
    public Misplaced misplaced() {
        return new Misplaced(misplaced.buckets, misplaced.bytes, misplacedNames);
    }

    /** A number of buckets and bytes in words, such as {@code 1 bucket (259 bytes)}. */
    public static String amount(long buckets, long bytes) {
        return buckets + (buckets == 1 ? " bucket (" : " buckets (") + bytes + (bytes == 1 ? " byte)" : " bytes)");
    }
}
