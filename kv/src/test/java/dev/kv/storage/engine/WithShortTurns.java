package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.storage.DataFolder;
import dev.kv.storage.OpenStorage;
import dev.kv.storage.log.Sync;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletionStage;
import java.util.function.BiFunction;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;

/** Storages in which commands of more than 20 keys are large ones. */
abstract class WithShortTurns {
    static final Turn.Limits SHORT = new Turn.Limits(20, 2_000);
    static final long REPLY_MAX_BYTES = 1 << 20;
    private static final int KEYS = 100;

    @TempDir
    Path folder;

    final List<OpenStorage> opened = new ArrayList<>();

    OpenStorage open(Execution.Limits large) throws IOException {
        OpenStorage storage = OpenStorage.open(
                DataFolder.settings(
                        folder.resolve("data-" + opened.size()),
                        new Sync(false, Optional.of(Duration.ofMillis(10))),
                        0,
                        1L << 20,
                        DataFolder.PINS,
                        large),
                DataFolder.limits(REPLY_MAX_BYTES),
                _ -> {});
        opened.add(storage);
        return storage;
    }

    /** Runs commands; {@code acknowledging} decides when each is acknowledged. */
    static Execution execution(
            OpenStorage storage,
            BiFunction<Command, Reply, CompletionStage<Reply>> acknowledging,
            Execution.Limits limits) {
        return new Execution(
                new Commands(storage.buckets(), SHORT, DataFolder.limits(REPLY_MAX_BYTES)),
                storage.buckets(),
                acknowledging,
                limits);
    }

    OpenStorage open(Turn.Limits turn) throws IOException {
        return open(new Execution.Limits(
                turn, 3, 10_000, 100_000, 1L << 30, Duration.ofSeconds(10), Duration.ofSeconds(10)));
    }

    @AfterEach
    void stop() {
        opened.forEach(storage -> storage.stop(Duration.ZERO));
    }

    static Reply join(OpenStorage storage, Command command) {
        return storage.run(command).toCompletableFuture().join();
    }

    static List<Bytes> keys(Random random, int count) {
        List<Bytes> keys = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            keys.add(Bytes.of("k" + random.nextInt(KEYS)));
        }
        return keys;
    }

    static List<Bytes> pairs(Random random, int count) {
        List<Bytes> pairs = new ArrayList<>();
        for (Bytes key : keys(random, count)) {
            pairs.add(key);
            pairs.add(Bytes.of("v" + random.nextInt(1_000) + "x".repeat(random.nextInt(200))));
        }
        return pairs;
    }
}
