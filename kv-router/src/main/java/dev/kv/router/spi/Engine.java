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
 * The service by which a release keeps data ({@link java.util.ServiceLoader}); a release without one is server-only. Its
 * configuration is the section {@code kv.storage}.
 */
public interface Engine {
    /** The name of the part that an engine is of its node, in {@link dev.kv.router.metrics.Metrics}. */
    String PART = "storage";

    /** The gauge that an engine has among its metrics: the number of buckets here. */
    String BUCKETS = "buckets";

    /** Reads and checks the configuration; opens nothing yet. */
    Ready configure(Settings settings);

    /**
     * An engine whose configuration is sound. All but {@link #start} is for the data of a node that does not run, and keeps it from
     * running meanwhile.
     *
     * <p>What cannot be done ends with an {@link EngineFailed}, and what keeps a node from starting, such as data of another format or
     * a folder that another process holds, with a {@link dev.kv.router.config.BadStart}.
     */
    interface Ready {
        /**
         * Opens the buckets of this node. Blocks as long as that takes.
         *
         * @param replyMaxBytes what one reply may hold
         * @param doing is told from time to time how far it is, for people
         */
        Open start(long replyMaxBytes, Consumer<String> doing);

        /** Brings a backup in this folder up to date, or makes one where there is none. What was there stays until it is done. */
        Copied backup(Path to);

        /** Puts what a backup holds where there is nothing yet. */
        Copied restore(Path from);

        /**
         * Checks what the data folder holds, or this backup, and changes nothing.
         *
         * @param doing is told from time to time how far it is, for people
         */
        Checked verify(Optional<Path> backup, Consumer<String> doing, Consumer<Damage> found);

        /**
         * Sets what is damaged aside, so that the node can start without it.
         *
         * @param doing is told from time to time how far it is, for people
         */
        Checked repair(Consumer<String> doing, Consumer<Damage> found);
    }

    /**
     * The buckets on this node. Any thread may call them.
     *
     * <p>What cannot be done with buckets as a whole ends with an {@link EngineFailed}.
     */
    interface Open extends Store, Running {
        /** Shows every bucket that is there all the while, and may show those that come or go. Any thread. */
        void forEachBucket(BucketVisitor visitor);

        /** As {@link Ready#backup}: of all that was written before the call. */
        Copied backup(Path to);

        /**
         * Writes a bucket as it is at one moment, as a stream that says where it ends. Writes to the bucket go on.
         *
         * @return the number of keys
         * @throws IOException if the stream takes no more
         */
        long exportTo(Bytes bucket, OutputStream stream) throws IOException;

        /**
         * Makes a bucket of a stream that {@link #exportTo} wrote, when that was read to its end and is sound.
         *
         * @param replaces whether the bucket may be there already, and goes with all that it holds
         * @param limits what is too large for this node, and changes nothing
         * @return the number of keys
         */
        long importFrom(Bytes bucket, boolean replaces, Limits limits, InputStream stream);
    }

    /**
     * What a backup or a restore came to.
     *
     * @param files how many there are now, and {@code bytes} in them
     * @param copied how many of them were copied, and {@code copiedBytes}
     * @param linked how many were linked, which takes no room
     * @param kept how many were there already
     * @param records how many were read in those that are new, and are sound
     */
    record Copied(long files, long bytes, long copied, long copiedBytes, long linked, long kept, long records) {}

    /**
     * What was read.
     *
     * @param damages how many damages were found
     */
    record Checked(long files, long bytes, long records, long damages) {}

    /**
     * Something that is not what was written.
     *
     * @param offset its first byte in the file
     * @param bytes how many bytes there cannot be used
     * @param bucket whose key is lost, or goes back to what it was before; empty if that cannot be told
     * @param key likewise
     */
    record Damage(Path file, long offset, long bytes, String what, Optional<Bytes> bucket, Optional<Bytes> key) {
        public Damage(Path file, long offset, long bytes, String what) {
            this(file, offset, bytes, what, Optional.empty(), Optional.empty());
        }
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
