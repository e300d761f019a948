package dev.kv.storage;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.node.Storage;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;

/** The buckets on this node by name. Runs each command at once, on the thread that calls. */
final class Registry implements Storage.Open {
    /** What a bucket takes beside its name: an entry of the map, the bucket, and its own map. */
    static final int OVERHEAD_BYTES = 256;

    private final ConcurrentHashMap<Bytes, Bucket> buckets = new ConcurrentHashMap<>();
    private final Room room;

    Registry(Room room) {
        this.room = room;
    }

    @Override
    public CompletionStage<Reply> run(Command command) {
        return switch (command) {
            case Command.Create create -> completed(create(create.bucket()));
            case Command.Put put ->
                completed(in(put.bucket(), bucket -> bucket.put(put.key(), put.value()) ? Reply.OK : noSpace()));
            case Command.Get get ->
                completed(in(
                        get.bucket(),
                        bucket -> bucket.get(get.key())
                                .<Reply>map(Reply.Value::new)
                                .orElse(Reply.ABSENT)));
            case Command.Delete delete ->
                completed(in(delete.bucket(), bucket -> {
                    bucket.delete(delete.key());
                    return Reply.OK;
                }));
            case Command.Route _ ->
                CompletableFuture.failedFuture(
                        new IllegalArgumentException("a bucket does not know the way: the router answers Route"));
        };
    }

    /** Synchronized, so that the room for a bucket is taken once, whoever creates it at the same time. */
    private synchronized Reply create(Bytes name) {
        if (buckets.containsKey(name)) {
            return Reply.OK;
        }
        if (!room.take((long) OVERHEAD_BYTES + name.size())) {
            return noSpace();
        }
        buckets.put(name, new Bucket(room));
        return Reply.OK;
    }

    private Reply in(Bytes name, Function<Bucket, Reply> action) {
        Bucket bucket = buckets.get(name);
        return bucket == null ? Reply.NOT_FOUND : action.apply(bucket);
    }

    private Reply noSpace() {
        return new Reply.Failed(
                Reply.Word.NOSPACE,
                "the buckets on this node hold %d of at most %d bytes, and this does not fit: delete keys, or raise"
                                .formatted(room.used(), room.max())
                        + " kv.storage.max-bytes (and the heap, -Xmx in config/jvm.options)");
    }

    private static CompletionStage<Reply> completed(Reply reply) {
        return CompletableFuture.completedFuture(reply);
    }

    @Override
    public void forEachBucket(Storage.BucketVisitor visitor) {
        buckets.forEach((name, bucket) -> visitor.visit(name, OVERHEAD_BYTES + name.size() + bucket.bytes()));
    }

    @Override
    public Map<String, String> status() {
        Map<String, String> status = new LinkedHashMap<>();
        status.put("buckets", Long.toString(buckets.mappingCount()));
        status.put(
                "keys",
                Long.toString(buckets.values().stream().mapToLong(Bucket::size).sum()));
        status.put("bytes", room.used() + " of at most " + room.max());
        return status;
    }

    /** Nothing is ever in flight. */
    @Override
    public void stop(Duration limit) {}
}
