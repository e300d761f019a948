package dev.kv.storage.tools;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.kv.router.Bytes;
import dev.kv.router.Limits;
import dev.kv.router.Reply;
import dev.kv.router.spi.EngineFailed;
import dev.kv.storage.format.Layout;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Optional;
import java.util.zip.CRC32C;

/** A bucket, or a value as its only pair, as a stream of bytes that says where it ends; {@code docs/format.md} describes it. */
final class BucketStream {
    private static final byte[] MAGIC = "kv-bkt\r\n".getBytes(US_ASCII);
    /** The newest version that is read; what every version can say is written in the first. */
    private static final int VERSION = 3;

    /** Flag of version 3: 8 bytes behind the name say when the bucket expires. */
    private static final int EXPIRES = 2;

    /** Flag from version 2 on: a value, the only pair, with an empty key. */
    private static final int VALUE = 4;

    private static final int HEADER_BYTES = 24;
    private static final int PAIR_HEADER_BYTES = 20;
    private static final int PAIR = 0;

    /** Kind of version 3: 8 bytes before the key say when the pair expires. */
    private static final int PAIR_UNTIL = 1;

    private static final int END = 255;
    private static final int BUFFER_BYTES = 1 << 16;

    /** Longest name that is read, in bytes: a damaged length may be any number. */
    private static final int NAME_MAX_BYTES = 1 << 24;

    private BucketStream() {}

