package dev.kv.storage.format;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * A keyed 32-bit hash of names and keys. Its key is drawn when the data folder is made, so that a client cannot choose
 * names with equal hashes, and stays the same as long as the folder exists.
 *
 * <p>The mixing by a 128-bit product is that of wyhash (Wang Yi, public domain), for which it passes SMHasher.
 *
 * @param seed the key
 */
public record Hash(long seed) {
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle INT = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
    private static final long A = 0xa0761d6478bd642fL;
    private static final long B = 0xe7037ed1a0b428dbL;
    private static final long C = 0x8ebc6af09c88c6e3L;

    public int of(byte[] bytes) {
        return of(bytes, 0, bytes.length);
    }

    int of(byte[] bytes, int offset, int length) {
        long state = seed ^ A;
        int at = offset;
        int left = length;
        for (; left > 16; left -= 16, at += 16) {
            state = mix((long) LONG.get(bytes, at) ^ B, (long) LONG.get(bytes, at + 8) ^ state);
        }
        long low;
        long high;
        if (left >= 8) {
            low = (long) LONG.get(bytes, at);
            high = (long) LONG.get(bytes, at + left - 8);
        } else if (left >= 4) {
            low = (int) INT.get(bytes, at) & 0xFFFF_FFFFL;
            high = (int) INT.get(bytes, at + left - 4) & 0xFFFF_FFFFL;
        } else if (left > 0) {
            low = (bytes[at] & 0xFFL) << 16 | (bytes[at + (left >> 1)] & 0xFF) << 8 | (bytes[at + left - 1] & 0xFF);
            high = 0;
        } else {
            low = 0;
            high = 0;
        }
        long mixed = mix(C ^ length, mix(low ^ B, high ^ state));
        return (int) (mixed >>> 32);
    }

    private static long mix(long x, long y) {
        return x * y ^ Math.unsignedMultiplyHigh(x, y);
    }
}
