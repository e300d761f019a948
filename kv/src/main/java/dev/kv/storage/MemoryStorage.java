package dev.kv.storage;

import dev.kv.router.config.Settings;
import dev.kv.router.node.Storage;

/** Storage that keeps all buckets in memory: they are gone when the node ends. */
public final class MemoryStorage implements Storage {
    private static final String MAX_BYTES = "kv.storage.max-bytes";
    private static final long TIB = 1L << 40;

    @Override
    public Ready configure(Settings settings) {
        long max = settings.size(MAX_BYTES, 0, TIB);
        return replyMaxBytes ->
                new Registry(new Room(max == 0 ? heapBytes() / 2 : within(heapBytes(), max, settings)), replyMaxBytes);
    }

    /** Of the node, once it starts: commands that only check its configuration have a heap of their own. */
    private static long heapBytes() {
        return Runtime.getRuntime().maxMemory();
    }

    private static long within(long heap, long max, Settings settings) {
        if (max > heap) {
            throw settings.bad(
                    MAX_BYTES,
                    "expected no more than the largest heap, " + heap + " bytes (-Xmx in config/jvm.options)");
        }
        return max;
    }
}
