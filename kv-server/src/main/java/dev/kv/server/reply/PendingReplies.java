package dev.kv.server.reply;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;

/** The replies of one connection that cannot leave yet, since one of them is still to come: they leave in their order. */
public final class PendingReplies {
    private static final int FIRST_CAPACITY = 8;

    /** A ring, indexed by the number of a reply modulo its length, a power of two. Null: still to come. */
    private List<List<Piece>> ring = empty(FIRST_CAPACITY);

    private long oldest;
    private long next;
    private long heldBytes;
    private long bytesInMemory;

    public boolean isEmpty() {
        return oldest == next;
    }

    public int size() {
        return (int) (next - oldest);
    }

    /** The size of those that came and wait for an older one. */
    public long heldBytes() {
        return heldBytes;
    }

    /** What of that is in memory. */
    public long bytesInMemory() {
        return bytesInMemory;
    }

    private static List<List<Piece>> empty(int capacity) {
        return new ArrayList<>(Collections.nCopies(capacity, null));
    }

    /** Keeps a place behind all others, and tells its number. */
    public long reserve() {
        if (size() == ring.size()) {
            List<List<Piece>> larger = empty(2 * ring.size());
            for (long number = oldest; number < next; number++) {
                larger.set((int) number & (larger.size() - 1), ring.get(slot(number)));
            }
            ring = larger;
        }
        return next++;
    }

    /** The reply in the place of that number has come. */
    public void put(long number, List<Piece> pieces) {
        ring.set(slot(number), pieces);
        heldBytes += Piece.bytes(pieces);
        bytesInMemory += Piece.bytesInMemory(pieces);
    }

    /** Takes the oldest reply away, if it has come. */
    public Optional<List<Piece>> poll() {
        List<Piece> pieces = ring.get(slot(oldest));
        if (pieces == null) {
            return Optional.empty();
        }
        ring.set(slot(oldest++), null);
        heldBytes -= Piece.bytes(pieces);
        bytesInMemory -= Piece.bytesInMemory(pieces);
        return Optional.of(pieces);
    }

    /** Lets go of those that came. */
    public void release() {
        for (List<Piece> reply : ring) {
            if (reply != null) {
                Piece.release(reply);
            }
        }
    }

    private int slot(long number) {
        return (int) number & (ring.size() - 1);
    }
}
