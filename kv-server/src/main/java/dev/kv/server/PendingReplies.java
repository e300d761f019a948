package dev.kv.server;

import java.util.Optional;

/** The replies of one connection that cannot leave yet, since one of them is still to come: they leave in their order. */
final class PendingReplies {
    private static final int FIRST_CAPACITY = 8;

    /** A ring, indexed by the number of a reply modulo its length, a power of two. Null: still to come. */
    private byte[][][] ring = new byte[FIRST_CAPACITY][][];

    private long oldest;
    private long next;
    private long heldBytes;

    boolean isEmpty() {
        return oldest == next;
    }

    int size() {
        return (int) (next - oldest);
    }

    /** The size of those that came and wait for an older one. */
    long heldBytes() {
        return heldBytes;
    }

    /** Keeps a place behind all others, and tells its number. */
    long reserve() {
        if (size() == ring.length) {
            byte[][][] larger = new byte[2 * ring.length][][];
            for (long number = oldest; number < next; number++) {
                larger[(int) number & (larger.length - 1)] = ring[slot(number)];
            }
            ring = larger;
        }
        return next++;
    }

    /** The reply in the place of that number has come. */
    void put(long number, byte[][] pieces) {
        ring[slot(number)] = pieces;
        heldBytes += bytes(pieces);
    }

    /** Takes the oldest reply away, if it has come. */
    Optional<byte[][]> poll() {
        byte[][] pieces = ring[slot(oldest)];
        if (pieces == null) {
            return Optional.empty();
        }
        ring[slot(oldest++)] = null;
        heldBytes -= bytes(pieces);
        return Optional.of(pieces);
    }

    private int slot(long number) {
        return (int) number & (ring.length - 1);
    }

    /** The size of a reply. */
    static long bytes(byte[][] pieces) {
        long bytes = 0;
        for (byte[] piece : pieces) {
            bytes += piece.length;
        }
        return bytes;
    }
}
