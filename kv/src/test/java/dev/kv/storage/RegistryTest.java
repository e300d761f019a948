package dev.kv.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.ConfigFactory;
import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.node.Storage;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

class RegistryTest {
    private final Registry registry = new Registry(new Room(1L << 30), 1L << 20);

    @Test
    void spawnsBuckets() {
        assertThat(get("shopping", "milk")).isEqualTo(Reply.NOT_FOUND);
        assertThat(put("shopping", "milk", "1")).isEqualTo(Reply.NOT_FOUND);
        assertThat(delete("shopping", "milk")).isEqualTo(Reply.NOT_FOUND);

        assertThat(create("shopping")).isEqualTo(Reply.OK);

        assertThat(get("shopping", "milk")).isEqualTo(Reply.ABSENT);
        assertThat(get("Shopping", "milk")).isEqualTo(Reply.NOT_FOUND);
    }

    @Test
    void storesValuesByKey() {
        create("shopping");

        assertThat(put("shopping", "milk", "1")).isEqualTo(Reply.OK);
        assertThat(put("shopping", "eggs", "")).isEqualTo(Reply.OK);
        assertThat(get("shopping", "milk")).isEqualTo(new Reply.Value(Bytes.of("1")));
        assertThat(get("shopping", "eggs")).isEqualTo(new Reply.Value(Bytes.EMPTY));

        assertThat(put("shopping", "milk", "2")).isEqualTo(Reply.OK);
        assertThat(get("shopping", "milk")).isEqualTo(new Reply.Value(Bytes.of("2")));
    }

    @Test
    void removesKeysAndKeepsTheBucket() {
        create("shopping");
        put("shopping", "milk", "1");

        assertThat(delete("shopping", "milk")).isEqualTo(Reply.OK);
        assertThat(delete("shopping", "milk")).isEqualTo(Reply.OK);
        assertThat(get("shopping", "milk")).isEqualTo(Reply.ABSENT);
    }

    @Test
    void creatingABucketAgainKeepsItsKeys() {
        create("shopping");
        put("shopping", "milk", "1");

        assertThat(create("shopping")).isEqualTo(Reply.OK);
        assertThat(get("shopping", "milk")).isEqualTo(new Reply.Value(Bytes.of("1")));
    }

    @Test
    void bucketsKeepTheirKeysApart() {
        create("a");
        create("b");
        put("a", "key", "of a");
        put("b", "key", "of b");

        assertThat(get("a", "key")).isEqualTo(new Reply.Value(Bytes.of("of a")));
        assertThat(get("b", "key")).isEqualTo(new Reply.Value(Bytes.of("of b")));
    }

    /** Scenario 3: about 262 000 buckets ended the published registry and all its data. */
    @Test
    void threeHundredThousandBucketsDoNotEndIt() {
        for (int i = 0; i < 300_000; i++) {
            assertOk(create("bucket-" + i));
        }
        put("bucket-0", "key", "first");
        put("bucket-299999", "key", "last");

        assertThat(get("bucket-0", "key")).isEqualTo(new Reply.Value(Bytes.of("first")));
        assertThat(get("bucket-299999", "key")).isEqualTo(new Reply.Value(Bytes.of("last")));
        assertThat(get("bucket-300000", "key")).isEqualTo(Reply.NOT_FOUND);
        assertThat(registry.status()).containsEntry("buckets", "300000").containsEntry("keys", "2");
    }

    @Test
    void tenThreadsThatCreateOneBucketLoseNoWrite() throws Exception {
        List<Callable<Void>> clients = new ArrayList<>();
        CyclicBarrier together = new CyclicBarrier(10);
        for (int i = 0; i < 10; i++) {
            int client = i;
            clients.add(() -> {
                together.await();
                for (int j = 0; j < 2_000; j++) {
                    assertOk(create("shopping"));
                    assertOk(put("shopping", client + "-" + j, Integer.toString(j)));
                }
                return null;
            });
        }
        try (ExecutorService threads = Executors.newFixedThreadPool(10)) {
            for (Future<Void> future : threads.invokeAll(clients)) {
                future.get();
            }
        }

        assertThat(registry.status()).containsEntry("buckets", "1").containsEntry("keys", "20000");
        for (int client = 0; client < 10; client++) {
            for (int j = 0; j < 2_000; j++) {
                assertThat(get("shopping", client + "-" + j)).isEqualTo(new Reply.Value(Bytes.of(Integer.toString(j))));
            }
        }
    }

