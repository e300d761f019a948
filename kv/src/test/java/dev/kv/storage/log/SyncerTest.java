package dev.kv.storage.log;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.CommandThread;
import dev.kv.router.Reply;
import dev.kv.router.metrics.Metrics;
import dev.kv.storage.DataFolder;
import dev.kv.storage.OpenStorage;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Which writes wait for which sync, and what the status counts. */
@Timeout(60)
class SyncerTest {
    private static final long MIB = 1L << 20;
    private static final int ROUNDS = 20;

    @TempDir
    private Path folder;

    private OpenStorage storage;

    private void open(Sync sync) throws IOException {
        storage = OpenStorage.open(
                DataFolder.settings(folder.resolve("data"), sync, 0, MIB, DataFolder.PINS),
                DataFolder.limits(MIB),
                _ -> {});
    }

    @AfterEach
    void close() {
        storage.stop(Duration.ZERO);
    }

    /** A thread whose iterations end when the test says so. */
    private static final class Loop extends Thread implements CommandThread, CommandThread.Carrier {
        private final LinkedBlockingQueue<Runnable> tasks = new LinkedBlockingQueue<>();
        private final Queue<Runnable> deferred = new ArrayDeque<>();

        Loop() {
            setDaemon(true);
            start();
        }

        @Override
        public void run() {
            while (true) {
                try {
                    tasks.take().run();
                } catch (InterruptedException e) {
                    return;
                }
            }
        }

        @Override
        public CommandThread commandThread() {
            return this;
        }

        @Override
        public void execute(Runnable task) {
            tasks.add(task);
        }

        @Override
        public <T> void elsewhere(Callable<T> work, Consumer<T> then, Consumer<Throwable> failed) {
            throw new UnsupportedOperationException("the storage has threads of its own");
        }

        @Override
        public void defer(Runnable task) {
            deferred.add(task);
        }

        void endIteration() {
            execute(() -> {
                for (Runnable task = deferred.poll(); task != null; task = deferred.poll()) {
                    task.run();
                }
            });
        }
    }

    /** Has the loop put a key; returns when it has, with the reply that follows the sync. */
    private CompletionStage<Reply> put(Loop on, String key) throws ExecutionException, InterruptedException {
        CompletableFuture<CompletionStage<Reply>> reply = new CompletableFuture<>();
        on.execute(() -> reply.complete(storage.run(new Command.Put(Bytes.of("b"), Bytes.of(key), Bytes.of("1")))));
        return reply.get();
    }

    @Test
    void aWriteOfOneLoopDoesNotWaitForTheIterationOfAnother()
            throws IOException, ExecutionException, InterruptedException, TimeoutException {
        open(new Sync(true, Optional.empty()));
        DataFolder.create(storage, "b");
        Loop slow = new Loop();
        Loop quick = new Loop();

        long from = System.nanoTime();
        for (int i = 0; i < ROUNDS; i++) {
            CompletionStage<Reply> ofSlow = put(slow, "slow-" + i);
            CompletionStage<Reply> ofQuick = put(quick, "quick-" + i);
            quick.endIteration();

            assertThat(ofQuick.toCompletableFuture().get(30, TimeUnit.SECONDS)).isEqualTo(Reply.OK);
            assertThat(ofSlow.toCompletableFuture().get(30, TimeUnit.SECONDS)).isEqualTo(Reply.OK);
        }
        // Without a wake-up the thread looks once a second.
        assertThat(System.nanoTime() - from).isLessThan(TimeUnit.SECONDS.toNanos(ROUNDS / 2));
        slow.endIteration();
        slow.interrupt();
        quick.interrupt();
    }

    @Test
    void roundsWithNothingToForceOntoTheDiskAreNotCounted() throws IOException {
        open(new Sync(false, Optional.empty()));
        DataFolder.create(storage, "b");
        DataFolder.put(storage, "b", "key", "1");
        storage.backup(folder.resolve("backup"));
        String syncs = Metrics.texts(storage.metrics()).get("syncs");
        assertThat(Long.parseLong(syncs)).isPositive();

        // Each waits for a sync.
        storage.backup(folder.resolve("backup"));
        storage.backup(folder.resolve("backup"));

        assertThat(Metrics.texts(storage.metrics())).containsEntry("syncs", syncs);
    }
}
