package dev.kv.storage.engine;

import dev.kv.storage.format.Layout;
import dev.kv.storage.format.Scan;
import dev.kv.storage.index.Index;
import dev.kv.storage.log.Log;
import dev.kv.storage.log.Rescue;
import dev.kv.storage.log.Segment;
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

    /** See {@link BucketTable#giveBack}. */
    public void giveBack() {
        table.giveBack();
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
     * Shows the locations of all entries that buckets need, {@link Index#NONE} among them; in the place of a key that is alone in its record
     * perhaps that of the record. Of what changes during the call, an entry may be left out, or be shown and no longer needed.
     */
    public void forEachLocation(LongConsumer visitor) {
        for (Shard shard : table.shards()) {
            long part = 0;
            while (part != Names.NO_PART) {
                long stamp = shard.lock.readLock();
                try {
                    part = shard.names.forEachRecord(part, visitor);
                } finally {
                    shard.lock.unlockRead(stamp);
                }
            }
            // Behind the small buckets: what became an object meanwhile is among them.
            forEachLocation(objects(shard), visitor);
        }
        // Hidden buckets; and those that were renamed during the call out of a shard that was not visited yet.
        forEachLocation(List.copyOf(table.byGeneration().values()), visitor);
    }

    private static List<Bucket> objects(Shard shard) {
        long stamp = shard.lock.readLock();
        try {
            return shard.names.objects();
        } finally {
            shard.lock.unlockRead(stamp);
        }
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
                    if (bucket.lifetime != null) {
                        visitor.accept(bucket.lifetime.by);
                    }
                    if (bucket.publication != null) {
                        bucket.publication.forEachLocation(visitor);
                    }
                    position =
                            bucket.index.forEachLocation(position, location -> visitor.accept(location & ~Log.EXPIRES));
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
        if (!scan.isHidden()) {
            long stamp = shard.lock.writeLock();
            try {
                if (moveSmall(shard, hash, name.length, scan, fromLocation, toLocation)) {
                    return true;
                }
                Bucket bucket = shard.names.object(hash, name, scan.generation());
                if (bucket != null) {
                    return move(shard, bucket, scan, to, fromLocation, toLocation);
                }
            } finally {
                shard.lock.unlockWrite(stamp);
            }
        }
        Bucket bucket = table.byGeneration().get(scan.generation());
        return bucket != null && moveRenamed(bucket, scan, to, fromLocation, toLocation);
    }

    /** Moves a record of a small bucket. No place is the location that is computed for a field which is not alone in its record. */
    private static boolean moveSmall(Shard shard, int hash, int nameBytes, Scan scan, long from, long to) {
        return switch (scan.kind()) {
            case Layout.SET, Layout.SET_UNTIL, Layout.VALUE, Layout.VALUE_UNTIL ->
                scan.isAlone() && shard.names.move(hash, Fields.record(from, nameBytes), Fields.record(to, nameBytes));
            case Layout.BUCKET -> shard.names.moveKept(hash, from, to);
            default -> false;
        };
    }

    private boolean moveRenamed(Bucket bucket, Scan scan, Segment to, long fromLocation, long toLocation) {
        while (true) {
            Shard shard = table.shard(bucket.hash);
            long stamp = shard.lock.writeLock();
            try {
                if (table.shard(bucket.hash) == shard) {
                    return !bucket.isGone() && move(shard, bucket, scan, to, fromLocation, toLocation);
                }
            } finally {
                shard.lock.unlockWrite(stamp);
            }
        }
    }

    private boolean move(Shard shard, Bucket bucket, Scan scan, Segment to, long fromLocation, long toLocation) {
        return switch (scan.kind()) {
            case Layout.SET, Layout.SET_UNTIL, Layout.VALUE, Layout.VALUE_UNTIL -> {
                int keyHash = table.fields().hash().of(to.fields().key(scan.entry()));
                boolean isIt = bucket.index.move(keyHash, fromLocation, toLocation, Log.EXPIRES);
                if (isIt && scan.isAlone() && !bucket.hasOwnRecords) {
                    bucket.wrote(true);
                    shard.names.list(bucket);
                }
                yield isIt;
            }
            case Layout.BUCKET -> {
                boolean isIt = bucket.keptBy == fromLocation;
                bucket.keptBy = isIt ? toLocation : bucket.keptBy;
                yield isIt;
            }
            case Layout.EXPIRE -> {
                boolean isIt = bucket.hasExpireRecord() && bucket.lifetime.by == fromLocation;
                if (isIt) {
                    bucket.lifetime.by = toLocation;
                }
                yield isIt;
            }
            case Layout.PUBLISH -> bucket.publication != null && bucket.publication.move(fromLocation, toLocation);
            default -> false;
        };
    }
}
