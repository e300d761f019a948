package dev.kv.storage;

import dev.kv.router.config.Settings;
import dev.kv.router.node.Storage;

/** Storage that keeps all buckets in memory: they are gone when the node ends. */
public final class MemoryStorage implements Storage {
    @Override
    public Ready configure(Settings settings) {
        long heap = Runtime.getRuntime().maxMemory();
        long max = settings.size("kv.storage.max-bytes", 0, heap);
        Room room = new Room(max == 0 ? heap / 2 : max);
        return () -> new Registry(room);
    }
}
