package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import dev.kv.router.Reply;
import dev.kv.storage.format.Damaged;
import dev.kv.storage.index.Index;
import java.util.concurrent.ThreadLocalRandom;

/** A bucket that a command only reads: under the lock of its shard, or by a frozen index. */
final class Reading implements View {
    static final Index NOTHING = new Index();

    private final Fields fields;
    private final Index index;
    private final boolean isKept;
    private final boolean isValue;
    private final boolean mayHaveGoneKeys;
    private final long until;
    private final long bytesMin;
    private final Turn turn;

    Reading(
            Fields fields,
            Index index,
            boolean isKept,
            boolean isValue,
            boolean mayHaveGoneKeys,
            long until,
            long bytesMin,
            Turn turn) {
        this.fields = fields;
        this.index = index;
        this.isKept = isKept;
        this.isValue = isValue;
        this.mayHaveGoneKeys = mayHaveGoneKeys;
        this.until = until;
        this.bytesMin = bytesMin;
        this.turn = turn;
    }

    /**
     * A bucket as it is now, under the lock of its shard.
     *
     * @param bucket null if there is none of the name
     * @throws Damaged if it is small, and its key is not what was written
     */
    static Reading of(Fields fields, Bucket bucket, Turn turn) {
        long nowMillis = turn.nowMillis();
        if (bucket == null || fields.live().isGone(bucket, nowMillis)) {
            return new Reading(fields, NOTHING, false, false, false, 0, 0, turn);
        }
        fields.checkKey(bucket);
        return new Reading(
                fields,
                fields.live().hasKeys(bucket, nowMillis) ? bucket.index : NOTHING,
                bucket.isKept(),
                bucket.isValue,
                bucket.mayHaveGoneKeys(nowMillis),
                bucket.until(),
                bucket.contentBytesMin(),
                turn);
    }

    @Override
    public boolean mayHaveGoneKeys() {
        return mayHaveGoneKeys;
    }

    @Override
    public long until() {
        return isValue ? until(VALUE) : until;
    }

    @Override
    public long until(Bytes key) {
        return fields.until(index, key, turn);
    }

    @Override
    public boolean isKept() {
        return isKept;
    }

    @Override
    public boolean isValue() {
        return isValue;
    }

    @Override
    public long size() {
        return index.size();
    }

    @Override
    public long bytesMin() {
        return bytesMin;
    }

    @Override
    public void checkAll() {
        turn.check(size(), bytesMin);
    }

    @Override
    public void work(long ofBytes) {
        turn.work(ofBytes);
    }

    @Override
    public Bytes get(Bytes key) {
        return fields.get(index, key, turn);
    }

    @Override
    public Bytes part(Bytes key, int from, int to) {
        return fields.part(index, key, from, to, turn);
    }

    @Override
    public long valueBytes(Bytes key) {
        return fields.valueBytes(index, key, turn);
    }

    @Override
    public Reply read(Bytes key) {
        return fields.read(index, key, turn);
    }

    @Override
    public void forEach(long fromPosition, Visitor visitor) {
        fields.forEach(index, fromPosition, turn, visitor);
    }

    @Override
    public boolean draw(Visitor visitor) {
        return fields.draw(index, ThreadLocalRandom.current(), turn, visitor);
    }
}
