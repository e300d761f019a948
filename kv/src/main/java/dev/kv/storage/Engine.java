package dev.kv.storage;

import dev.kv.router.Bytes;
import dev.kv.router.Reply;
import java.util.function.BiFunction;
import java.util.function.Function;

/**
 * What keeps the buckets of a node. Commands on one bucket take turns. A bucket that is not kept vanishes with its last key.
 * Any thread.
 */
interface Engine {
    /** Looks at a bucket, which need not exist. */
    Reply read(Bytes bucket, Function<View, Reply> command);

    /** Changes a bucket, which need not exist; answers with a failure, and nothing is changed, where there is no room. */
    Reply edit(Bytes bucket, Function<Edit, Reply> command);

    /** Changes two different buckets as a whole, likewise. */
    Reply edit(Bytes first, Bytes second, BiFunction<Edit, Edit, Reply> command);

    /** Shows buckets from a position on, in the order of their positions, until the visitor declines. */
    void forEachBucket(long fromPosition, BucketVisitor visitor);

    /** Sees buckets, one after the other. */
    @FunctionalInterface
    interface BucketVisitor {
        /**
         * A bucket; answers whether to go on.
         *
         * @param position of its name, as those of keys are
         * @param size how many keys it has
         */
        boolean visit(long position, Bytes name, long size);
    }
}