    private static ByteBuffer wrap(byte[] bytes) {
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    private static int checksum(byte[]... parts) {
        CRC32C crc = new CRC32C();
        for (byte[] part : parts) {
            crc.update(part);
        }
        return (int) crc.getValue();
    }

    /** Throws if there is an excess. */
    static void refuse(String where, Optional<Reply.Failed> excess) {
        if (excess.isPresent()) {
            throw new EngineFailed(where + excess.get().message());
        }
    }

    /** Writes a stream. */
    static final class Writer {
        private final OutputStream stream;
        private long pairs;

        /**
         * @param until when the bucket expires; 0 if it does not, or is a value
         * @param mayExpire whether pairs may
         */
        Writer(OutputStream stream, Bytes name, boolean isKept, boolean isValue, long until, boolean mayExpire)
                throws IOException {
            this.stream = new BufferedOutputStream(stream, BUFFER_BYTES);
            byte[] rest = new byte[HEADER_BYTES - 12];
            wrap(rest)
                    .putInt(mayExpire || until != 0 ? VERSION : isValue ? 2 : 1)
                    .putInt((isKept ? Layout.KEPT : 0) | (until != 0 ? EXPIRES : 0) | (isValue ? VALUE : 0))
                    .putInt(name.size());
            this.stream.write(MAGIC);
            byte[] time = time(until);
            writeInt(checksum(rest, name.array(), time));
            this.stream.write(rest);
            this.stream.write(name.array());
            this.stream.write(time);
        }

        private static byte[] time(long until) {
            byte[] time = new byte[until == 0 ? 0 : Long.BYTES];
            if (until != 0) {
                wrap(time).putLong(until);
            }
            return time;
        }

        private void writeInt(int number) throws IOException {
            byte[] bytes = new byte[Integer.BYTES];
            wrap(bytes).putInt(number);
            stream.write(bytes);
        }

        /**
         * Writes a pair. An {@link IOException} of the stream is thrown as an {@link UncheckedIOException}.
         *
         * @param until when it expires; 0 if it does not
         */
        void write(Bytes key, Bytes value, long until) {
            try {
                write(until == 0 ? PAIR : PAIR_UNTIL, time(until), key.array(), value.array());
                pairs++;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        private void write(int kind, byte[] time, byte[] key, byte[] value) throws IOException {
            byte[] rest = new byte[PAIR_HEADER_BYTES - 4];
            wrap(rest).putInt(kind).putInt(key.length).putInt(value.length).putInt(checksum(time, key, value));
            writeInt(checksum(rest));
            stream.write(rest);
            stream.write(time);
            stream.write(key);
            stream.write(value);
        }

        /** Ends the stream; returns the number of its pairs. */
        long end() throws IOException {
            byte[] count = new byte[Long.BYTES];
            wrap(count).putLong(pairs);
            write(END, new byte[0], new byte[0], count);
            stream.flush();
            return pairs;
        }
    }

    /**
     * A key and its value.
     *
     * @param until when it expires; 0 if it does not
     */
    record Pair(Bytes key, Bytes value, long until) {}

    /**
     * Reads a stream.
     *
     * <p>Throws an {@link EngineFailed} if the stream is cut short, damaged, followed by anything, or holds something too large.
     */
    static final class Reader {
        private final InputStream stream;
        private final Bytes name;
        private final int version;
        private final int flags;
        private final long until;
        private final Limits limits;
        private long pairs;
        private boolean isEnded;

        /**
         * @param limits what is too large to be read
         */
        Reader(InputStream stream, Limits limits) throws IOException {
            this.stream = stream;
            this.limits = limits;
            byte[] magic = stream.readNBytes(MAGIC.length);
            if (magic.length == 0) {
                throw new EngineFailed("there is nothing to import: the input is empty");
            }
            if (!Arrays.equals(magic, Arrays.copyOf(MAGIC, magic.length))) {
                throw new EngineFailed("this is no bucket that `kv export` wrote");
            }
            if (magic.length < MAGIC.length) {
                throw cutShort();
            }
            int checksum = buffer(Integer.BYTES).getInt();
            byte[] rest = read(HEADER_BYTES - 12);
            ByteBuffer header = wrap(rest);
            this.version = header.getInt();
            if (version > VERSION) {
                throw newer();
            }
            this.flags = header.getInt();
            int length = header.getInt();
            byte[] bucket = read(length < 0 ? 0 : Math.min(length, NAME_MAX_BYTES));
            byte[] time = read(version >= VERSION && (flags & EXPIRES) != 0 ? Long.BYTES : 0);
            if (checksum(rest, bucket, time) != checksum) {
                throw damaged();
            }
            this.name = Bytes.owning(bucket);
            this.until = time.length == 0 ? 0 : wrap(time).getLong();
            int known = version == 1 ? Layout.KEPT : version == 2 ? Layout.KEPT | VALUE : Layout.KEPT | VALUE | EXPIRES;
            if ((flags & ~known) != 0 || (isValue() && flags != VALUE)) {
                throw newer();
            }
        }

        /** When the bucket expires; 0 if it does not, or is a value. */
        long until() {
            return until;
        }

        /** The name that the bucket had. */
        Bytes name() {
            return name;
        }

        boolean isKept() {
            return (flags & Layout.KEPT) != 0;
        }

        /** Whether there is a value in place of a bucket. */
        boolean isValue() {
            return (flags & VALUE) != 0;
        }

        /** Number of pairs that were read. */
        long pairs() {
            return pairs;
        }

        /** The next pair; empty at the end of the stream. */
        Optional<Pair> next() throws IOException {
            if (isEnded) {
                return Optional.empty();
            }
            int checksum = buffer(Integer.BYTES).getInt();
            byte[] rest = read(PAIR_HEADER_BYTES - 4);
            if (checksum(rest) != checksum) {
                throw damaged();
            }
            ByteBuffer header = wrap(rest);
            int kind = header.getInt();
            if (kind != PAIR && kind != END && (kind != PAIR_UNTIL || version < VERSION)) {
                throw newer();
            }
            int keyBytes = header.getInt();
            int valueBytes = header.getInt();
            if (keyBytes < 0 || valueBytes < 0 || (kind == END && (keyBytes > 0 || valueBytes != Long.BYTES))) {
                throw damaged();
            }
            if (isValue() && (keyBytes > 0 || pairs != (kind == END ? 1 : 0))) {
                throw damaged();
            }
            refuse("behind " + pairs + " keys: ", limits.excessOfKey(keyBytes));
            byte[] time = read(kind == PAIR_UNTIL ? Long.BYTES : 0);
            byte[] key = read(keyBytes);
            if (kind != END) {
                refuse("key " + Bytes.owning(key) + ": ", limits.excessOfValue(valueBytes));
            }
            byte[] value = read(valueBytes);
            if (checksum(time, key, value) != header.getInt()) {
                throw damaged();
            }
            if (kind != END) {
                pairs++;
                long untilMillis = time.length == 0 ? 0 : wrap(time).getLong();
                return Optional.of(new Pair(Bytes.owning(key), Bytes.owning(value), untilMillis));
            }
            isEnded = wrap(value).getLong() == pairs && stream.read() < 0;
            if (!isEnded) {
                throw damaged();
            }
            return Optional.empty();
        }

        private static EngineFailed newer() {
            return new EngineFailed("a newer release wrote this bucket: use that one");
        }

        private EngineFailed damaged() {
            return new EngineFailed("the stream is damaged behind " + pairs + " keys: export the bucket again");
        }

        private EngineFailed cutShort() {
            return new EngineFailed("the stream was cut short behind " + pairs + " keys: export the bucket again");
        }

        private ByteBuffer buffer(int bytes) throws IOException {
            return wrap(read(bytes));
        }

        private byte[] read(int bytes) throws IOException {
            byte[] read = stream.readNBytes(bytes);
            if (read.length < bytes) {
                throw cutShort();
            }
            return read;
        }
    }
}
