package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import dev.kv.storage.log.Refused;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/**
 * A bucket, or a value, that no command sees until it is published. It is filled in changes of bounded size, so that it takes no memory of
 * its content, and others have the lock of the shard between them. One thread, which may block; to close it drops what is not published.
 */
public final class HiddenBucket implements AutoCloseable {
    /** What one change holds. No keys: about a turn of a command with the usual {@code kv.storage.large}. */
    private static final int CHANGE_MAX_KEYS = 1024;

    private static final long CHANGE_MAX_BYTES = 256 * 1024;

    private record Pair(Bytes key, Bytes value, long until) {}

    private final Publisher publisher;
    private final boolean isValue;
    private final Bucket bucket;
    private final List<Pair> unwritten = new ArrayList<>();
    private long unwrittenBytes;
    private boolean isPublished;

    /**
     * @param name the name under which it is to be published
     * @param isValue whether its only pair is a value
     */
    public HiddenBucket(Publisher publisher, Bytes name, boolean isValue) {
        this.publisher = publisher;
        this.isValue = isValue;
        this.bucket = publisher.hidden(name);
    }

    /** Makes it one that stays without keys. */
    public void keep() throws Refused {
        publisher.fill(bucket, Edit::keep);
    }

    /**
     * Sets a key, or the value.
     *
     * @param until when it expires, in milliseconds since 1970; 0 if it does not
     * @throws Refused if that, or what was set before, could not be written
     */
    public void set(Bytes key, Bytes value, long until) throws Refused {
        unwritten.add(new Pair(key, value, until));
        unwrittenBytes += (long) key.size() + value.size();
        if (unwritten.size() >= CHANGE_MAX_KEYS || unwrittenBytes >= CHANGE_MAX_BYTES) {
            write();
        }
    }

    private void write() throws Refused {
        publisher.fill(bucket, edit -> {
            for (Pair pair : unwritten) {
                if (isValue) {
                    edit.setValue(pair.value, pair.until);
                } else {
                    boolean _ = edit.set(pair.key, pair.value, pair.until);
                }
            }
        });
        unwritten.clear();
        unwrittenBytes = 0;
    }

    /**
     * Makes it visible under its name: see {@link Publisher#publish}.
     *
     * @param until when the bucket expires, in milliseconds since 1970; 0 if it does not, or is a value
     */
    public boolean publish(long takenMillis, long until, Predicate<View> may) throws Refused {
        write();
        if (until != 0) {
            publisher.fill(bucket, edit -> {
                if (edit.exists()) {
                    edit.expire(until);
                }
            });
        }
        isPublished = Lanes.patiently(() -> publisher.publish(takenMillis, bucket, may));
        return isPublished;
    }

    @Override
    public void close() {
        if (!isPublished) {
            publisher.abandon(bucket);
        }
    }
}
