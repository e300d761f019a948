package dev.kv.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.ConfigFactory;
import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.OperatorError;
import dev.kv.router.Reply;
import dev.kv.router.metrics.Metrics;
import dev.kv.router.spi.Engine;
import dev.kv.storage.format.Layout;
import dev.kv.storage.log.Sync;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StorageTest {
    private static final Sync EACH_SECOND = new Sync(false, Optional.of(Duration.ofSeconds(1)));

    @TempDir
    private Path folder;

    private OpenStorage storage;

    @BeforeEach
    void open() throws IOException {
        storage = open(EACH_SECOND);
    }

    private OpenStorage open(Sync sync) throws IOException {
        return OpenStorage.open(
                DataFolder.settings(folder.resolve("data"), sync, 0, 64L << 20, DataFolder.PINS),
                DataFolder.limits(1 << 20),
                _ -> {});
    }

    private void reopen(Sync sync) throws IOException {
        close();
        storage = open(sync);
    }

    @AfterEach
    void close() {
        storage.stop(Duration.ZERO);
    }

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

    @Test
    void bucketsSurviveARestart() throws Exception {
        create("empty");
        create("shopping");
        put("shopping", "milk", "1");
        put("shopping", "eggs", "12");
        put("shopping", "milk", "2");
        delete("shopping", "eggs");

        reopen(EACH_SECOND);

        assertThat(get("shopping", "milk")).isEqualTo(new Reply.Value(Bytes.of("2")));
        assertThat(get("shopping", "eggs")).isEqualTo(Reply.ABSENT);
        assertThat(get("empty", "x")).isEqualTo(Reply.ABSENT);
        assertThat(Metrics.texts(storage.metrics()))
                .containsEntry("buckets", "2")
                .containsEntry("keys", "1");
    }

    @Test
    void operatorsFindTheStorageDescribedUnderTheseNames() {
        assertThat(Metrics.texts(storage.metrics()).keySet())
                .containsExactly(
                        "state",
                        "buckets",
                        "keys",
                        "expiring",
                        "bytes",
                        "max bytes",
                        "free bytes",
                        "log bytes",
                        "segments",
                        "compactions",
                        "compacted bytes",
                        "syncs",
                        "sync micros",
                        "recovery millis",
                        "recovery read bytes",
                        "recovery hinted bytes");
    }

    @Test
    void aRestartInOrderReadsHintsAlone() throws Exception {
        create("shopping");
        put("shopping", "milk", "1");

        reopen(EACH_SECOND);

        assertThat(Metrics.texts(storage.metrics())).containsEntry("recovery read bytes", "0");
        assertThat(get("shopping", "milk")).isEqualTo(new Reply.Value(Bytes.of("1")));
    }

    @Test
    void aBucketThatIsNotKeptIsRemovedWithItsLastKey() throws Exception {
        storage.buckets().edit(0, Bytes.of("b"), bucket -> {
            bucket.set(Bytes.of("k"), Bytes.of("v"));
            return Reply.OK;
        });
        assertThat(get("b", "other")).isEqualTo(Reply.ABSENT);

        assertOk(delete("b", "k"));
        assertThat(get("b", "k")).isEqualTo(Reply.NOT_FOUND);

        reopen(EACH_SECOND);
        assertThat(get("b", "k")).isEqualTo(Reply.NOT_FOUND);
    }

    @Test
    void aChangeThatThrowsChangesNothing() {
        create("b");
        put("b", "k", "v");

        assertThatThrownBy(() -> storage.buckets().edit(0, Bytes.of("b"), bucket -> {
                    bucket.set(Bytes.of("k"), Bytes.of("w"));
                    bucket.delete(Bytes.of("x"));
                    throw new IllegalStateException("no");
                }))
                .hasMessage("no");

        assertThat(get("b", "k")).isEqualTo(new Reply.Value(Bytes.of("v")));
    }

    @Test
    void aWriteIsAcknowledgedWhenItIsOnTheDiskIfThatIsAskedFor() throws Exception {
        reopen(new Sync(true, Optional.empty()));
        create("b");

        assertOk(put("b", "k", "v"));

        assertThat(storage.log().tail().synced())
                .isEqualTo(storage.log().tail().appended())
                .isPositive();
    }

    @Test
    void anotherProcessCannotOpenTheFolder() {
        assertThatThrownBy(() -> open(EACH_SECOND))
                .isInstanceOf(OperatorError.class)
                .hasMessageContaining("is in use by another process");
    }

    @Test
    void aFolderOfANewerFormatIsRefused() throws Exception {
        close();
        Path format = folder.resolve("data/format");
        Files.writeString(format, Files.readString(format).replace("format 2", "format 3"));

        assertThatThrownBy(() -> open(EACH_SECOND))
                .isInstanceOf(OperatorError.class)
                .hasMessageEndingWith("is of format 3, and this release knows up to 2: use the release that wrote it");

        Files.writeString(format, Files.readString(format).replace("format 3", "format 2"));
        open();
    }

    /** A registry with one Erlang process for each bucket ends at 262 144 of them. */
    @Test
    void threeHundredThousandBucketsAreStored() throws Exception {
        for (int i = 0; i < 300_000; i++) {
            assertOk(create("bucket-" + i));
        }
        put("bucket-0", "key", "first");
        put("bucket-299999", "key", "last");

        reopen(EACH_SECOND);

        assertThat(get("bucket-0", "key")).isEqualTo(new Reply.Value(Bytes.of("first")));
        assertThat(get("bucket-299999", "key")).isEqualTo(new Reply.Value(Bytes.of("last")));
        assertThat(get("bucket-300000", "key")).isEqualTo(Reply.NOT_FOUND);
        assertThat(Metrics.texts(storage.metrics()))
                .containsEntry("buckets", "300000")
                .containsEntry("keys", "2");
    }

    @Test
    void tenThreadsThatCreateOneBucketLoseNoWrite() throws Exception {
        CyclicBarrier together = new CyclicBarrier(10);
        inParallel(10, client -> {
            together.await();
            for (int j = 0; j < 2_000; j++) {
                assertOk(create("shopping"));
                assertOk(put("shopping", client + "-" + j, Integer.toString(j)));
            }
        });

        assertThat(Metrics.texts(storage.metrics()))
                .containsEntry("buckets", "1")
                .containsEntry("keys", "20000");
        for (int client = 0; client < 10; client++) {
            for (int j = 0; j < 2_000; j++) {
                assertThat(get("shopping", client + "-" + j)).isEqualTo(new Reply.Value(Bytes.of(Integer.toString(j))));
            }
        }
    }

    @Test
    void threadsThatWriteAndDeleteLeaveTheCountOfBytesRight() throws Exception {
        create("b");
        String empty = Metrics.texts(storage.metrics()).get("bytes");
        inParallel(4, client -> {
            for (int j = 0; j < 20_000; j++) {
                assertOk(put("b", "key-" + j % 7, "v".repeat(j % 11)));
                assertOk(delete("b", "key-" + j % 5));
            }
        });
        for (int key = 0; key < 7; key++) {
            delete("b", "key-" + key);
        }

        assertThat(Metrics.texts(storage.metrics())).containsEntry("keys", "0").containsEntry("bytes", empty);
    }

    @Test
    void showsAllBuckets() {
        for (int i = 0; i < 1000; i++) {
            create("bucket-" + i);
        }
        put("bucket-7", "k", "v");
        Map<Bytes, Long> seen = new HashMap<>();

        storage.forEachBucket((name, bytes) -> seen.put(name, bytes) == null);

        assertThat(seen).hasSize(1000).containsEntry(Bytes.of("bucket-7"), Layout.fieldCost(8, 1, 1));
    }

    @Test
    void showsNoMoreBucketsThanTheVisitorWants() {
        for (int i = 0; i < 1000; i++) {
            create("bucket-" + i);
        }
        List<Bytes> seen = new ArrayList<>();

        storage.forEachBucket((name, _) -> {
            seen.add(name);
            return seen.size() < 10;
        });

        assertThat(seen).hasSize(10);
    }

    @Test
    void aRouteIsNotForBuckets() {
        assertThatThrownBy(() -> reply(new Command.Route(Bytes.of("b"))))
                .hasRootCauseInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void isTheStorageOfAReleaseThatHoldsThisModule() {
        assertThat(ServiceLoader.load(Engine.class)).singleElement().isInstanceOf(LogStorage.class);
        assertThat(ConfigFactory.parseResources("reference.conf").getBytes("kv.storage.max-bytes"))
                .isZero();
    }

    @FunctionalInterface
    private interface Work {
        void run(int client) throws Exception;
    }

    private static void inParallel(int count, Work work) throws Exception {
        List<Callable<Void>> clients = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int client = i;
            clients.add(() -> {
                work.run(client);
                return null;
            });
        }
        try (ExecutorService threads = Executors.newFixedThreadPool(count)) {
            for (Future<Void> future : threads.invokeAll(clients)) {
                future.get();
            }
        }
    }

    private Reply create(String bucket) {
        return reply(new Command.Create(Bytes.of(bucket)));
    }

    private Reply put(String bucket, String key, String value) {
        return reply(new Command.Put(Bytes.of(bucket), Bytes.of(key), Bytes.of(value)));
    }

    private Reply get(String bucket, String key) {
        return reply(new Command.Get(Bytes.of(bucket), Bytes.of(key)));
    }

    private Reply delete(String bucket, String key) {
        return reply(new Command.Delete(Bytes.of(bucket), Bytes.of(key)));
    }

    private Reply reply(Command command) {
        return DataFolder.run(storage, command);
    }

    private static void assertOk(Reply reply) {
        assertThat(reply).isEqualTo(Reply.OK);
    }
}
