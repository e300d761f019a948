package dev.kv.storage;

import dev.kv.router.Limits;
import dev.kv.router.OperatorError;
import dev.kv.router.config.BadStart;
import dev.kv.router.config.Settings;
import dev.kv.router.spi.Engine;
import dev.kv.router.spi.EngineFailed;
import dev.kv.storage.engine.Execution;
import dev.kv.storage.engine.Turn;
import dev.kv.storage.format.Folder;
import dev.kv.storage.log.Log;
import dev.kv.storage.log.PinLimits;
import dev.kv.storage.log.Sync;
import dev.kv.storage.tools.Backup;
import dev.kv.storage.tools.Repair;
import dev.kv.storage.tools.StoredBackup;
import dev.kv.storage.tools.Verification;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Consumer;

/** The storage engine: keeps all buckets in a log on the disk. */
public final class LogStorage implements Engine {
    private static final String DIR = "kv.storage.dir";
    private static final String SYNC = "kv.storage.sync";
    private static final String MAX_BYTES = "kv.storage.max-bytes";
    private static final String SEGMENT_MAX = "kv.storage.segment-max";
    private static final String UNSYNCED_MAX = "kv.storage.unsynced-max";
    private static final String SYNC_WAIT = "kv.storage.sync-wait";
    private static final String DELETE_WAIT = "kv.storage.delete-wait";
    private static final String LARGE = "kv.storage.large.";
    private static final long MIB = 1L << 20;
    private static final long TIB = 1L << 40;

    /**
     * The section {@code kv.storage}.
     *
     * @param dir where the log is
     * @param maxBytes what all buckets together may take in it; 0 for any
     * @param pins how long readers may hold what compaction has replaced
     * @param large how large commands run
     * @param syncWait how long a backup or an import waits until what was written is on the disk
     */
    public record StorageSettings(
            Path dir,
            Sync sync,
            long maxBytes,
            Log.Limits log,
            PinLimits pins,
            Execution.Limits large,
            Duration syncWait) {}

    @Override
    public Ready configure(Settings settings) {
        StorageSettings storage = new StorageSettings(
                settings.path(DIR),
                Sync.of(settings, SYNC),
                settings.size(MAX_BYTES, 0, 1024 * TIB),
                new Log.Limits(settings.size(SEGMENT_MAX, MIB, 1024 * MIB), settings.count(UNSYNCED_MAX, 1, 64)),
                PinLimits.of(settings),
                large(settings),
                settings.duration(SYNC_WAIT, Duration.ofSeconds(1), Duration.ofHours(1)));
        return new ReadyStorage(settings, storage);
    }

    private static Execution.Limits large(Settings settings) {
        int threads = settings.count(LARGE + "threads", 0, 64);
        return new Execution.Limits(
                new Turn.Limits(
                        settings.count(LARGE + "keys", 16, 1_000_000),
                        settings.size(LARGE + "bytes", 4096, 1024 * MIB)),
                threads > 0 ? threads : Math.max(1, Runtime.getRuntime().availableProcessors() / 2),
                settings.count(LARGE + "waiting-max", 1, 1_000_000),
                settings.count(LARGE + "parked-max", 1, 10_000_000),
                settings.size(LARGE + "parked-max-bytes", MIB, TIB),
                settings.duration(DELETE_WAIT, Duration.ZERO, Duration.ofHours(1)),
                settings.duration(LARGE + "reply-wait", Duration.ofMillis(100), Duration.ofMinutes(10)));
    }

    private record ReadyStorage(Settings settings, StorageSettings storage) implements Ready {
        @FunctionalInterface
        private interface Work<T> {
            T with(Folder folder) throws IOException;
        }

        @Override
        public Open start(Limits limits, Consumer<String> doing) {
            try {
                return OpenStorage.open(storage, limits, doing);
            } catch (IOException e) {
                throw unusable(e);
            }
        }

        @Override
        public void check(Path held) {
            try {
                if (!Files.exists(storage.dir()) || !Files.exists(held) || !Files.isSameFile(storage.dir(), held)) {
                    Folder.hold(storage.dir()).close();
                }
            } catch (IOException e) {
                throw unusable(e);
            }
        }

        private BadStart unusable(IOException e) {
            return settings.bad(DIR, "cannot be used: " + OperatorError.reason(e));
        }

        @Override
        public Copied backup(Path to) {
            return held("the backup into " + to, folder -> Backup.of(folder, to));
        }

        @Override
        public Copied restore(Path from) {
            try {
                return StoredBackup.restore(from, storage.dir());
            } catch (IOException e) {
                throw failure("the restore into " + storage.dir(), e);
            }
        }

        @Override
        public Checked verify(Optional<Path> backup, Consumer<String> doing, Consumer<Damage> found) {
            if (backup.isEmpty()) {
                return held("the verification", folder -> Verification.of(folder, doing, found));
            }
            try {
                return StoredBackup.verify(backup.get(), doing, found);
            } catch (IOException e) {
                throw failure("the verification", e);
            }
        }

        @Override
        public Checked repair(Consumer<String> doing, Consumer<Damage> found) {
            return held("the repair", folder -> Repair.of(folder, doing, found));
        }

        private <T> T held(String what, Work<T> work) {
            try (Folder folder = Folder.holdExisting(storage.dir())) {
                return work.with(folder);
            } catch (IOException e) {
                throw failure(what, e);
            }
        }
    }

    /** The failure of an operation on several files. */
    static EngineFailed failure(String what, IOException e) {
        String file = e instanceof FileSystemException failed ? failed.getFile() + ": " : "";
        return new EngineFailed(what + " failed: " + file + OperatorError.reason(e), e);
    }
}
