package dev.kv.storage;

import dev.kv.router.Bytes;
import java.util.Comparator;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;

/** A change of one bucket while it is made; {@link Buckets} puts it into force. */
final class Change implements Edit {
    private final Fields fields;

    /** The bucket that is there, and what of it is not dropped; null if there is none, or no longer. */
    private Bucket bucket;

    private Bucket dropped;
    private boolean isKept;
    private long size;

    /** In the order in which the keys were first changed. */
    private final Map<Bytes, Pending> pending = new LinkedHashMap<>();

    /** What becomes of a key. */
    static final class Pending {
        /** Where it is now; {@link Index#NONE} if it is not there. */
        final long before;

        /** Null if the key is removed. */
        Bytes value;

        Pending(long before) {
            this.before = before;
        }

        boolean isVain() {
            return value == null && before == Index.NONE;
        }
    }

    /**
     * @param bucket what is there; null if there is none
     */
    Change(Fields fields, Bucket bucket) {
        this.fields = fields;
        this.bucket = bucket;
        this.isKept = bucket != null && bucket.isKept();
        this.size = bucket == null ? 0 : bucket.index.size();
    }

    /** The bucket that stays and is changed; null if there is none. */
    Bucket bucket() {
        return bucket;
    }

    /** The bucket that goes; null if there is none. */
    Bucket dropped() {
        return dropped;
    }

    Map<Bytes, Pending> pending() {
        return pending;
    }

    @Override
    public boolean exists() {
        return size > 0 || isKept;
    }

    @Override
    public boolean isKept() {
        return isKept;
    }

    @Override
    public long size() {
        return size;
    }

    @Override
    public Bytes get(Bytes key) {
        Pending change = pending.isEmpty() ? null : pending.get(key);
        if (change != null) {
            return change.value;
        }
        return bucket == null ? null : fields.get(bucket, key);
    }

    @Override
    public void forEach(long fromPosition, Visitor visitor) {
        Iterator<Bytes> changed = pending.entrySet().stream()
                .filter(entry -> entry.getValue().value != null && fields.position(entry.getKey()) >= fromPosition)
                .map(Map.Entry::getKey)
                .sorted(Comparator.comparingLong(fields::position))
                .iterator();
        Merge merge = new Merge(changed, visitor);
        if (bucket != null) {
            fields.forEach(bucket.index, fromPosition, merge);
        }
        merge.showUpTo(Long.MAX_VALUE);
    }

    /** Shows the pairs of the bucket that are not changed, and those that are, together in order. */
    private final class Merge implements Visitor {
        private final Iterator<Bytes> changed;
        private final Visitor visitor;
        private Bytes next;
        private boolean wantsMore = true;

        Merge(Iterator<Bytes> changed, Visitor visitor) {
            this.changed = changed;
            this.visitor = visitor;
            this.next = changed.hasNext() ? changed.next() : null;
        }

        @Override
        public boolean visit(long position, Bytes key, Bytes value) {
            showUpTo(position);
            if (wantsMore && (pending.isEmpty() || !pending.containsKey(key))) {
                wantsMore = visitor.visit(position, key, value);
            }
            return wantsMore;
        }

        void showUpTo(long position) {
            while (wantsMore && next != null && fields.position(next) <= position) {
                wantsMore = visitor.visit(fields.position(next), next, pending.get(next).value);
                next = changed.hasNext() ? changed.next() : null;
            }
        }
    }

    @Override
    public void set(Bytes key, Bytes value) {
        Pending change = pending(key);
        size += isThere(change) ? 0 : 1;
        change.value = value;
    }

    @Override
    public void delete(Bytes key) {
        Pending change = pending(key);
        size -= isThere(change) ? 1 : 0;
        change.value = null;
        if (change.isVain()) {
            pending.remove(key);
        }
    }

    private static boolean isThere(Pending change) {
        return change.value != null;
    }

    private Pending pending(Bytes key) {
        Pending change = pending.get(key);
        if (change == null) {
            change = new Pending(bucket == null ? Index.NONE : fields.find(bucket, key));
            // Until it is changed the value is what it was, whatever that is.
            change.value = change.before == Index.NONE ? null : Bytes.EMPTY;
            pending.put(key, change);
        }
        return change;
    }

    @Override
    public void keep() {
        isKept = true;
    }

    @Override
    public void drop() {
        pending.clear();
        if (bucket != null) {
            dropped = bucket;
        }
        bucket = null;
        isKept = false;
        size = 0;
    }
}