    @Test
    void whatDoesNotFitIsRefusedUntilDeletesMakeRoom() {
        int max = Registry.OVERHEAD_BYTES + 1 + 2 * (Bucket.OVERHEAD_BYTES + 1 + 100);
        Registry small = new Registry(new Room(max), 1L << 20);
        String value = "v".repeat(100);

        assertOk(reply(small, new Command.Create(Bytes.of("b"))));
        assertOk(put(small, "1", value));
        assertOk(put(small, "2", value));

        Reply refused = new Reply.Failed(
                Reply.Word.NOSPACE,
                "the buckets on this node hold " + max + " of at most " + max
                        + " bytes, and this does not fit: delete keys,"
                        + " or raise kv.storage.max-bytes (and the heap, -Xmx in config/jvm.options)");
        assertThat(put(small, "3", "")).isEqualTo(refused);
        assertThat(put(small, "2", value + "v")).isEqualTo(refused);
        assertThat(reply(small, new Command.Create(Bytes.of("c")))).isEqualTo(refused);
        assertThat(get(small, "2")).isEqualTo(new Reply.Value(Bytes.of(value)));
        assertThat(get(small, "3")).isEqualTo(Reply.ABSENT);
        assertOk(reply(small, new Command.Create(Bytes.of("b"))));
        assertOk(put(small, "2", "w".repeat(100)));

        assertOk(reply(small, new Command.Delete(Bytes.of("b"), Bytes.of("1"))));
        assertThat(put(small, "3", value + "v")).isInstanceOf(Reply.Failed.class);
        assertOk(put(small, "3", value));

        assertOk(put(small, "3", ""));
        assertOk(put(small, "2", value + value));
        assertThat(small.status())
                .containsExactlyInAnyOrderEntriesOf(Map.of(
                        "buckets", "1",
                        "keys", "2",
                        "bytes", max + " of at most " + max));
    }

    @Test
    void threadsThatWriteAndDeleteLeaveTheCountOfBytesRight() throws Exception {
        create("b");
        String empty = registry.status().get("bytes");
        List<Callable<Void>> clients = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            clients.add(() -> {
                for (int j = 0; j < 20_000; j++) {
                    assertOk(put("b", "key-" + j % 7, "v".repeat(j % 11)));
                    assertOk(delete("b", "key-" + j % 5));
                }
                return null;
            });
        }
        try (ExecutorService threads = Executors.newFixedThreadPool(4)) {
            for (Future<Void> future : threads.invokeAll(clients)) {
                future.get();
            }
        }
        for (int key = 0; key < 7; key++) {
            delete("b", "key-" + key);
        }

        assertThat(registry.status()).containsEntry("keys", "0").containsEntry("bytes", empty);
    }

    @Test
    void aRouteIsNotForBuckets() {
        assertThatThrownBy(() -> reply(registry, new Command.Route(Bytes.of("b"))))
                .hasRootCauseInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void isTheStorageOfAReleaseThatHoldsThisModule() {
        assertThat(ServiceLoader.load(Storage.class)).singleElement().isInstanceOf(MemoryStorage.class);
        assertThat(ConfigFactory.parseResources("reference.conf").getBytes("kv.storage.max-bytes"))
                .isZero();
    }

    private Reply create(String bucket) {
        return reply(registry, new Command.Create(Bytes.of(bucket)));
    }

    private Reply put(String bucket, String key, String value) {
        return reply(registry, new Command.Put(Bytes.of(bucket), Bytes.of(key), Bytes.of(value)));
    }

    private Reply get(String bucket, String key) {
        return reply(registry, new Command.Get(Bytes.of(bucket), Bytes.of(key)));
    }

    private Reply delete(String bucket, String key) {
        return reply(registry, new Command.Delete(Bytes.of(bucket), Bytes.of(key)));
    }

    private static Reply put(Registry small, String key, String value) {
        return reply(small, new Command.Put(Bytes.of("b"), Bytes.of(key), Bytes.of(value)));
    }

    private static Reply get(Registry small, String key) {
        return reply(small, new Command.Get(Bytes.of("b"), Bytes.of(key)));
    }

    /** A reply is there at once. */
    private static Reply reply(Registry registry, Command command) {
        var stage = registry.run(command).toCompletableFuture();
        assertThat(stage).isDone();
        return stage.join();
    }

    private static void assertOk(Reply reply) {
        assertThat(reply).isEqualTo(Reply.OK);
    }
}
