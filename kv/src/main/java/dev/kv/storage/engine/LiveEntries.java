package dev.kv.storage.engine;

import dev.kv.storage.format.Layout;
import dev.kv.storage.format.Scan;
import dev.kv.storage.index.Index;
import dev.kv.storage.log.Rescue;
import dev.kv.storage.log.Segment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;

/**
 * Which entries of the log the buckets need, and their change of place: for compaction and for a rescue. Any thread; a lock is held
 * for a bounded number of entries.
 */
public final class LiveEntries implements Rescue.Moves {
    /** How many parts of indexes, of at most 4 096 entries each, are visited under a lock: less than 1 ms. */
    private static final int PARTS_UNDER_LOCK = 16;

    private final BucketTable table;
    private final Changes changes;

    LiveEntries(BucketTable table, Changes changes) {
        this.table = table;
        this.changes = changes;
    }

    /** See {@link BucketTable#countGone}. */
    public void countGone() {
        table.countGone();
    }

    @Override
    public void settle() {
        changes.awaitLarge();
        for (Shard shard : table.shards()) {
            shard.lock.unlockWrite(shard.lock.writeLock());
        }
        countGone();
    }

    /**
     * Shows the locations of all entries that buckets need, {@link Index#NONE} among them. Of what changes during the call, an entry may
     * be left out, or be shown and no longer needed.
     */
    public void forEachLocation(LongConsumer visitor) {
        for (Shard shard : table.shards()) {
            List<Bucket> buckets = new ArrayList<>();
            long stamp = shard.lock.readLock();
            try {
                shard.forEach(buckets::add);
            } finally {
                shard.lock.unlockRead(stamp);
            }
            forEachLocation(buckets, visitor);
        }
        // Hidden buckets; and those that were renamed during the call out of a shard that was not visited yet.
        forEachLocation(List.copyOf(table.byGeneration().values()), visitor);
    }

    private void forEachLocation(List<Bucket> buckets, LongConsumer visitor) {
        int next = 0;
        long position = 0;
        while (next < buckets.size()) {
            int hash = buckets.get(next).hash;
            Shard shard = table.shard(hash);
            long stamp = shard.lock.readLock();
            try {
                for (int parts = 0; parts < PARTS_UNDER_LOCK && next < buckets.size(); parts++) {
                    Bucket bucket = buckets.get(next);
                    if (table.shard(bucket.hash) != shard) {
                        // It has another name now, and is guarded by another lock.
                        break;
                    }
                    visitor.accept(bucket.keptBy);
                    if (bucket.publication != null) {
                        bucket.publication.forEachLocation(visitor);
                    }
                    position = bucket.index.forEachLocation(position, visitor);
                    if (position > Index.POSITION_MAX) {
                        position = 0;
                        next++;
                    }
                }
            } finally {
                shard.lock.unlockRead(stamp);
            }
        }
    }

    @Override
    public boolean move(Scan scan, Segment to, long fromLocation, long toLocation) {
        byte[] name = scan.name();
        int hash = table.hash(name);
        Shard shard = table.shard(hash);
        long stamp = shard.lock.writeLock();
        try {
            Bucket bucket = scan.isHidden() ? null : shard.find(hash, name);
            if (bucket != null && bucket.generation == scan.generation()) {
                return move(bucket, scan, to, fromLocation, toLocation);
            }
        } finally {
            shard.lock.unlockWrite(stamp);
        }
        Bucket bucket = table.byGeneration().get(scan.generation());
        return bucket != null && moveRenamed(bucket, scan, to, fromLocation, toLocation);
    }

    private boolean moveRenamed(Bucket bucket, Scan scan, Segment to, long fromLocation, long toLocation) {
        while (true) {
            Shard shard = table.shard(bucket.hash);
            long stamp = shard.lock.writeLock();
            try {
                if (table.shard(bucket.hash) == shard) {
                    return !bucket.isGone() && move(bucket, scan, to, fromLocation, toLocation);
                }
            } finally {
                shard.lock.unlockWrite(stamp);
            }
        }
    }

    private boolean move(Bucket bucket, Scan scan, Segment to, long fromLocation, long toLocation) {
        return switch (scan.kind()) {
            case Layout.SET ->
                bucket.index.replace(table.fields().hash().of(to.fields().key(scan.entry())), fromLocation, toLocation);
            case Layout.BUCKET -> {
                boolean isIt = bucket.keptBy == fromLocation;
                bucket.keptBy = isIt ? toLocation : bucket.keptBy;
                yield isIt;
            }
            case Layout.PUBLISH -> bucket.publication != null && bucket.publication.move(fromLocation, toLocation);
            default -> false;
        };
    }
}
