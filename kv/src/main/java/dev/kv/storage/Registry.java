package dev.kv.storage;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.node.Storage;
import dev.kv.storage.Bucket.Place;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.BiFunction;
import java.util.function.Function;

/**
 * The buckets on this node by name, in memory. Runs each command at once, on the thread that calls. A lock of its own for each
 * of a fixed number of parts of all names keeps commands on one bucket apart.
 */
final class Registry implements Storage.Open, Engine {
    /** What a bucket takes beside its name: an entry of the map, the bucket, and its own map. */
    static final int OVERHEAD_BYTES = 256;

    private static final int LOCKS = 256;

    private final ConcurrentSkipListMap<Place, Bucket> buckets = new ConcurrentSkipListMap<>();
    private final Object[] locks = new Object[LOCKS];
    private final Room room;
    private final Commands commands;
    private final long hashKey = ThreadLocalRandom.current().nextLong();

    Registry(Room room, long replyMaxBytes) {
        this.room = room;
        this.commands = new Commands(this, replyMaxBytes);
        for (int i = 0; i < LOCKS; i++) {
            locks[i] = new Object();
        }
    }

    /** There is no room for what a command sets. */
    static final class NoSpace extends RuntimeException {
        private static final long serialVersionUID = 1L;

        NoSpace() {
            super("no space", null, false, false);
        }
    }

    @Override
    public CompletionStage<Reply> run(Command command) {
        try {
            return CompletableFuture.completedFuture(commands.run(command));
        } catch (RuntimeException fault) {
            return CompletableFuture.failedFuture(fault);
        }
    }

    /** Where the name stands: 32 bits of a hash that nobody outside can foresee. */
    Place place(Bytes name) {
        long hash = hashKey;
        for (byte b : name.array()) {
            hash = (hash ^ b) * 0x100000001B3L;
        }
        hash = (hash ^ hash >>> 33) * 0xFF51AFD7ED558CCDL;
        hash = (hash ^ hash >>> 33) * 0xC4CEB9FE1A85EC53L;
        return new Place(hash >>> 32, name);
    }

    private int lock(Place place) {
        return (int) (place.position() & (LOCKS - 1));
    }

    @Override
    public Reply read(Bytes name, Function<View, Reply> command) {
        Place place = place(name);
        synchronized (locks[lock(place)]) {
            Bucket bucket = buckets.get(place);
            return command.apply(bucket == null ? new Bucket(this, room) : bucket);
        }
    }

    @Override
    public Reply edit(Bytes name, Function<Edit, Reply> command) {
        Place place = place(name);
        try {
            synchronized (locks[lock(place)]) {
                return edit(place, command::apply);
            }
        } catch (NoSpace e) {
            return noSpace();
        }
    }

    @Override
    public Reply edit(Bytes first, Bytes second, BiFunction<Edit, Edit, Reply> command) {
        Place one = place(first);
        Place other = place(second);
        try {
            synchronized (locks[Math.min(lock(one), lock(other))]) {
                synchronized (locks[Math.max(lock(one), lock(other))]) {
                    return edit(one, a -> edit(other, b -> command.apply(a, b)));
                }
            }
        } catch (NoSpace e) {
            return noSpace();
        }
    }

    /** Runs the command on the bucket, made for it if there is none; on failure all is as before. */
    private Reply edit(Place place, Function<Bucket, Reply> command) {
        Bucket known = buckets.get(place);
        Bucket bucket = known == null ? new Bucket(this, room) : known;
        long cost = (long) OVERHEAD_BYTES + place.name().size();
        try {
            Reply reply = command.apply(bucket);
            if (known == null && bucket.exists()) {
                if (!room.take(cost)) {
                    throw new NoSpace();
                }
                buckets.put(place, bucket);
            } else if (known != null && !bucket.exists()) {
                buckets.remove(place);
                room.giveBack(cost);
            }
            bucket.commit();
            return reply;
        } catch (RuntimeException | Error e) {
            bucket.rollBack();
            throw e;
        }
    }

    private Reply noSpace() {
        return new Reply.Failed(
                Reply.Word.NOSPACE,
                "the buckets on this node hold %d of at most %d bytes, and this does not fit: delete keys, or raise"
                                .formatted(room.used(), room.max())
                        + " kv.storage.max-bytes (and the heap, -Xmx in config/jvm.options)");
    }

    @Override
    public void forEachBucket(long fromPosition, Engine.BucketVisitor visitor) {
        for (Map.Entry<Place, Bucket> entry :
                buckets.tailMap(new Place(fromPosition, Bytes.EMPTY)).entrySet()) {
            Place place = entry.getKey();
            if (!visitor.visit(place.position(), place.name(), size(place, entry.getValue()))) {
                return;
            }
        }
    }

    private long size(Place place, Bucket bucket) {
        synchronized (locks[lock(place)]) {
            return bucket.size();
        }
    }

    @Override
    public void forEachBucket(Storage.BucketVisitor visitor) {
        buckets.forEach((place, bucket) -> {
            long bytes;
            synchronized (locks[lock(place)]) {
                bytes = bucket.bytes();
            }
            visitor.visit(place.name(), OVERHEAD_BYTES + place.name().size() + bytes);
        });
    }

    @Override
    public Map<String, String> status() {
        long count = 0;
        long keys = 0;
        for (Map.Entry<Place, Bucket> entry : buckets.entrySet()) {
            count++;
            keys += size(entry.getKey(), entry.getValue());
        }
        Map<String, String> status = new LinkedHashMap<>();
        status.put("buckets", Long.toString(count));
        status.put("keys", Long.toString(keys));
        status.put("bytes", room.used() + " of at most " + room.max());
        return status;
    }

    /** Nothing is ever in flight. */
    @Override
    public void stop(Duration limit) {}
}
