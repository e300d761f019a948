package dev.kv.storage.tools;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.storage.DataFolder;
import dev.kv.storage.OpenStorage;
import dev.kv.storage.engine.SlowCaller;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLongArray;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Backups of a node while clients write. */
@Timeout(120)
class BackupUnderLoadTest {
    private static final int WRITERS = 4;
    private static final int KEYS_MAX = 100_000;

    @TempDir
    private Path site;

    /** Each writer writes numbered keys; a backup holds those of each up to some number, without a gap. */
    @Test
    void aBackupUnderLoadHoldsAPrefixOfWhatEachWriterWrote() throws Exception {
        backUp(2);
    }

    @Test
    @Tag("soak")
    void manyBackupsUnderLoadHoldAPrefixOfWhatEachWriterWrote() throws Exception {
        backUp(8);
    }

    private void backUp(int rounds) throws Exception {
        AtomicBoolean isOver = new AtomicBoolean();
        AtomicLongArray acknowledged = new AtomicLongArray(WRITERS);
        long[][] before = new long[rounds][WRITERS];
        new DataFolder(site.resolve("data")).open(storage -> {
            DataFolder.create(storage, "a");
            try (ExecutorService threads = Executors.newFixedThreadPool(WRITERS)) {
                List<Future<?>> writers = new ArrayList<>();
                for (int i = 0; i < WRITERS; i++) {
                    int writer = i;
                    DataFolder.create(storage, "writer-" + writer);
                    writers.add(threads.submit(() -> write(storage, writer, acknowledged, isOver)));
                }
                for (int round = 0; round < rounds; round++) {
                    for (int i = 0; i < WRITERS; i++) {
                        before[round][i] = acknowledged.get(i);
                    }
                    storage.backup(site.resolve("backup"));
                    StoredBackup.restore(site.resolve("backup"), site.resolve("restored-" + round));
                    storage.compact();
                }
                isOver.set(true);
                for (Future<?> writer : writers) {
                    writer.get();
                }
            } finally {
                isOver.set(true);
            }
        });

        for (int round = 0; round < rounds; round++) {
            assertPrefixes(new DataFolder(site.resolve("restored-" + round)).content(), before[round]);
        }
    }

    /** The newer value is in a segment that the backup does not take, the older one in a segment that is removed meanwhile. */
    @Test
    void aBackupHoldsWhatCompactionDropsWhileItWaitsForTheDisk() throws Exception {
        Path backup = site.resolve("backup");
        new DataFolder(site.resolve("data")).open(storage -> {
            DataFolder.create(storage, "a");
            DataFolder.put(storage, "a", "key", "old");
            Path first = storage.log().segments().live().getLast().path();
            storage.log().tail().rollOver();
            DataFolder.put(storage, "a", "other", "1");
            SlowCaller caller = new SlowCaller(() -> storage.backup(backup));
            caller.start();
            Runnable beginsSync = caller.given().take();
            beginsSync.run();
            Runnable isSynced = caller.given().take();
            DataFolder.put(storage, "a", "key", "new");
            storage.compact();
            assertThat(first).doesNotExist();

            isSynced.run();
            caller.join();
        });
        DataFolder restored = new DataFolder(site.resolve("restored"));
        StoredBackup.restore(backup, restored.path());
        assertThat(restored.content()).isEqualTo(Map.of("a", Map.of("key", "old", "other", "1")));
    }

    private static void write(OpenStorage storage, int writer, AtomicLongArray acknowledged, AtomicBoolean isOver) {
        for (int n = 0; n < KEYS_MAX && !isOver.get(); n++) {
            DataFolder.put(storage, "writer-" + writer, Integer.toString(n), "value-" + n);
            DataFolder.put(storage, "a", "of-" + writer, Integer.toString(n));
            acknowledged.set(writer, n + 1);
        }
    }

    private static void assertPrefixes(Map<String, Map<String, String>> content, long[] acknowledged) {
        for (int i = 0; i < WRITERS; i++) {
            Map<String, String> values = content.get("writer-" + i);
            for (int n = 0; n < values.size(); n++) {
                assertThat(values.get(Integer.toString(n))).isEqualTo("value-" + n);
            }
            assertThat(values).as("what was acknowledged before").hasSizeGreaterThanOrEqualTo((int) acknowledged[i]);
            String last = content.get("a").getOrDefault("of-" + i, "-1");
            assertThat(values.size()).isBetween(Integer.parseInt(last) + 1, Integer.parseInt(last) + 2);
        }
    }
}
