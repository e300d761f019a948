package dev.kv.benchmarks;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.config.Layers;
import dev.kv.router.node.Storage;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.ServiceLoader;

/** The storage alone, as a node opens it, and the data that the benchmarks write: 16-byte keys and 64-byte values. */
final class Engine implements AutoCloseable {
    static final int VALUE_BYTES = 64;

    private final Storage.Open storage;

    Engine(Path data, String... settings) {
        Map<String, String> all = new HashMap<>();
        all.put("kv.storage.dir", data.toString());
        for (int i = 0; i < settings.length; i += 2) {
            all.put(settings[i], settings[i + 1]);
        }
        storage = ServiceLoader.load(Storage.class)
                .findFirst()
                .orElseThrow()
                .configure(Layers.of(data.getParent(), all).load())
                .start(1 << 20, _ -> {});
    }

    static Bytes key(int i) {
        return Bytes.of("key-%012d".formatted(i));
    }

    static Bytes bucket(int i) {
        return Bytes.of("bucket-" + i);
    }

    void create(Bytes bucket) {
        expect(storage.run(new Command.Create(bucket)).toCompletableFuture().join(), Reply.OK);
    }

    void put(Bytes bucket, Bytes key, Bytes value) {
        expect(
                storage.run(new Command.Put(bucket, key, value))
                        .toCompletableFuture()
                        .join(),
                Reply.OK);
    }

    void get(Bytes bucket, Bytes key) {
        Reply reply =
                storage.run(new Command.Get(bucket, key)).toCompletableFuture().join();
        if (!(reply instanceof Reply.Value)) {
            throw new IllegalStateException("a value is missing: " + reply);
        }
    }

    private static void expect(Reply reply, Reply expected) {
        if (!reply.equals(expected)) {
            throw new IllegalStateException("answered " + reply);
        }
    }

    long status(String key) {
        return Long.parseLong(storage.status().get(key));
    }

    @Override
    public void close() {
        storage.stop(Duration.ZERO);
    }
}
