package dev.kv.storage;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Expiry;
import dev.kv.router.Reply;
import dev.kv.router.metrics.Metrics;
import dev.kv.storage.format.Layout;
import dev.kv.storage.log.Sync;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The limit {@code kv.storage.max-bytes}. */
class MaxBytesTest {
    private static final long MAX = Layout.recordCost(1) + 2 * Layout.fieldCost(1, 1, 103);

    @TempDir
    private Path folder;

    private OpenStorage storage;

    @BeforeEach
    void open() throws Exception {
        storage = OpenStorage.open(
                DataFolder.settings(
                        folder.resolve("data"),
                        new Sync(false, Optional.of(Duration.ofSeconds(1))),
                        MAX,
                        64L << 20,
                        DataFolder.PINS),
                DataFolder.limits(1 << 20),
                _ -> {});
    }

    @AfterEach
    void close() {
        storage.stop(Duration.ZERO);
    }

    @Test
    void writesAboveItAreRefusedUntilDeletesFreeSpace() {
        String value = "v".repeat(103);
        DataFolder.create(storage, "b");
        DataFolder.put(storage, "b", "1", value);
        DataFolder.put(storage, "b", "2", value);

        Reply refused = refusedWith(MAX);
        assertThat(put("3", "")).isEqualTo(refused);
        assertThat(put("2", value + "v")).isEqualTo(refused);
        assertThat(DataFolder.run(storage, new Command.Create(Bytes.of("c")))).isEqualTo(refused);
        assertThat(DataFolder.get(storage, "b", "2")).isEqualTo(new Reply.Value(Bytes.of(value)));
        assertThat(DataFolder.get(storage, "b", "3")).isEqualTo(Reply.ABSENT);
        DataFolder.create(storage, "b");
        DataFolder.put(storage, "b", "2", "w".repeat(103));

        assertThat(DataFolder.run(storage, new Command.Delete(Bytes.of("b"), Bytes.of("1"))))
                .isEqualTo(Reply.OK);
        assertThat(put("3", value + "v")).isEqualTo(refusedWith(MAX - Layout.fieldCost(1, 1, 103)));
        DataFolder.put(storage, "b", "3", value);
        assertThat(Metrics.texts(storage.metrics())).containsEntry("bytes", Long.toString(MAX));
    }

    @Test
    void whatExpiresFreesSpaceWithoutADelete() {
        Bytes value = Bytes.of("v".repeat(103));
        Command.SetValue set = new Command.SetValue(Bytes.of("v"), value, Command.Condition.ALWAYS, false);
        DataFolder.create(storage, "b");
        long until = System.currentTimeMillis() + 300;
        assertThat(DataFolder.run(storage, new Command.SetValueUntil(set, new Expiry.At(until))))
                .isEqualTo(Reply.OK);
        assertThat(DataFolder.run(
                        storage,
                        new Command.SetAllUntil(
                                Bytes.of("b"),
                                List.of(Bytes.of("1"), Bytes.of("v".repeat(70))),
                                Command.KeysCondition.ALWAYS,
                                new Expiry.At(until))))
                .isEqualTo(new Reply.Amount(1));
        assertThat(put("2", "v".repeat(103)) instanceof Reply.Failed || System.currentTimeMillis() >= until)
                .isTrue();
        DataFolder.await(() -> put("2", "v".repeat(103)).equals(Reply.OK));
        DataFolder.await(() -> put("3", "v".repeat(103)).equals(Reply.OK));
        assertThat(Metrics.texts(storage.metrics())).containsEntry("bytes", Long.toString(MAX));
    }

    private Reply put(String key, String value) {
        return DataFolder.run(storage, new Command.Put(Bytes.of("b"), Bytes.of(key), Bytes.of(value)));
    }

    private static Reply refusedWith(long taken) {
        return new Reply.Failed(
                Reply.Word.NOSPACE,
                "the buckets on this node take " + taken + " of at most " + MAX
                        + " bytes, and this does not fit: delete keys, or raise kv.storage.max-bytes");
    }
}
