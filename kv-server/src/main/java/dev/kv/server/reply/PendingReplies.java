package dev.kv.server.reply;

import dev.kv.router.Reply;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/** The replies of one connection that wait for an older reply, in the order of their requests. */
public final class PendingReplies {
    private static final int FIRST_CAPACITY = 8;

    /** More places than these are let go of when no reply is pending. */
    private static final int KEPT_CAPACITY = 64;

    /** A ring, indexed by the number of a reply modulo its length, a power of two. Null: the reply is not ready. */
    private List<List<Piece>> ring = empty(FIRST_CAPACITY);

    /** Likewise, the replies that are not ready and are to be cancelled when the connection is closed. */
    private List<CompletableFuture<Reply>> awaited = empty(FIRST_CAPACITY);

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

    /** The bytes of the replies that are ready and wait for an older one. */
    public long heldBytes() {
        return heldBytes;
    }

    /** The part of these that is in memory. */
    public long bytesInMemory() {
        return bytesInMemory;
    }

    private static <T> List<T> empty(int capacity) {
        return new ArrayList<>(Collections.nCopies(capacity, null));
    }

    /** Reserves the next place; returns its number. */
    public long reserve() {
        if (size() == ring.size()) {
            List<List<Piece>> larger = empty(2 * ring.size());
            List<CompletableFuture<Reply>> largerAwaited = empty(2 * ring.size());
            for (long number = oldest; number < next; number++) {
                larger.set((int) number & (larger.size() - 1), ring.get(slot(number)));
                largerAwaited.set((int) number & (larger.size() - 1), awaited.get(slot(number)));
            }
            ring = larger;
            awaited = largerAwaited;
        }
        return next++;
    }

    /** Keeps a place for a reply that is cancelled by {@link #release} if it is not ready by then. */
    public long reserve(CompletableFuture<Reply> reply) {
        long number = reserve();
        awaited.set(slot(number), reply);
        return number;
    }

    /** Whether the reply of that number waits for none. */
    public boolean isOldest(long number) {
        return number == oldest;
    }

    /** Removes the place of the oldest reply, which is sent without being put there. */
    public void removeOldest() {
        awaited.set(slot(oldest++), null);
        letGoIfEmpty();
    }

    /** Puts a reply into the place of that number. */
    public void put(long number, List<Piece> pieces) {
        ring.set(slot(number), pieces);
        awaited.set(slot(number), null);
        heldBytes += Piece.bytes(pieces);
        bytesInMemory += Piece.bytesInMemory(pieces);
    }

    /** Removes and returns the oldest reply, if it is ready. */
    public Optional<List<Piece>> poll() {
        List<Piece> pieces = ring.get(slot(oldest));
        if (pieces == null) {
            return Optional.empty();
        }
        ring.set(slot(oldest++), null);
        heldBytes -= Piece.bytes(pieces);
        bytesInMemory -= Piece.bytesInMemory(pieces);
        letGoIfEmpty();
        return Optional.of(pieces);
    }

    private void letGoIfEmpty() {
        if (isEmpty() && ring.size() > KEPT_CAPACITY) {
            ring = empty(FIRST_CAPACITY);
            awaited = empty(FIRST_CAPACITY);
        }
    }

    /** Releases the replies that are ready, cancels the others, and lets go of all: a closed connection may be reachable for a while. */
    public void release() {
        List<List<Piece>> ready = ring;
        List<CompletableFuture<Reply>> left = awaited;
        ring = empty(FIRST_CAPACITY);
        awaited = empty(FIRST_CAPACITY);
        oldest = next;
        heldBytes = 0;
        bytesInMemory = 0;
        left.stream().filter(Objects::nonNull).forEach(reply -> reply.cancel(false));
        ready.stream().filter(Objects::nonNull).forEach(Piece::release);
    }

    private int slot(long number) {
        return (int) number & (ring.size() - 1);
    }
}
