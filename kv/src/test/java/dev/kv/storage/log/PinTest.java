package dev.kv.storage.log;

import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Limits;
import dev.kv.router.Reply;
import dev.kv.router.spi.EngineFailed;
import dev.kv.storage.DataFolder;
import dev.kv.storage.OpenStorage;
import dev.kv.storage.tools.Backup;
import dev.kv.storage.tools.StoredBackup;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Slow readers: they delay nobody, and read the state of one moment, or are cut off. */
@Timeout(120)
class PinTest {
    private static final long MIB = 1L << 20;
    private static final int PAGE_BYTES = 4096;
    private static final int KEYS = 300;
    private static final Limits LIMITS = new Limits(16, 100, 100, 1 << 20, 100, 1 << 20);

    @TempDir
    private Path folder;

    private List<Segment> replaced;
    private OpenStorage storage;
    private final Map<String, String> written = new TreeMap<>();

    /** Opens when the reader of an export may take more than the first bytes. */
    private final CountDownLatch goOn = new CountDownLatch(1);

    private final CountDownLatch begun = new CountDownLatch(1);

    private void open(Duration pinMax) throws IOException {
        open(pinMax, Optional.of(Duration.ofMillis(10)));
    }

    private void open(Duration pinMax, Optional<Duration> interval) throws IOException {
        storage = OpenStorage.open(
                DataFolder.settings(
                        folder.resolve("data"), new Sync(false, interval), 0, MIB, new PinLimits(pinMax, pinMax)),
                DataFolder.limits(MIB),
                _ -> {});
        DataFolder.create(storage, "b");
    }

    @AfterEach
    void close() {
        storage.stop(Duration.ZERO);
    }

    private void fill(String with) {
        for (int i = 0; i < KEYS; i++) {
            DataFolder.put(storage, "b", "key-" + i, with + "x".repeat(5_000));
        }
    }

    private void fillFirst() {
        fill("first");
        written.putAll(DataFolder.content(storage).get("b"));
    }

    private void seal() throws Refused {
        storage.log().tail().rollOver();
        DataFolder.await(() -> storage.log().tail().sealed().size()
                == storage.log().segments().live().size());
    }

    /** Begins an export to a reader that takes no more than the first bytes until the gate opens. */
    private CompletableFuture<byte[]> beginSlowExport() throws Exception {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        OutputStream slow = new OutputStream() {
            @Override
            public void write(int b) {
                throw new UnsupportedOperationException();
            }

            @Override
            public void write(byte[] bytes, int offset, int length) throws IOException {
                all.write(bytes, offset, length);
                begun.countDown();
                try {
                    goOn.await();
                } catch (InterruptedException e) {
                    throw new IOException(e);
                }
            }
        };
        CompletableFuture<byte[]> export = CompletableFuture.supplyAsync(
                () -> {
                    try {
                        storage.exportTo(Bytes.of("b"), slow);
                        return all.toByteArray();
                    } catch (IOException e) {
                        throw new CompletionException(e);
                    }
                },
                task -> Thread.ofPlatform().daemon().start(task));
        begun.await();
        return export;
    }

    /** Begins an export, and has compaction replace its segments. */
    private CompletableFuture<byte[]> exportWhileReplaced(Duration pinMax) throws Exception {
        open(pinMax);
        fillFirst();
        seal();
        replaced = storage.log().segments().live();
        CompletableFuture<byte[]> export = beginSlowExport();
        fill("second");
        storage.compact();
        return export;
    }

    private void assertWhole(CompletableFuture<byte[]> export) throws IOException {
        goOn.countDown();
        storage.importFrom(Bytes.of("copy"), false, LIMITS, new ByteArrayInputStream(export.join()));
        assertThat(DataFolder.content(storage).get("copy")).isEqualTo(written);
    }

