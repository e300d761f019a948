package dev.kv.benchmarks;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Expiry;
import dev.kv.router.Held;
import dev.kv.router.Limits;
import dev.kv.router.Reply;
import dev.kv.router.config.Layers;
import dev.kv.router.metrics.Metrics;
import dev.kv.router.spi.Engine;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.stream.Stream;

/** The storage alone, as a node opens it, and the data that the benchmarks write: 16-byte keys and 64-byte values. */
final class EngineClient implements AutoCloseable {
    static final int VALUE_BYTES = 64;

    private final Engine.Open storage;
    private final Metrics metrics = new Metrics();

    EngineClient(Path data, String... settings) {
        Map<String, String> all = new HashMap<>();
        all.put("kv.storage.dir", data.toString());
        for (int i = 0; i < settings.length; i += 2) {
            all.put(settings[i], settings[i + 1]);
        }
        storage = ServiceLoader.load(Engine.class)
                .findFirst()
                .orElseThrow()
                .configure(Layers.of(data.getParent(), all).load())
                .start(new Limits(1, 1 << 16, 1 << 16, 1 << 20, 1 << 10, 1 << 20), _ -> {});
        metrics.add(Engine.PART, storage.metrics());
    }

    static Bytes value() {
        byte[] value = new byte[VALUE_BYTES];
        Arrays.fill(value, (byte) 'v');
        return Bytes.owning(value);
    }

    /** A key as a request brings it: its bytes have just been written. */
    static Bytes key(int i) {
        byte[] key = "key-000000000000".getBytes(US_ASCII);
        int rest = i;
        for (int at = key.length - 1; rest > 0; at--) {
            key[at] = (byte) ('0' + rest % 10);
            rest /= 10;
        }
        return Bytes.owning(key);
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

    /** Sets a key, and makes the bucket if there is none: it goes with its last key. */
    void set(Bytes bucket, Bytes key, Bytes value) {
        expect(
                storage.run(new Command.SetAll(bucket, List.of(key, value), false))
                        .toCompletableFuture()
                        .join(),
                new Reply.Amount(1));
    }

    void setValue(Bytes name, Bytes value) {
        expect(
                storage.run(new Command.SetValue(name, value, Command.Condition.ALWAYS, false))
                        .toCompletableFuture()
                        .join(),
                Reply.OK);
    }

    /**
     * Sets a value that expires.
     *
     * @param until when, in milliseconds since 1970
     */
    void setValue(Bytes name, Bytes value, long until) {
        Command.SetValue set = new Command.SetValue(name, value, Command.Condition.ALWAYS, false);
        expect(
                storage.run(new Command.SetValueUntil(set, new Expiry.At(until)))
                        .toCompletableFuture()
                        .join(),
                Reply.OK);
    }

    void getValue(Bytes name) {
        read(new Command.GetValue(name));
    }

    void get(Bytes bucket, Bytes key) {
        read(new Command.Get(bucket, key));
    }

    private void read(Command command) {
        Reply reply = Held.flat(storage.run(command).toCompletableFuture().join());
        if (!(reply instanceof Reply.Value)) {
            throw new IllegalStateException("a value is missing: " + reply);
        }
    }

    private static void expect(Reply reply, Reply expected) {
        if (!reply.equals(expected)) {
            throw new IllegalStateException("answered " + reply);
        }
    }

    /** A folder for data that is not there yet. */
    static Path fresh(Path folder, String name) {
        Path data = folder.resolve(name);
        remove(data);
        return data;
    }

    static void remove(Path data) {
        if (Files.exists(data)) {
            try (Stream<Path> files = Files.walk(data)) {
                for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(file);
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    /** The value of one of the storage's metrics. */
    long number(String metric) {
        return metrics.number(Engine.PART, metric).orElseThrow();
    }

    @Override
    public void close() {
        storage.stop(Duration.ZERO);
    }
}
