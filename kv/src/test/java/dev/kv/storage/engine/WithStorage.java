package dev.kv.storage.engine;

import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.storage.DataFolder;
import dev.kv.storage.OpenStorage;
import dev.kv.storage.log.Refused;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** For tests of a storage that is written, compacted and opened again. */
abstract class WithStorage {
    @TempDir
    Path folder;

    OpenStorage storage;

    @BeforeEach
    void open() throws IOException {
        storage = new DataFolder(folder.resolve("data")).open();
    }

    @AfterEach
    void close() {
        storage.stop(Duration.ZERO);
    }

    final void reopen() throws IOException {
        close();
        open();
    }

    final Reply run(Command command) {
        return DataFolder.run(storage, command);
    }

    /** Number of names that take an object in memory. */
    final int objects() {
        return Arrays.stream(storage.buckets().table().shards())
                .mapToInt(shard -> shard.names.objects().size())
                .sum();
    }

    final void compact() throws Refused, IOException {
        storage.log().tail().rollOver();
        DataFolder.await(() -> storage.log().tail().sealed().size()
                == storage.log().segments().live().size());
        storage.compact();
    }
}
