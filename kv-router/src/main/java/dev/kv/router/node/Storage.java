package dev.kv.router.node;

import dev.kv.router.Bytes;
import dev.kv.router.Store;
import dev.kv.router.config.Settings;
import java.util.function.Consumer;

/**
 * The service by which a release keeps data ({@link java.util.ServiceLoader}); a release without one is server-only. Its
 * configuration is the section {@code kv.storage}.
 */
public interface Storage {
    /** Reads and checks the configuration; opens nothing yet. */
    Ready configure(Settings settings);

    /** Storage whose configuration is sound. */
    @FunctionalInterface
    interface Ready {
        /**
         * Opens the buckets of this node. Blocks as long as that takes.
         *
         * @param replyMaxBytes what one reply may hold
         * @param doing is told from time to time how far it is, for people
         */
        Open start(long replyMaxBytes, Consumer<String> doing);
    }

    /** The buckets on this node. Any thread may call them. */
    interface Open extends Store, Running {
        /** Shows every bucket that is there all the while, and may show those that come or go. Any thread. */
        void forEachBucket(BucketVisitor visitor);
    }

    /** Sees buckets, one after the other. */
    @FunctionalInterface
    interface BucketVisitor {
        /**
         * A bucket.
         *
         * @param bytes what it takes, as the storage counts
         */
        void visit(Bytes name, long bytes);
    }
}
