package dev.kv.router.peer;

import dev.kv.router.net.Loop;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/**
 * A bounded amount of memory for the long messages of all links. A message claims its memory before its first part arrives, and gives it
 * back when nobody uses the message any more. Claims that find no free memory wait in line. Any thread.
 *
 * <p>Streams, that is clients, take turns in the line. A stream that has memory gets more only within {@link #STREAM_SHARE} of what is
 * free: so a client that asks for many replies and reads none leaves most of the memory to others. A claim that is older than all that
 * its stream has is not subject to that: replies leave in the order of their requests, so the stream gives nothing back before.
 *
 * <p>A reply that this node passes on keeps its memory until the next node on the way has room for it. So that two nodes that pass
 * replies to each other never wait for one another, the memory is limited by the number of nodes between here and the client: a
 * reply for a client of this node may take all of it, for a client of the next node half, of the node after that a quarter, and so on.
 * Replies for clients of this node always find room in the end, then those for clients of the next node, and so on.
 */
public final class Room {
    /** The number of distances to the client that are told apart. */
    private static final int DEPTHS = 4;

    /** Enough for a client that reads to have one reply sent while the next ones come. */
    private static final double STREAM_SHARE = 1.0 / 4;

    private final long bytes;
    private final List<Line> lines = new ArrayList<>();
    private int waiting;
    private long claims;

    /** Read without the lock by requests. */
    private volatile boolean isFull;

    /** The claims for clients at one distance. */
    private static final class Line {
        private final Map<Object, Stream> streams = new HashMap<>();

        /** The streams with a claim that waits for free memory, and for nothing else, the next one first. */
        private final ArrayDeque<Stream> next = new ArrayDeque<>();

        private long takenBytes;
    }

    /** What one client has and waits for. */
    private static final class Stream {
        private static final Comparator<Claim> BY_AGE = ((Comparator<Claim>)
                        (a, b) -> Long.signum(a.sinceNanos - b.sinceNanos))
                .thenComparingLong(claim -> claim.number);

        private final Object key;
        private final TreeSet<Claim> waiting = new TreeSet<>(BY_AGE);
        private final TreeSet<Claim> granted = new TreeSet<>(BY_AGE);
        private long takenBytes;
        private boolean isInLine;

        Stream(Object key) {
            this.key = key;
        }

        boolean mayTake(Claim claim, long freeBytes) {
            return granted.isEmpty()
                    || BY_AGE.compare(claim, granted.first()) < 0
                    || takenBytes + claim.wanted <= (long) (freeBytes * STREAM_SHARE);
        }
    }

    /**
     * Who claims memory.
     *
     * @param nodes the number of nodes between this one and the client
     * @param stream equal for all claims of one client
     * @param sinceNanos when the request began, by {@link System#nanoTime}
     */
    record Claimant(int nodes, Object stream, long sinceNanos) {
        /** One whose claims take no turns with others. */
        static Claimant alone() {
            return new Claimant(0, new Object(), 0);
        }
    }

    public Room(long bytes) {
        this.bytes = bytes;
        for (int i = 0; i < DEPTHS; i++) {
            lines.add(new Line());
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

    /** Whether a claim waits. */
    synchronized boolean isWaitedFor() {
        return waiting > 0;
    }

    /** Whether nothing is free. */
    boolean isFull() {
        return isFull;
    }

    private long takenFrom(int depth) {
        long taken = 0;
        for (int i = depth; i < DEPTHS; i++) {
            taken += lines.get(i).takenBytes;
        }
        return taken;
    }

    private long freeBytes(int depth) {
        return Math.max(0, (bytes >> depth) - takenFrom(depth));
    }

    /** One message always fits when nothing is taken, so that each message is served in the end. */
    private boolean fits(long wanted, int depth) {
        return takenFrom(depth) == 0 || wanted <= freeBytes(depth);
    }

    /** Takes the bytes if they are free and no claim waits for free memory. */
    synchronized boolean take(long wanted) {
        if (!lines.getFirst().next.isEmpty() || takenFrom(0) + wanted > bytes) {
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
        lines.get(depth).takenBytes += more;
        isFull = takenFrom(0) >= bytes;
    }

    /** Gives back bytes that were taken. */
    synchronized void give(long given) {
        add(-given, 0);
        grantAll();
    }

    private void grantAll() {
        for (int depth = 0; depth < DEPTHS; depth++) {
            for (Claim granted : grantNext(depth)) {
                granted.loop.execute(granted.whenGranted);
            }
        }
    }

    /** Grants what fits, a claim of each stream in turn; none overtakes the first one that does not fit. */
    private List<Claim> grantNext(int depth) {
        Line line = lines.get(depth);
        if (line.next.isEmpty()) {
            return List.of();
        }
        List<Claim> granted = new ArrayList<>();
        while (!line.next.isEmpty()) {
            Stream stream = line.next.peek();
            if (!stream.waiting.isEmpty() && stream.mayTake(stream.waiting.first(), freeBytes(depth))) {
                if (!fits(stream.waiting.first().wanted, depth)) {
                    break;
                }
                Claim claim = stream.waiting.pollFirst();
                waiting--;
                claim.grant();
                granted.add(claim);
                line.next.add(line.next.remove());
            } else {
                // What it has has to be given back first.
                line.next.remove();
                stream.isInLine = false;
            }
        }
        return granted;
    }

    /**
     * Takes the bytes as soon as they are free and the claims in line before were granted.
     *
     * @param whenGranted is run on the loop, unless the claim is granted at once
     */
    synchronized Claim claim(long wanted, Claimant claimant, Loop loop, Runnable whenGranted) {
        int depth = Math.min(claimant.nodes(), DEPTHS - 1);
        Stream of = lines.get(depth).streams.computeIfAbsent(claimant.stream(), Stream::new);
        Claim claim = new Claim(wanted, depth, of, claimant.sinceNanos(), loop, whenGranted);
        of.waiting.add(claim);
        waiting++;
        putInLine(of, depth);
        for (Claim granted : grantNext(depth)) {
            if (granted != claim) {
                granted.loop.execute(granted.whenGranted);
            }
        }
        return claim;
    }

    private void putInLine(Stream stream, int depth) {
        if (!stream.isInLine) {
            stream.isInLine = true;
            lines.get(depth).next.add(stream);
        }
    }

    /** A part of the memory, or a place in the line for it. */
    final class Claim {
        private final long wanted;
        private final int depth;
        private final Stream stream;
        private final long sinceNanos;
        private final long number = claims++;
        private final Loop loop;
        private final Runnable whenGranted;
        private boolean granted;
        private boolean released;

        private Claim(long wanted, int depth, Stream stream, long sinceNanos, Loop loop, Runnable whenGranted) {
            this.wanted = wanted;
            this.depth = depth;
            this.stream = stream;
            this.sinceNanos = sinceNanos;
            this.loop = loop;
            this.whenGranted = whenGranted;
        }

        private void grant() {
            granted = true;
            stream.granted.add(this);
            stream.takenBytes += wanted;
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
                if (released) {
                    return;
                }
                released = true;
                if (granted) {
                    stream.granted.remove(this);
                    stream.takenBytes -= wanted;
                    add(-wanted, depth);
                } else {
                    stream.waiting.remove(this);
                    waiting--;
                }
                if (!stream.waiting.isEmpty()) {
                    putInLine(stream, depth);
                } else if (stream.granted.isEmpty()) {
                    lines.get(depth).streams.remove(stream.key);
                }
                grantAll();
            }
        }
    }
}
