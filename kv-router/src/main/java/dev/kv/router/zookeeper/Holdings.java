package dev.kv.router.zookeeper;

import dev.kv.router.Bytes;
import dev.kv.router.Placement;
import dev.kv.router.Placement.Here;
import dev.kv.router.Placement.Nowhere;
import dev.kv.router.Placement.There;
import dev.kv.router.table.RoutingTable.Entry;
import dev.kv.router.zookeeper.NodeDocument.Held;
import dev.kv.router.zookeeper.NodeDocument.Misplaced;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The buckets on this node, counted by the table in force: those that it sends here, by its entries, and the misplaced
 * ones, which it sends elsewhere. This is where it is known what a new table leaves behind; who moves buckets after the table begins here.
 */
final class Holdings {
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
    Holdings(Placement placement) {
        this.placement = placement;
        placement.here().forEach(entry -> held.put(entry, new Count()));
    }

    /** Counts a bucket of so many bytes. */
    void add(Bytes bucket, long bytes) {
        switch (placement.of(bucket)) {
            case Here(Entry entry) -> held.get(entry).add(bytes);
            case There _, Nowhere _ -> {
                misplaced.add(bytes);
                if (misplacedNames.size() < NodeDocument.MISPLACED_NAMES_MAX) {
                    misplacedNames.add(bucket.printable(SHOWN_NAME_BYTES));
                }
            }
        }
    }

    List<Held> held() {
        List<Held> counted = new ArrayList<>();
        held.forEach((entry, count) -> counted.add(new Held(entry.toString(), count.buckets, count.bytes)));
        return counted;
    }

    Misplaced misplaced() {
        return new Misplaced(misplaced.buckets, misplaced.bytes, misplacedNames);
    }
}
