package dev.kv.storage;

import dev.kv.router.config.BadStart;
import dev.kv.router.config.Settings;
import dev.kv.router.node.Storage;
import java.io.IOException;
import java.nio.file.Path;

/** Storage that keeps all buckets in a log on the disk. */
public final class LogStorage implements Storage {
    private static final String DIR = "kv.storage.dir";
    private static final String SYNC = "kv.storage.sync";
    private static final String MAX_BYTES = "kv.storage.max-bytes";
    private static final String SEGMENT_MAX = "kv.storage.segment-max";
    private static final long MIB = 1L << 20;
    private static final long TIB = 1L << 40;

    /**
     * The section {@code kv.storage}.
     *
     * @param dir where the log is
     * @param maxBytes what all buckets together may take in it; 0 for any
     * @param segmentMaxBytes the size of a file of a large log
     */
    record StorageSettings(Path dir, Sync sync, long maxBytes, long segmentMaxBytes) {}

    @Override
    public Ready configure(Settings settings) {
        StorageSettings storage = new StorageSettings(
                settings.path(DIR),
                Sync.of(settings, SYNC),
                settings.size(MAX_BYTES, 0, 1024 * TIB),
                settings.size(SEGMENT_MAX, MIB, 1024 * MIB));
        return (replyMaxBytes, doing) -> {
            try {
                return OpenStorage.open(storage, replyMaxBytes, doing);
            } catch (IOException e) {
                throw settings.bad(DIR, "cannot be used: " + BadStart.reason(e));
            }
        };
    }
}
