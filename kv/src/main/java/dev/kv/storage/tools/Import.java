package dev.kv.storage.tools;

import static java.nio.file.StandardOpenOption.CREATE_NEW;
import static java.nio.file.StandardOpenOption.WRITE;

import dev.kv.router.Bytes;
import dev.kv.router.Limits;
import dev.kv.router.Reply;
import dev.kv.router.spi.EngineFailed;
import dev.kv.storage.engine.Buckets;
import dev.kv.storage.engine.HiddenBucket;
import dev.kv.storage.engine.Lanes;
import dev.kv.storage.engine.Publisher;
import dev.kv.storage.format.Damaged;
import dev.kv.storage.format.Folder;
import dev.kv.storage.log.NoRoomYet;
import dev.kv.storage.log.Refused;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.UUID;

/**
 * Makes a bucket, or a value, of a {@linkplain BucketStream stream}. The stream is stored in a file and applied when it is complete; the
 * bucket is published in one change. An import that breaks off changes nothing.
 */
public final class Import {
    private final Buckets buckets;
    private final Publisher publisher;
    private final Folder folder;
    private final Bytes name;
    private final boolean replaces;
    private final Limits limits;

    public Import(Buckets buckets, Folder folder, Bytes name, boolean replaces, Limits limits) {
        this.buckets = buckets;
        this.publisher = buckets.publisher();
        this.folder = folder;
        this.name = name;
        this.replaces = replaces;
        this.limits = limits;
    }

    /**
     * Reads a stream to its end; returns the number of its keys.
     *
     * @throws EngineFailed if the stream is incomplete, something in it is too large, the bucket exists and must not be replaced,
     *     or there is no room for it
     */
    public long run(InputStream stream) throws IOException {
        BucketStream.refuse("", limits.excessOfName(name.size()));
        try {
            return importFrom(stream);
        } catch (Refused | NoRoomYet e) {
            throw new EngineFailed(e.getMessage() + ". Nothing was imported", e);
        } catch (Damaged e) {
            throw new EngineFailed(e.getMessage() + "; `kv verify` tells more. Nothing was imported", e);
        }
    }

    private long importFrom(InputStream stream) throws IOException, Refused {
        Reply there = Lanes.patiently(() ->
                buckets.read(System.currentTimeMillis(), name, bucket -> bucket.exists() ? Reply.OK : Reply.NOT_FOUND));
        if (there.equals(Reply.OK) && !replaces) {
            throw exists();
        }
        Path file = folder.unfinished("import-" + UUID.randomUUID());
        try {
            long keys = store(stream, file);
            try (InputStream stored = new BufferedInputStream(Files.newInputStream(file))) {
                apply(new BucketStream.Reader(stored, limits));
            }
            return keys;
        } finally {
            Files.deleteIfExists(file);
        }
    }

    private EngineFailed exists() {
        return new EngineFailed("there is a bucket " + name + " already: --replace puts this one in its place");
    }

    private long store(InputStream stream, Path file) throws IOException {
        try (OutputStream copy = new BufferedOutputStream(Files.newOutputStream(file, CREATE_NEW, WRITE))) {
            BucketStream.Reader reader = new BucketStream.Reader(new CopyingStream(stream, copy), limits);
            while (reader.next().isPresent()) {
                // All of it is looked at, and copied.
            }
            return reader.pairs();
        }
    }

    /** A stream that copies all that is read from it. */
    private static final class CopyingStream extends FilterInputStream {
        private final OutputStream copy;

        CopyingStream(InputStream stream, OutputStream copy) {
            super(stream);
            this.copy = copy;
        }

        @Override
        public int read() throws IOException {
            int b = super.read();
            if (b >= 0) {
                copy.write(b);
            }
            return b;
        }

        @Override
        public int read(byte[] bytes, int offset, int length) throws IOException {
            int read = super.read(bytes, offset, length);
            if (read > 0) {
                copy.write(bytes, offset, read);
            }
            return read;
        }
    }

    private void apply(BucketStream.Reader reader) throws IOException, Refused {
        try (HiddenBucket hidden = new HiddenBucket(publisher, name, reader.isValue())) {
            if (reader.isKept()) {
                hidden.keep();
            }
            for (Optional<BucketStream.Pair> next = reader.next(); next.isPresent(); next = reader.next()) {
                BucketStream.Pair pair = next.get();
                hidden.set(pair.key(), pair.value(), pair.until());
            }
            if (!hidden.publish(System.currentTimeMillis(), reader.until(), there -> replaces || !there.exists())) {
                throw exists();
            }
        }
    }
}
