package dev.kv.router.spi;

import dev.kv.router.Bytes;
import dev.kv.router.Limits;
import dev.kv.router.Store;
import dev.kv.router.config.Settings;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * The service that keeps data ({@link java.util.ServiceLoader}); a release without one is server-only. Its configuration is the
 * section {@code kv.storage}.
 */
public interface Engine {
    /** The name of the part that an engine is of its node, in {@link dev.kv.router.metrics.Metrics}. */
    String PART = "storage";

    /** The gauge that an engine has among its metrics: the number of buckets here. */
    String BUCKETS = "buckets";

    /** Another one: how many of them expire. */
    String EXPIRING = "expiring";

    /** Reads and checks the configuration; opens nothing yet. */
    Ready configure(Settings settings);

    /**
     * An engine whose configuration is sound. All methods but {@link #start} work on the data of a stopped node, and lock it
     * meanwhile.
     *
     * <p>A failure is an {@link EngineFailed}; a reason not to start, such as an unknown format or a folder that another process
     * holds, is a {@link dev.kv.router.config.BadStart}.
     */
    interface Ready {
        /**
         * Opens the buckets of this node. Blocks until recovery is done.
         *
         * @param limits how large names, values and replies may be
         * @param doing gets progress messages from time to time
         */
        Open start(Limits limits, Consumer<String> doing);

        /**
         * Refuses a data folder that {@link #start} refuses before it reads the log, and else makes it as that does.
         *
         * @param held the folder of a node that will have stopped by then, which is not looked at
         */
        void check(Path held);

        /** Updates the backup in this folder, or creates one. The earlier backup stays valid until the new one is complete. */
        Copied backup(Path to);

        /** Copies a backup into the data folder, which is missing or empty. */
        Copied restore(Path from);

        /**
         * Verifies the checksums of the data folder, or of this backup, and changes nothing.
         *
         * @param doing gets progress messages from time to time
         */
        Checked verify(Optional<Path> backup, Consumer<String> doing, Consumer<Damage> found);

        /**
         * Moves damaged data aside, so that the node can start without it.
         *
         * @param doing gets progress messages from time to time
         */
        Checked repair(Consumer<String> doing, Consumer<Damage> found);
    }

    /**
     * The buckets on this node. Any thread may call them.
     *
     * <p>A backup, export or import that fails ends with an {@link EngineFailed}.
     */
    interface Open extends Store, Running {
        /**
         * Visits every bucket that exists during the whole call, and possibly buckets that are created or dropped meanwhile, until the
         * visitor has seen enough. Any thread.
         */
        void forEachBucket(BucketVisitor visitor);

        /** The data folder. */
        Path folder();

        /** As {@link Ready#backup}, with all writes before the call. */
        Copied backup(Path to);

        /**
         * Writes a bucket as of one moment to a stream, with an end mark. Writes to the bucket continue.
         *
         * @return the number of keys
         * @throws IOException if the stream cannot be written
         */
        long exportTo(Bytes bucket, OutputStream stream) throws IOException;

        /**
         * Creates a bucket from a stream of {@link #exportTo}, after the whole stream has been read and verified.
         *
         * @param replaces whether an existing bucket is replaced; otherwise it is refused
         * @param limits the bounds of keys and values; a larger one is refused, and nothing is changed
         * @return the number of keys
         */
        long importFrom(Bytes bucket, boolean replaces, Limits limits, InputStream stream);
    }

    /**
     * The result of a backup or a restore.
     *
     * @param files the number of files now, with {@code bytes} in all
     * @param copied the number of files that were copied, with {@code copiedBytes}
     * @param linked the number of files that were hard-linked
     * @param kept the number of files that existed before
     * @param records the number of verified records in new files
     */
    record Copied(long files, long bytes, long copied, long copiedBytes, long linked, long kept, long records) {}

    /**
     * The totals of a verification.
     *
     * @param damages the number of damages
     * @param aside the folder to which a repair has copied damaged bytes; empty if there were none
     */
    record Checked(long files, long bytes, long records, long damages, Optional<Path> aside) {
        public Checked(long files, long bytes, long records, long damages) {
            this(files, bytes, records, damages, Optional.empty());
        }
    }

    /**
     * A range of a file that does not hold what was written.
     *
     * @param offset the first byte, in the file
     * @param bytes the number of unusable bytes
     * @param what the kind of damage
     * @param bucket the bucket of the key that is lost or has an older value, or the name of such a value; empty if unknown
     * @param key that key; empty if unknown, and of a value
     */
    record Damage(Path file, long offset, long bytes, String what, Optional<Bytes> bucket, Optional<Bytes> key) {
        public Damage(Path file, long offset, long bytes, String what) {
            this(file, offset, bytes, what, Optional.empty(), Optional.empty());
        }
    }

    /** Visits buckets, one after the other. */
    @FunctionalInterface
    interface BucketVisitor {
        /**
         * A bucket.
         *
         * @param bytes its size on the disk, by the count of the storage
         * @return whether to go on
         */
        boolean visit(Bytes name, long bytes);
    }
}
