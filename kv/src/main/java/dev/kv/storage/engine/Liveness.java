package dev.kv.storage.engine;

import dev.kv.storage.format.Damaged;
import dev.kv.storage.index.Index;
import dev.kv.storage.log.Log;
import dev.kv.storage.log.SeenTime;
import dev.kv.storage.log.StoredFields;

/**
 * Tells what has expired as of the time of a command, by the times in the {@link Log} and those that buckets hold: it is <i>gone</i> for the
 * command, whether it is removed yet or not. What was told to be gone once is gone for all later commands: see {@link SeenTime}.
 */
final class Liveness {
    /**
     * How many keys {@link #hasKeys} looks at, some milliseconds; behind them it takes it that there is one. It looks at keys only if all of them
     * expire, and the one that expired last was removed or expires sooner now. Most looks end at the first key. No key: the cleaner is there
     * soon.
     */
    private static final int LOOKED_AT_MAX = 20_000;

    private final Log log;

    Liveness(Log log) {
        this.log = log;
    }

    /** The time as of which a command runs: when the first node took it, or the latest that anybody has seen pass. */
    long now(long takenMillis) {
        return Math.max(takenMillis, log.seenTime().millis());
    }

    /** Whether something is gone that expires at a time, which is noted then: it is gone for all others, too. */
    boolean isGone(long until, long nowMillis) {
        boolean isIt = until != 0 && SeenTime.isPast(until, nowMillis);
        if (isIt) {
            log.seenTime().saw(until);
        }
        return isIt;
    }

    /**
     * Whether the key at a location is gone.
     *
     * @throws Damaged if its time is not what was written
     */
    boolean isKeyGone(long location, long nowMillis) {
        return (location & Log.EXPIRES) != 0 && isGone(until(location), nowMillis);
    }

    /** Whether the only key, or the value, of the record of a small bucket is gone. */
    boolean isSmallGone(long record, long nowMillis) {
        StoredFields stored = log.segment(record).fields();
        return isGone(stored.until(stored.onlyField(Log.offset(record))), nowMillis);
    }

    /** Whether a bucket has, for a command, neither keys nor a record that keeps it; or a value is gone. */
    boolean isGone(Bucket bucket, long nowMillis) {
        return bucket != null
                && bucket.lifetime != null
                && (isGone(bucket.until(), nowMillis) || (!bucket.isKept() && !hasKeys(bucket, nowMillis)));
    }

    /** Whether a name has keys or a value for a command; its bucket may be null. */
    boolean isTaken(Bucket there, long nowMillis) {
        return there != null && !isGone(there, nowMillis) && hasKeys(there, nowMillis);
    }

    /** Whether a bucket has a key that is not gone; of a damaged one it takes it that it is not. */
    boolean hasKeys(Bucket bucket, long nowMillis) {
        if (bucket.lifetime == null || bucket.isValue || !SeenTime.isPast(bucket.lifetime.nextKey(), nowMillis)) {
            return bucket.index.size() > 0;
        }
        if (bucket.index.size() > bucket.lifetime.keysThatExpire) {
            return true;
        }
        if (areAllGone(bucket, nowMillis)) {
            return false;
        }
        int[] left = {LOOKED_AT_MAX};
        boolean[] hasOne = {false};
        bucket.index.forEach(0, (_, location) -> {
            hasOne[0] = left[0]-- == 0 || isKeyThere(location, nowMillis);
            return !hasOne[0];
        });
        return hasOne[0];
    }

    /** Whether all keys of a bucket are known to be gone without a look at them: all expire, and the latest time that any ever had has passed. */
    boolean areAllGone(Bucket bucket, long nowMillis) {
        return !bucket.isValue
                && bucket.index.size() <= bucket.lifetime.keysThatExpire
                && isGone(bucket.lifetime.latest, nowMillis);
    }

    private boolean isKeyThere(long location, long nowMillis) {
        try {
            return !isKeyGone(location, nowMillis);
        } catch (Damaged | InternalError unreadable) {
            return true;
        }
    }

    /** The number of keys that are not gone; each key takes from the turn. A damaged one counts. */
    long countThere(Index index, Turn turn) {
        long[] count = {0};
        index.forEach(0, (_, location) -> {
            turn.take(0);
            count[0] += isKeyThere(location, turn.nowMillis()) ? 1 : 0;
            return true;
        });
        return count[0];
    }

    /** When the key at a location expires; 0 if it does not. */
    long until(long location) {
        return (location & Log.EXPIRES) == 0
                ? 0
                : log.segment(location).fields().until(Log.offset(location));
    }
}
