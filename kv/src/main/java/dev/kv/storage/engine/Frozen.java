package dev.kv.storage.engine;

import dev.kv.storage.format.Damaged;
import dev.kv.storage.index.Index;
import dev.kv.storage.log.Log;
import dev.kv.storage.log.Pin;
import java.util.function.BooleanSupplier;

/** A bucket as it was at one moment. The segments that hold it stay until it is closed, or for as long as pins may last. */
public final class Frozen implements AutoCloseable {
    private final Fields fields;
    private final byte[] name;
    private final int hash;
    private final Bucket bucket;
    private final Index index;
    private final boolean isKept;
    private final boolean isValue;
    private final boolean isGone;
    private final boolean hasKeys;
    private final boolean mayHaveGoneKeys;
    private final long until;
    private final boolean mayKeysExpire;
    private final long bytesMin;
    private final long nowMillis;
    private final Pin pin;

    /**
     * Freezes a bucket, under the lock of its shard for writing.
     *
     * @param bucket null if there is none of the name
     * @param nowMillis the time as of which it is seen
     * @throws Damaged if it is small, and its key is not what was written
     */
    Frozen(Log log, Fields fields, byte[] name, int hash, Bucket bucket, long nowMillis) {
        this.fields = fields;
        this.name = name;
        this.hash = hash;
        this.bucket = bucket;
        this.nowMillis = nowMillis;
        this.isGone = fields.live().isGone(bucket, nowMillis);
        boolean exists = bucket != null && !isGone;
        this.hasKeys = exists && fields.live().hasKeys(bucket, nowMillis);
        this.mayHaveGoneKeys = exists && bucket.mayHaveGoneKeys(nowMillis);
        this.index = exists ? bucket.index.frozen() : Reading.NOTHING;
        this.isKept = exists && bucket.isKept();
        this.isValue = exists && bucket.isValue;
        this.until = exists ? bucket.until() : 0;
        this.mayKeysExpire = exists && bucket.lifetime != null;
        this.bytesMin = exists ? bucket.contentBytesMin() : 0;
        if (exists) {
            fields.checkKey(bucket);
        }
        this.pin = log.segments().pinKnown();
    }

    /**
     * A change of the bucket, for the only thread that changes it.
     *
     * @param isCancelled as for {@link Turn#ofLarge}
     */
    Change change(BooleanSupplier isCancelled) {
        return new Change(fields, Turn.ofLarge(nowMillis, isCancelled))
                .ofFrozen(name, hash, bucket, index, isGone, hasKeys);
    }

    /** Whether the bucket existed. */
    public boolean exists() {
        return bucket != null && !isGone;
    }

    public boolean isKept() {
        return isKept;
    }

    /** Whether the name had a value. */
    public boolean isValue() {
        return isValue;
    }

    /** When it expires, in milliseconds since 1970; 0 if it does not. Of a value not verified. */
    public long until() {
        return until;
    }

    /** Whether a value, or keys, may expire. */
    public boolean mayKeysExpire() {
        return mayKeysExpire;
    }

    /** The content, without a limit of the turn. */
    public View view() {
        return view(new Turn(Turn.Limits.NONE, nowMillis));
    }

    /**
     * The content, read in turns.
     *
     * @param isCancelled as for {@link Turn#ofLarge}
     */
    View view(BooleanSupplier isCancelled) {
        return view(Turn.ofLarge(nowMillis, isCancelled));
    }

    private View view(Turn turn) {
        Index read = hasKeys ? index : Reading.NOTHING;
        return new Reading(fields, read, isKept, isValue, mayHaveGoneKeys, until, bytesMin, turn);
    }

    /** The pin ended before the reader did: reads fail from then on. */
    public static final class CutOff extends RuntimeException {
        private static final long serialVersionUID = 1L;

        private CutOff(Throwable cause) {
            super("compaction has replaced what is read", cause);
        }
    }

    /**
     * Does work that reads the bucket.
     *
     * @throws CutOff if it fails because the pin has ended
     */
    public <T, E extends Exception> T read(Lanes.Patient<T, E> work) throws E {
        try {
            return work.run();
        } catch (IllegalStateException | Damaged | InternalError e) {
            if (pin.isCutOff()) {
                throw new CutOff(e);
            }
            throw e;
        }
    }

    @Override
    public void close() {
        pin.close();
    }
}
