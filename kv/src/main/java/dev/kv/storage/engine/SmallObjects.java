package dev.kv.storage.engine;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * The objects of a {@link Names} that were small after a change: each that stays so for a while is given back, so that the table holds no more
 * than the place of its record. Guarded by the lock of the shard.
 */
final class SmallObjects {
    private List<Bucket> listed = new ArrayList<>(0);

    /** Lists an object if it is small now. */
    void list(Bucket bucket) {
        if (bucket.index.size() > 1) {
            if (bucket.wasSmall) {
                bucket.wasSmall = false;
            }
        } else if (bucket.listedAt == Bucket.NOT_LISTED && bucket.isSmall()) {
            bucket.listedAt = listed.size();
            listed.add(bucket);
        }
    }

    /** Removes an object from the list, if it is there. */
    void remove(Bucket bucket) {
        if (bucket.listedAt == Bucket.NOT_LISTED) {
            return;
        }
        Bucket last = listed.removeLast();
        if (last != bucket) {
            listed.set(bucket.listedAt, last);
            last.listedAt = bucket.listedAt;
        }
        bucket.listedAt = Bucket.NOT_LISTED;
        bucket.wasSmall = false;
    }

    /**
     * Gives back the objects that have been small since the call before. A bucket that changes between one and two keys stays an object for
     * the time between two calls at least, so that it is not made again and again.
     *
     * <p>Not while compaction looks for what is live, nor while a large change of a bucket of this shard is under way.
     *
     * @param left how many of the listed objects to look at: from the last one down
     * @param place puts a bucket into the table in the place of its object
     * @return how many are left to look at
     */
    int giveBack(int left, int max, Consumer<Bucket> place) {
        int at = Math.min(left, listed.size());
        int until = Math.max(0, at - max);
        while (at > until) {
            at--;
            Bucket bucket = listed.get(at);
            if (bucket.isSmall() && !bucket.wasSmall) {
                bucket.wasSmall = true;
                continue;
            }
            if (bucket.isSmall()) {
                place.accept(bucket);
            }
            remove(bucket);
        }
        if (listed.isEmpty()) {
            listed = new ArrayList<>(0);
        }
        return at;
    }

    int count() {
        return listed.size();
    }
}
