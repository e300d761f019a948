package dev.kv.storage.maintenance;

import dev.kv.storage.engine.Expired;
import dev.kv.storage.log.BackgroundThread;
import dev.kv.storage.log.NoRoomYet;
import dev.kv.storage.log.Refused;
import dev.kv.storage.log.SeenTime;
import dev.kv.storage.log.Troubles;
import java.time.Duration;
import java.time.Instant;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The background thread that removes what has expired. Nobody sees it meanwhile: this gives its memory and its part of the log back. */
public final class Cleaner {
    private static final Logger LOG = LoggerFactory.getLogger(Cleaner.class);

    /** No key: a turn in which nothing has expired looks at one number for each shard. */
    private static final Duration TURN = Duration.ofMillis(100);

    /** How often the highest time that was seen is forced onto the disk. No key: as often as the mark of the log. */
    private static final Duration FORCED = Duration.ofSeconds(1);

    /** How far the time that was told may be ahead of the clock of this node. No key: clocks that are set by NTP differ by less. */
    private static final Duration AHEAD = Duration.ofMinutes(1);

    private final Expired expired;
    private final SeenTime seen;
    private final Troubles troubles;
    private final BackgroundThread thread;
    private volatile boolean isEnding;
    private long forcedNanos = System.nanoTime();

    /** The time that was reported last. */
    private long toldMillis;

    public Cleaner(Expired expired, SeenTime seen, Troubles troubles) {
        this.expired = expired;
        this.seen = seen;
        this.troubles = troubles;
        this.thread = new BackgroundThread("kv-cleaner", troubles, () -> {
            turn();
            return TURN.toNanos();
        });
    }

    public void start() {
        thread.start();
    }

    private void turn() {
        long now = System.currentTimeMillis();
        clean(now);
        tellAhead(seen.millis(), now);
        if (System.nanoTime() - forcedNanos > FORCED.toNanos()) {
            forcedNanos = System.nanoTime();
            seen.sync();
        }
    }

    private void tellAhead(long seenMillis, long now) {
        if (seenMillis - now > AHEAD.toMillis()) {
            // Later ones are no further trouble: each would be logged.
            toldMillis = toldMillis - now > AHEAD.toMillis() ? toldMillis : seenMillis;
            troubles.warn(
                    "expiry",
                    "this node was told of " + Instant.ofEpochMilli(toldMillis) + ", which is ahead of its clock: what"
                            + " expires by then is gone; set the clocks, and see docs/storage.md");
        } else {
            troubles.over("expiry");
        }
    }

    /** Removes what has expired by a time. What the log does not take now stays until a later turn: the state of the log says why. */
    public synchronized void clean(long nowMillis) {
        try {
            expired.clean(nowMillis, () -> isEnding);
        } catch (Refused | NoRoomYet e) {
            LOG.debug("what has expired is not removed now", e);
        }
    }

    /** Ends the thread soon. */
    public void end() {
        isEnding = true;
        thread.end();
    }

    public boolean isDead() {
        return thread.isDead();
    }
}
