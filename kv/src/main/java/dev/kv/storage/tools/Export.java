package dev.kv.storage.tools;

import dev.kv.router.Bytes;
import dev.kv.router.spi.EngineFailed;
import dev.kv.storage.engine.Buckets;
import dev.kv.storage.engine.Frozen;
import dev.kv.storage.engine.Lanes;
import dev.kv.storage.engine.View;
import dev.kv.storage.format.Damaged;
import dev.kv.storage.log.PinLimits;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;

/** Writes a bucket, or a value, as it was when the export began to a {@linkplain BucketStream stream}, while the node goes on. */
public final class Export {
    private final Buckets buckets;
    private final Bytes name;
    private final PinLimits pins;

    public Export(Buckets buckets, Bytes name, PinLimits pins) {
        this.buckets = buckets;
        this.name = name;
        this.pins = pins;
    }

    /**
     * Writes the bucket; returns the number of its keys.
     *
     * @throws EngineFailed if there is no such bucket, it is damaged, or the stream took it too slowly
     */
    public long run(OutputStream stream) throws IOException {
        try (Frozen bucket = Lanes.patiently(() -> buckets.frozen(System.currentTimeMillis(), name))) {
            if (!bucket.exists()) {
                throw new EngineFailed(
                        "there is no bucket " + name + " on this node: `kv route` tells where it would be");
            }
            return write(
                    bucket,
                    new BucketStream.Writer(
                            stream,
                            name,
                            bucket.isKept(),
                            bucket.isValue(),
                            bucket.isValue() ? 0 : bucket.until(),
                            bucket.mayKeysExpire()));
        } catch (UncheckedIOException e) {
            throw e.getCause();
        } catch (Damaged e) {
            throw new EngineFailed(e.getMessage() + "; `kv verify` tells more", e);
        }
    }

    private long write(Frozen bucket, BucketStream.Writer writer) throws IOException {
        try {
            return bucket.read(() -> {
                View view = bucket.view();
                view.forEach(0, (_, key, value) -> {
                    writer.write(key, value, bucket.mayKeysExpire() ? view.until(key) : 0);
                    return true;
                });
                return writer.end();
            });
        } catch (Frozen.CutOff e) {
            throw new EngineFailed(pins.cutOff("the export"), e.getCause());
        }
    }
}
