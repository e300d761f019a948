package dev.kv.router.peer;

import dev.kv.router.net.Loop;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/**
 * A bounded amount of memory for the long messages of all links. A message claims its memory before its first part arrives, and gives it
 * back when nobody uses the message any more. Claims that find no free memory wait in line. Any thread.
 *
 * <p>A reply that this node passes on keeps its memory until the next node on the way has room for it. So that two nodes that pass
 * replies to each other never wait for one another, the memory is limited by the number of nodes between here and the client: a
 * reply for a client of this node may take all of it, for a client of the next node half, of the node after that a quarter, and so on.
 * Replies for clients of this node always find room in the end, then those for clients of the next node, and so on.
 */
public final class Room {
    /** The number of distances to the client that are told apart. */
    private static final int DEPTHS = 4;

    private final long bytes;
    private final long[] takenBytes = new long[DEPTHS];
    private final List<ArrayDeque<Claim>> lines = new ArrayList<>();

    /** Read without the lock by requests. */
    private volatile boolean isFull;

    public Room(long bytes) {
        this.bytes = bytes;
        for (int i = 0; i < DEPTHS; i++) {
            lines.add(new ArrayDeque<>());
        }
    }

    /** The whole amount. */
    long bytes() {
        return bytes;
    }

    /** The amount that is taken. */
    synchronized long takenBytes() {
        return takenFrom(0);
    }

    /** Whether a claim waits in line. */
    synchronized boolean isWaitedFor() {
        return lines.stream().anyMatch(line -> !line.isEmpty());
    }

    /** Whether nothing is free. */
    boolean isFull() {
        return isFull;
    }

    private long takenFrom(int depth) {
        long taken = 0;
        for (int i = depth; i < DEPTHS; i++) {
            taken += takenBytes[i];
        }
        return taken;
    }

    /** One message always fits when nothing is taken, so that each message is served in the end. */
    private boolean fits(long wanted, int depth) {
        long taken = takenFrom(depth);
        return taken == 0 || taken + wanted <= bytes >> depth;
    }

    /** Takes the bytes if they are free and no claim waits. */
    synchronized boolean take(long wanted) {
        if (!lines.getFirst().isEmpty() || takenFrom(0) + wanted > bytes) {
            return false;
        }
        add(wanted, 0);
        return true;
    }

    /** Takes the bytes, even if fewer are free. */
    synchronized void charge(long charged) {
        add(charged, 0);
    }

    private void add(long more, int depth) {
        takenBytes[depth] += more;
        isFull = takenFrom(0) >= bytes;
    }

    /** Gives back bytes that were taken. */
    void give(long given) {
        give(given, 0);
    }

    private synchronized void give(long given, int depth) {
        add(-given, depth);
        for (int i = 0; i < DEPTHS; i++) {
            ArrayDeque<Claim> line = lines.get(i);
            while (!line.isEmpty() && fits(line.peek().wanted, i)) {
                Claim next = line.remove();
                next.grant();
                next.loop.execute(next.whenGranted);
            }
        }
    }

    /**
     * Takes the bytes as soon as they are free and the claims in line before were granted.
     *
     * @param nodes the number of nodes between this one and the client
     * @param whenGranted is run on the loop, unless the claim is granted at once
     */
    synchronized Claim claim(long wanted, int nodes, Loop loop, Runnable whenGranted) {
        int depth = Math.min(nodes, DEPTHS - 1);
        Claim claim = new Claim(wanted, depth, loop, whenGranted);
        if (lines.get(depth).isEmpty() && fits(wanted, depth)) {
            claim.grant();
        } else {
            lines.get(depth).add(claim);
        }
        return claim;
    }

    /** A part of the memory, or a place in the line for it. */
    final class Claim {
        private final long wanted;
        private final int depth;
        private final Loop loop;
        private final Runnable whenGranted;
        private boolean granted;
        private boolean released;

        private Claim(long wanted, int depth, Loop loop, Runnable whenGranted) {
            this.wanted = wanted;
            this.depth = depth;
            this.loop = loop;
            this.whenGranted = whenGranted;
        }

        private void grant() {
            granted = true;
            add(wanted, depth);
        }

        boolean isGranted() {
            synchronized (Room.this) {
                return granted;
            }
        }

        /** Gives the memory back, or leaves the line. Has no effect the second time. */
        void release() {
            synchronized (Room.this) {
                if (!released) {
                    released = true;
                    lines.get(depth).remove(this);
                    give(granted ? wanted : 0, depth);
                }
            }
        }
    }
}
