package dev.kv.router.peer;

import dev.kv.router.net.Loop;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/**
 * The memory for long messages of other nodes, on all links: from before their first part comes until nobody holds what came of
 * them. Who finds none waits in line. Any thread.
 *
 * <p>A reply that this node passes on is held until the node before it has room. So that two nodes that pass on replies to each
 * other never wait for one another, what is passed on gets half of the memory, what the next node passes on again a quarter,
 * and so on: what is for clients of this node always finds room, after it what is for clients of the node before, and so
 * forth.
 */
public final class Room {
    /** How many nodes away the client can be until it makes no further difference. */
    private static final int DEPTHS = 4;

    private final long bytes;
    private final long[] takenBytes = new long[DEPTHS];
    private final List<ArrayDeque<Claim>> lines = new ArrayList<>();

    /** Asked without the lock, once for many a request. */
    private volatile boolean isFull;

    public Room(long bytes) {
        this.bytes = bytes;
        for (int i = 0; i < DEPTHS; i++) {
            lines.add(new ArrayDeque<>());
        }
    }

    /** How much there is when nobody has any. */
    long bytes() {
        return bytes;
    }

    /** How much is taken. */
    synchronized long takenBytes() {
        return takenFrom(0);
    }

    /** Whether somebody waits in line. */
    synchronized boolean isWaitedFor() {
        return lines.stream().anyMatch(line -> !line.isEmpty());
    }

    /** Whether nothing is left. */
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

    /** One message always fits, so that each is served in the end. */
    private boolean fits(long wanted, int depth) {
        long taken = takenFrom(depth);
        return taken == 0 || taken + wanted <= bytes >> depth;
    }

    /** Takes that much, if it is there and nobody waits. */
    synchronized boolean take(long wanted) {
        if (!lines.getFirst().isEmpty() || takenFrom(0) + wanted > bytes) {
            return false;
        }
        add(wanted, 0);
        return true;
    }

    /** Takes that much, even if it is not there. */
    synchronized void charge(long charged) {
        add(charged, 0);
    }

    private void add(long more, int depth) {
        takenBytes[depth] += more;
        isFull = takenFrom(0) >= bytes;
    }

    /** Gives back what was taken. */
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
     * Takes that much as soon as it is there and those in line before were served.
     *
     * @param nodes how many nodes the message is passed on to from here
     * @param whenGranted to be run on the loop, unless it was granted at once
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

    /** A part of the room, or a place in the line for it. */
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

        /** Gives it back, or leaves the line. Does nothing the second time. */
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
