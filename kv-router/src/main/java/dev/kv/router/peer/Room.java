package dev.kv.router.peer;

import dev.kv.router.net.Loop;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/**
 * A bounded amount of memory for the long messages of all links. A message claims its memory before its first part arrives, and gives it
 * back when nobody uses the message any more. Claims that find no free memory wait in line. Any thread.
 *
 * <p>A reply leaves when the older ones of its client have left. So the memory for replies that may wait for an older one is at most half of
 * all, and the oldest ones always find room in the end. Among the others clients take turns. A client whose replies wait to be sent gets
 * memory for more only within {@link #CLIENT_SHARE} of what is free: one that asks for many and takes none leaves memory to others.
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
    private static final double CLIENT_SHARE = 1.0 / 4;

    private final long bytes;
    private final List<Line> lines = new ArrayList<>();
    private int waiting;
    private long claims;

    /** Read without the lock by requests. */
    private volatile boolean isFull;

    /** The claims for clients at one distance. */
    private static final class Line {
        /** Claims for the oldest replies of their clients, in the order in which they came. */
        private final LinkedHashSet<Claim> oldest = new LinkedHashSet<>();

        /** Clients with claims that wait for free memory, and for nothing else, the next one first. */
        private final ArrayDeque<Client> younger = new ArrayDeque<>();

        private final Map<Object, Client> clients = new HashMap<>();
        private long takenBytes;

        /** The part of it that was granted to replies that were not the oldest of their clients. */
        private long takenByYounger;
    }

    /** What one client has, and waits for beside its oldest reply. */
    private static final class Client {
        private static final Comparator<Claim> BY_AGE = ((Comparator<Claim>)
                        (a, b) -> Long.signum(a.sinceNanos - b.sinceNanos))
                .thenComparingLong(claim -> claim.number);

        private final Object key;
        private final TreeSet<Claim> waiting = new TreeSet<>(BY_AGE);
        private final TreeSet<Claim> granted = new TreeSet<>(BY_AGE);

        /** Claims for its oldest reply, while it has too much for older ones that are not sent yet. Several if clients have one number. */
        private final LinkedHashSet<Claim> heldBack = new LinkedHashSet<>();

        private long takenBytes;
        private boolean isInLine;

        Client(Object key) {
            this.key = key;
        }

        boolean isIdle() {
            return granted.isEmpty() && waiting.isEmpty() && heldBack.isEmpty();
        }

        /** Whether it may have more beside what it has taken for a reply. */
        static boolean isWithinShare(long takenBytes, long moreBytes, long freeBytes) {
            return takenBytes == 0 || takenBytes + moreBytes <= (long) (freeBytes * CLIENT_SHARE);
        }

        /** What it has for replies that are older than that of the claim: it gives them back as it takes them. */
        long takenByOlder(Claim than) {
            return granted.headSet(than).stream()
                    .mapToLong(claim -> claim.wanted)
                    .sum();
        }
    }

    /**
     * Who claims memory.
     *
     * @param nodes the number of nodes between this one and the client
     * @param client equal for all claims of one client
     * @param sinceNanos when the request began, by {@link System#nanoTime}
     * @param isOldest whether no reply to an older request of the client is missing
     */
    record Claimant(int nodes, Object client, long sinceNanos, boolean isOldest) {
        /** One that waits for no other. */
        static Claimant alone() {
            return new Claimant(0, new Object(), 0, true);
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

    /** One of the oldest replies always fits when no other one is there, so that each is served in the end. */
    private boolean fits(Claim claim, int depth) {
        long takenByOldest = 0;
        for (int i = depth; i < DEPTHS; i++) {
            takenByOldest += lines.get(i).takenBytes - lines.get(i).takenByYounger;
        }
        return takenByOldest == 0 || claim.neededBytes <= freeBytes(depth);
    }

    private boolean fitsAsYounger(long wanted, int depth) {
        return wanted <= Math.min(freeBytes(depth), (bytes >> depth) / 2 - lines.get(depth).takenByYounger);
    }

    /** Takes the bytes if they are free and no claim waits for free memory. */
    synchronized boolean take(long wanted) {
        if (!lines.getFirst().oldest.isEmpty() || takenFrom(0) + wanted > bytes) {
            return false;
        }
        add(wanted, lines.getFirst());
        return true;
    }

    /** Takes the bytes, even if fewer are free. */
    synchronized void charge(long charged) {
        add(charged, lines.getFirst());
    }

    private void add(long more, Line line) {
        line.takenBytes += more;
        isFull = takenFrom(0) >= bytes;
    }

    /** Gives back bytes that were taken. */
    synchronized void give(long given) {
        add(-given, lines.getFirst());
        grantAll();
    }

    /** Grants what fits. */
    private void grantAll() {
        for (int depth = 0; depth < DEPTHS; depth++) {
            grantOldest(lines.get(depth), depth);
            grantYounger(lines.get(depth), depth);
        }
    }

    /** None overtakes the first one that does not fit. */
    private void grantOldest(Line line, int depth) {
        while (!line.oldest.isEmpty() && fits(line.oldest.getFirst(), depth)) {
            line.oldest.removeFirst().grant(false);
        }
    }

    private void grantYounger(Line line, int depth) {
        while (!line.younger.isEmpty()) {
            Client client = line.younger.peek();
            long wanted = client.waiting.isEmpty() ? 0 : client.waiting.first().wanted;
            boolean isWithinShare = Client.isWithinShare(client.takenBytes, wanted, freeBytes(depth));
            if (wanted > 0 && isWithinShare && !fitsAsYounger(wanted, depth)) {
                return;
            }
            line.younger.remove();
            if (wanted > 0 && isWithinShare) {
                line.younger.add(client);
                client.waiting.pollFirst().grant(true);
            } else {
                // What it has has to be given back first.
                client.isInLine = false;
            }
        }
    }

    /**
     * Takes the bytes as soon as they are free and the claims in line before were granted.
     *
     * @param whenGranted is run on the loop
     */
    synchronized Claim claim(long wanted, Claimant claimant, Loop loop, Runnable whenGranted) {
        return claim(wanted, wanted, claimant, loop, whenGranted);
    }

    /**
     * The same for a reply of unknown length, as soon as anything is free.
     *
     * @param largestBytes what is taken
     */
    synchronized Claim claimUnknown(long largestBytes, Loop loop, Runnable whenGranted) {
        return claim(largestBytes, 1, Claimant.alone(), loop, whenGranted);
    }

    private Claim claim(long wanted, long neededBytes, Claimant claimant, Loop loop, Runnable whenGranted) {
        int depth = Math.min(claimant.nodes(), DEPTHS - 1);
        Line line = lines.get(depth);
        Client client = line.clients.computeIfAbsent(claimant.client(), Client::new);
        Claim claim = new Claim(wanted, neededBytes, line, client, claimant.sinceNanos(), loop, whenGranted);
        waiting++;
        if (claimant.isOldest()) {
            putInLineAsOldest(claim);
        } else {
            client.waiting.add(claim);
            putInLine(client, line);
        }
        grantAll();
        return claim;
    }

    private void putInLineAsOldest(Claim claim) {
        long free = freeBytes(lines.indexOf(claim.line));
        if (Client.isWithinShare(claim.client.takenByOlder(claim), claim.wanted, free)) {
            claim.client.heldBack.remove(claim);
            claim.line.oldest.add(claim);
        } else {
            claim.client.heldBack.add(claim);
        }
    }

    private static void putInLine(Client client, Line line) {
        if (!client.isInLine && !client.waiting.isEmpty()) {
            client.isInLine = true;
            line.younger.add(client);
        }
    }

    /** A part of the memory, or a place in the line for it. */
    final class Claim {
        private final long wanted;

        /** What has to be free for it. */
        private final long neededBytes;

        private final Line line;
        private final Client client;
        private final long sinceNanos;
        private final long number = claims++;
        private final Loop loop;
        private final Runnable whenGranted;
        private boolean isGranted;
        private boolean isGrantedAsYounger;
        private boolean isReleased;

        private Claim(
                long wanted,
                long neededBytes,
                Line line,
                Client client,
                long sinceNanos,
                Loop loop,
                Runnable whenGranted) {
            this.wanted = wanted;
            this.neededBytes = neededBytes;
            this.line = line;
            this.client = client;
            this.sinceNanos = sinceNanos;
            this.loop = loop;
            this.whenGranted = whenGranted;
        }

        /** The claim was removed from those that wait. */
        private void grant(boolean asYounger) {
            waiting--;
            isGranted = true;
            isGrantedAsYounger = asYounger;
            client.granted.add(this);
            take(wanted);
            loop.execute(whenGranted);
        }

        private void take(long more) {
            client.takenBytes += more;
            line.takenByYounger += isGrantedAsYounger ? more : 0;
            add(more, line);
        }

        boolean isGranted() {
            synchronized (Room.this) {
                return isGranted;
            }
        }

        /** No older reply of the client is missing any more. */
        void becomesOldest() {
            synchronized (Room.this) {
                if (client.waiting.remove(this)) {
                    putInLineAsOldest(this);
                    grantAll();
                }
            }
        }

        /** Gives the memory back, or leaves the line. Has no effect the second time. */
        void release() {
            synchronized (Room.this) {
                if (isReleased) {
                    return;
                }
                isReleased = true;
                if (isGranted) {
                    client.granted.remove(this);
                    take(-wanted);
                } else {
                    waiting--;
                    client.waiting.remove(this);
                    line.oldest.remove(this);
                    client.heldBack.remove(this);
                }
                List.copyOf(client.heldBack).forEach(Room.this::putInLineAsOldest);
                putInLine(client, line);
                if (client.isIdle()) {
                    line.clients.remove(client.key, client);
                }
                grantAll();
            }
        }
    }
}