    @Test
    void aSlowExportBlocksNobodyAndReadsOneMoment() throws Exception {
        CompletableFuture<byte[]> export = exportWhileReplaced(Duration.ofHours(1));
        fill("third");
        storage.compact();

        assertThat(replaced).allSatisfy(segment -> {
            assertThat(segment.path()).doesNotExist();
            assertThat(segment.mapping().isClosed()).isFalse();
        });
        assertWhole(export);
        DataFolder.await(
                () -> replaced.stream().allMatch(segment -> segment.mapping().isClosed()));
    }

    @Test
    void anExportThatTakesTooLongIsCutOff() throws Exception {
        CompletableFuture<byte[]> export = exportWhileReplaced(Duration.ofSeconds(1));

        DataFolder.await(
                () -> replaced.stream().allMatch(segment -> segment.mapping().isClosed()));
        goOn.countDown();
        assertThatThrownBy(export::join)
                .cause()
                .isInstanceOf(EngineFailed.class)
                .hasMessageStartingWith("the export was cut off: ")
                .hasMessageContaining("kv.storage.pin-max");
        fill("third");
    }

    @Test
    void rescuedRecordsStayReadableAtTheirOldLocations() throws Exception {
        // Without an interval, only full segments are forced onto the disk.
        open(Duration.ofHours(1), Optional.empty());
        fill("first");
        Segment doubtful = storage.log().segments().live().getLast();
        awaitSync();
        for (int i = 0; i < 20; i++) {
            DataFolder.put(storage, "b", "key-" + i, "second" + "x".repeat(5_000));
        }
        assertThat(storage.log().segments().live()).last().isSameAs(doubtful);
        written.putAll(DataFolder.content(storage).get("b"));
        CompletableFuture<byte[]> export = beginSlowExport();
        long end = doubtful.end();

        try (FileChannel file = FileChannel.open(doubtful.path(), WRITE)) {
            file.truncate((end / PAGE_BYTES + 1) * PAGE_BYTES);
        }
        DataFolder.await(() -> !isPut());
        DataFolder.await(this::isPut);
        DataFolder.await(() -> storage.log().tail().sealed().contains(doubtful));
        storage.log().segments().cut(Duration.ofHours(1));

        assertThat(doubtful.end()).isLessThan(end);
        assertThat(doubtful.path().toFile().length()).isGreaterThan(doubtful.end());
        assertWhole(export);
        DataFolder.await(() -> doubtful.path().toFile().length() == doubtful.end());
        fill("second");
    }

    /** An import ends when all earlier writes are on the disk; no further sync is due then. */
    private void awaitSync() throws IOException {
        ByteArrayOutputStream stream = new ByteArrayOutputStream();
        DataFolder.create(storage, "empty");
        storage.exportTo(Bytes.of("empty"), stream);
        storage.importFrom(Bytes.of("synced"), false, LIMITS, new ByteArrayInputStream(stream.toByteArray()));
    }

    private boolean isPut() {
        Command put = new Command.Put(Bytes.of("other"), Bytes.of("key"), Bytes.of("x".repeat(1_000)));
        DataFolder.get(storage, "other", "key");
        Reply created = storage.run(new Command.Create(Bytes.of("other")))
                .toCompletableFuture()
                .join();
        return created.equals(Reply.OK)
                && storage.run(put).toCompletableFuture().join().equals(Reply.OK);
    }

    @Test
    void aBackupContainsSegmentsThatCompactionReplacesMeanwhile() throws Exception {
        open(Duration.ofHours(1));
        fillFirst();
        seal();
        Path to = folder.resolve("backup");
        try (Backup backup = Backup.begin(folder.resolve("data"), to);
                Tail.Ended ended = storage.log().tail().endAndPin()) {
            fill("second");
            storage.compact();
            assertThat(ended.pin().segments())
                    .allSatisfy(segment -> assertThat(segment.path()).doesNotExist());

            for (Segment segment : ended.pin().segments()) {
                backup.take(segment);
            }
            backup.complete();
        }
        storage.stop(Duration.ZERO);
        Path restored = folder.resolve("restored");
        StoredBackup.restore(to, restored);
        assertThat(new DataFolder(restored).content().get("b")).isEqualTo(written);
        storage = new DataFolder(Files.createDirectory(folder.resolve("empty"))).open();
    }
}
