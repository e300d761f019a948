package dev.kv.storage.engine;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.storage.DataFolder;
import dev.kv.storage.OpenStorage;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** A storage, and its commands: a test runs them as small or as large ones, without the threads of {@link Execution}. */
abstract class WithLargeCommands {
    static final int MIB = 1 << 20;
    static final Turn.Limits TURN = new Turn.Limits(1_000, MIB);
    static final Bytes B = Bytes.of("b");
    static final Bytes K = Bytes.of("k");

    @TempDir
    Path site;

    OpenStorage storage;
    Commands commands;
    final CountDownLatch gate = new CountDownLatch(1);

    @BeforeEach
    void open() throws Exception {
        storage = new DataFolder(site.resolve("data")).open();
        commands = new Commands(storage.buckets(), TURN, DataFolder.limits(64 * MIB));
    }

    @AfterEach
    void stop() {
        gate.countDown();
        storage.stop(Duration.ofSeconds(20));
    }

    static Bytes value(int bytes) {
        return Bytes.owning(new byte[bytes]);
    }

    static Command.SetAll set(Bytes bucket, Bytes value) {
        return new Command.SetAll(bucket, List.of(K, value), false);
    }

    void assertIsLarge(Command command) {
        assertThatThrownBy(() -> commands.run(command, 0)).isInstanceOf(Turn.TooMuch.class);
    }

    Reply runLarge(Command command) {
        try (Large large = commands.large(command, 0)) {
            large.lane().ifPresent(Lanes.Lane::enter);
            return large.run().apply(() -> false);
        }
    }
}
