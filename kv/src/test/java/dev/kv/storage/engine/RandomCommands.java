package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import dev.kv.storage.DataFolder;
import dev.kv.storage.OpenStorage;
import dev.kv.storage.log.Sync;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** For tests that run random commands on the storage and on plain maps and compare, across restarts, compactions and crashes. */
abstract class RandomCommands {
    private static final long MIB = 1L << 20;
    private static final Turn.Limits SHORT = new Turn.Limits(10, 300);

    OpenStorage storage;
    Random random;

    @TempDir
    private Path folder;

    private Path site;
    private Path data;
    private int images;
    private Turn.Limits turn = DataFolder.LARGE.turn();

    /** Begins with empty maps. */
    abstract void forget();

    /** Runs one command on both. */
    abstract void change() throws Exception;

    /** Compares all that there is. */
    abstract void check() throws Exception;

    @Test
    void agreesWithPlainMaps() throws Exception {
        run(folder, System.nanoTime(), 20_000);
    }

    @Test
    void agreesWithPlainMapsInLargeCommands() throws Exception {
        turn = SHORT;
        run(folder, System.nanoTime(), 20_000);
    }

    @Test
    @Tag("soak")
    void agreesWithPlainMapsForMinutes() throws Exception {
        long deadline = System.nanoTime() + Duration.ofMinutes(5).toNanos();
        for (long seed = System.nanoTime(); System.nanoTime() - deadline < 0; seed++) {
            turn = seed % 2 == 0 ? SHORT : DataFolder.LARGE.turn();
            run(Files.createTempDirectory(folder, "run"), seed, 100_000);
        }
    }

    private void run(Path newSite, long seed, int steps) throws Exception {
        random = new Random(seed);
        site = newSite;
        data = site.resolve("data");
        forget();
        storage = open();
        try {
            for (int step = 0; step < steps; step++) {
                change();
                if (random.nextInt(steps / 25) == 0) {
                    disturb();
                    check();
                }
            }
            check();
        } catch (AssertionError | RuntimeException e) {
            throw new AssertionError("with seed " + seed, e);
        } finally {
            storage.stop(Duration.ZERO);
        }
    }

    /** Does one thing that changes nothing in what a client sees. */
    void disturb() throws Exception {
        switch (random.nextInt(5)) {
            case 0 -> {
                storage.stop(Duration.ZERO);
                storage = open();
            }
            case 1 -> {
                // As a process leaves it that is killed now: mapped memory is written by the system.
                images++;
                Path image = site.resolve("data-" + images);
                DataFolder.image(data, image);
                storage.stop(Duration.ZERO);
                data = image;
                storage = open();
            }
            case 2 -> removeHints();
            case 3 -> storage.compact();
            default -> storage.giveBack();
        }
    }

    /** With turns so short that many changes and reads are large ones, or with the usual turns. */
    private OpenStorage open() throws IOException {
        Execution.Limits large =
                new Execution.Limits(turn, 1, 10, 10, MIB, Duration.ofSeconds(10), Duration.ofSeconds(10));
        return OpenStorage.open(
                DataFolder.settings(
                        data, new Sync(false, Optional.of(Duration.ofMillis(100))), 0, MIB, DataFolder.PINS, large),
                DataFolder.limits(1 << 20),
                _ -> {});
    }

    private void removeHints() throws IOException {
        try (Stream<Path> files = Files.list(data)) {
            for (Path file :
                    files.filter(file -> file.toString().endsWith(".hint")).toList()) {
                if (random.nextBoolean()) {
                    Files.deleteIfExists(file);
                }
            }
        }
    }

    /** Mostly short, now and then of some thousands of bytes. */
    Bytes value() {
        byte[] value = new byte[random.nextInt(10) == 0 ? random.nextInt(10_000) : random.nextInt(200)];
        random.nextBytes(value);
        return Bytes.owning(value);
    }
}
