package dev.kv.router.peer;

import dev.kv.router.net.Loop;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * A bounded amount of memory for the long messages of all links. A message claims its memory before its first part arrives, and gives it
 * back when nobody uses the message any more. Claims that find no free memory wait in line. Any thread.
 *
 * <p>A reply leaves when the older ones of its client have left. So the memory for replies that may wait for another one is at most half of
 * all, and the oldest ones always find room in the end. A client stands in line once: among those that want memory for their oldest reply,
 * or else among the others, where it goes to the end after each claim. A client whose replies wait to be sent gets memory for more only within
 * {@link #CLIENT_SHARE} of what is free, and leaves the line until it gives some back: one that asks for many and takes none leaves memory
 * to others. A client that wants little for its oldest reply does not stand behind those that want much: some memory is kept for these,
 * beside all other.
 *
 * <p>A reply that this node passes on keeps its memory until the next node on the way has room for it. So that two nodes that pass
 * replies to each other never wait for one another, the memory is limited by the number of nodes between here and the client: a
 * reply for a client of this node may take all of it, for a client of the next node half, of the node after that a quarter, and so on.
 * Replies for clients of this node always find room in the end, then those for clients of the next node, and so on.
 *
 * <p>Lines, clients and claims are in one file of over 400 lines, as one lock guards them all.
 */
public final class Room {
    /** The number of distances to the client that are told apart. */
    private static final int DEPTHS = 4;

    /** Enough for a client that reads to have one reply sent while the next ones come. */
    private static final double CLIENT_SHARE = 1.0 / 4;

    /** A claim of up to this part of the memory is a little one. */
    private static final int LITTLE_PART = 128;

    private static final long LITTLE_MAX_BYTES = 1 << 20;

    /** So large a part of the memory is kept for little claims. */
    private static final int KEPT_PART = 16;

    private final long bytes;
    private final List<Line> lines = new ArrayList<>();
    private int waiting;

    /** The requests that wait at other nodes. */
    private int elsewhere;

    private long claims;

    /** Read without the lock by requests. */
    private volatile boolean isFull;

    /** The claims for clients at one distance. */
    private static final class Line {
        /** Clients that want memory for their oldest reply, the next one first. */
        private final Set<Client> oldest = new LinkedHashSet<>();

        /** The same, if they want little. */
        private final Set<Client> little = new LinkedHashSet<>();

        /** Clients that want memory for other replies only, the next one first. */
        private final Set<Client> younger = new LinkedHashSet<>();

        private final List<Set<Client>> parts = List.of(oldest, little, younger);
        private final Map<Object, Client> clients = new HashMap<>();
        private long takenBytes;

        /** The part of it that was granted to replies that were not the oldest of their clients. */
        private long takenByYounger;

        /** The part of it that was granted to {@link #little} ones. */
        private long takenByLittle;

        /** The memory that is kept for those. */
        private final long keptBytes;

        private final long littleMaxBytes;

        Line(long bytes) {
            keptBytes = bytes / KEPT_PART;
            littleMaxBytes = Math.min(LITTLE_MAX_BYTES, bytes / LITTLE_PART);
        }

        /** What is taken of the memory for all claims. */
        long takenOfCommon() {
            return takenBytes - Math.min(takenByLittle, keptBytes);
        }

        void forgetIdle(Client client) {
            if (client.isIdle()) {
                clients.remove(client.key, client);
            }
        }
    }

    /** What one client has and waits for. Several clients if they have one number. */
    private static final class Client {
        private static final Comparator<Claim> OLDEST_FIRST = Comparator.<Claim, Boolean>comparing(
                        claim -> !claim.isOldest)
                .thenComparing((a, b) -> Long.signum(a.sinceNanos - b.sinceNanos))
                .thenComparingLong(claim -> claim.number);

        private final Object key;
        private final TreeSet<Claim> waiting = new TreeSet<>(OLDEST_FIRST);
        private final Set<Claim> granted = new HashSet<>();
        private long takenBytes;

        /** Its requests that wait at other nodes. */
        private int elsewhere;

        /** The part of the line that it stands in; empty if it waits for nothing, or has to give something back first. */
        private Optional<Set<Client>> place = Optional.empty();

        Client(Object key) {
            this.key = key;
        }

        boolean isIdle() {
            return granted.isEmpty() && waiting.isEmpty() && elsewhere == 0;
        }

        void leave() {
            place.ifPresent(left -> left.remove(this));
            place = Optional.empty();
        }

        /** Takes its place, at the end if it is another one than before. */
        @SuppressWarnings("ReferenceEquality") // empty parts are equal
        void stand(Line line) {
            if (waiting.isEmpty()) {
                leave();
                return;
            }
            Claim next = waiting.first();
            Set<Client> part = !next.isOldest ? line.younger : next.isLittle() ? line.little : line.oldest;
            if (place.isEmpty() || place.get() != part) {
                leave();
                part.add(this);
                place = Optional.of(part);
            }
        }

        /**
         * Whether it may have the claim beside what it has. For its oldest reply, what it has for younger ones does not count: it gives that
         * back later.
         */
        boolean mayHave(Claim claim, long freeBytes) {
            long before = claim.isOldest ? takenByOlder(claim) : takenBytes;
            return before == 0 || before + claim.wanted <= (long) (freeBytes * CLIENT_SHARE);
        }

        private long takenByOlder(Claim than) {
            return granted.stream()
                    .filter(claim -> claim.sinceNanos - than.sinceNanos < 0)
                    .mapToLong(claim -> claim.wanted)
                    .sum();
        }
    }

    /** Memory for a long message, or a place in the line for it. */
    interface Place {
        /** That of a message which takes none. */
        Place NONE = new Place() {
            @Override
            public boolean isGranted() {
                return true;
            }

            @Override
            public long waitedForNanos() {
                return -1;
            }

            @Override
            public void release() {}
        };

        boolean isGranted();

        /**
         * For how long another client has waited for a reply that stands in the line for memory, in nanoseconds; below 0 if none does. The reply
         * may have stood in those of the nodes behind before. It is 0 if another client waits at another node while a reply for the one that
         * has this memory waits here: that reply takes memory there. Any thread.
         */
        long waitedForNanos();

        /** Gives the memory back, or leaves the line. Has no effect the second time. */
        void release();
    }

    /**
     * Who claims memory.
     *
     * @param nodes the number of nodes between this one and the client
     * @param client equal for all claims of one client
     * @param sinceNanos when the request began, by {@link System#nanoTime}
     * @param isOldest whether the reply waits for no other one: no reply to an older request of the client is missing
     */
    record Claimant(int nodes, Object client, long sinceNanos, boolean isOldest) {
        /** One that waits for no other. */
        static Claimant alone() {
            return new Claimant(0, new Object(), System.nanoTime(), true);
        }
    }

    public Room(long bytes) {
        this.bytes = bytes;
        for (int i = 0; i < DEPTHS; i++) {
            lines.add(new Line(bytes >> i));
        }
    }

    /** The whole amount. */
    long bytes() {
        return bytes;
    }

    /** The amount that is taken. */
    synchronized long takenBytes() {
        return taken();
    }

    /** Whether a claim waits. */
    synchronized boolean isWaitedFor() {
        return waiting > 0;
    }

    /** Whether nothing is free. */
    boolean isFull() {
        return isFull;
    }

    private long taken() {
        return lines.stream().mapToLong(line -> line.takenBytes).sum();
    }

    private long freeBytes(int depth) {
        long taken = 0;
        for (int i = depth; i < DEPTHS; i++) {
            taken += lines.get(i).takenOfCommon();
        }
        return Math.max(0, (bytes >> depth) - taken);
    }

    /** One of the oldest replies always fits when no other one is there, so that each is served in the end. */
    private boolean fits(Claim claim, int depth) {
        if (!claim.isOldest) {
            long leftForYounger = (bytes >> depth) / 2 - lines.get(depth).takenByYounger;
            return claim.wanted <= Math.min(freeBytes(depth), leftForYounger);
        }
        if (claim.isLittle()) {
            boolean isKept = claim.line.takenByLittle + claim.wanted <= claim.line.keptBytes;
            if (isKept || !claim.line.oldest.isEmpty()) {
                return isKept;
            }
        }
        long takenByOldest = 0;
        for (int i = depth; i < DEPTHS; i++) {
            takenByOldest += lines.get(i).takenOfCommon() - lines.get(i).takenByYounger;
        }
        return takenByOldest == 0 || claim.neededBytes <= freeBytes(depth);
    }

    /** Takes the bytes if they are free and no claim waits for free memory. */
    synchronized boolean take(long wanted) {
        if (!lines.getFirst().oldest.isEmpty() || taken() + wanted > bytes) {
            return false;
        }
        add(wanted, lines.getFirst());
        return true;
    }

    /** Takes the bytes, even if fewer are free. */
    synchronized void charge(long charged) {
        add(charged, lines.getFirst());
    }

    /** By those who stand first in each part of a line, or those who wait elsewhere. */
    private long waitedForNanos(Client except) {
        long now = System.nanoTime();
        return lines.stream()
                .flatMap(line -> line.parts.stream())
                .flatMap(part -> part.stream().filter(other -> other != except).limit(1))
                .mapToLong(other -> now - other.waiting.first().sinceNanos)
                .max()
                .orElse(!except.waiting.isEmpty() && elsewhere > except.elsewhere ? 0 : -1);
    }

    private void add(long more, Line line) {
        line.takenBytes += more;
        isFull = taken() >= bytes;
    }

    /** Gives back bytes that were taken. */
    synchronized void give(long given) {
        add(-given, lines.getFirst());
        grantAll();
    }

    /** Grants what fits. */
    private void grantAll() {
        for (int depth = 0; depth < DEPTHS; depth++) {
            for (Set<Client> part : lines.get(depth).parts) {
                grant(part, depth);
            }
        }
    }

    /** None overtakes the first one that does not fit. */
    private void grant(Set<Client> part, int depth) {
        while (!part.isEmpty()) {
            Client client = part.iterator().next();
            Claim next = client.waiting.first();
            if (!client.mayHave(next, freeBytes(depth))) {
                client.leave();
            } else if (fits(next, depth)) {
                client.leave();
                client.waiting.remove(next);
                next.grant();
                client.stand(lines.get(depth));
            } else {
                return;
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

    /**
     * A request of the client waits at another node, perhaps for memory: those who hold up the replies of that node are waited for.
     *
     * @return is run when the request has its reply, or waits for it here; has no effect the second time
     */
    synchronized Runnable elsewhere(int nodes, Object key) {
        Line line = lines.get(Math.min(nodes, DEPTHS - 1));
        Client client = line.clients.computeIfAbsent(key, Client::new);
        client.elsewhere++;
        elsewhere++;
        return new Elsewhere(line, client);
    }

    private Claim claim(long wanted, long neededBytes, Claimant claimant, Loop loop, Runnable whenGranted) {
        int depth = Math.min(claimant.nodes(), DEPTHS - 1);
        Line line = lines.get(depth);
        Client client = line.clients.computeIfAbsent(claimant.client(), Client::new);
        Claim claim = new Claim(wanted, neededBytes, line, client, claimant, loop, whenGranted);
        waiting++;
        client.waiting.add(claim);
        client.stand(line);
        grantAll();
        return claim;
    }

    /** Ends the wait of a request at another node. */
    private final class Elsewhere implements Runnable {
        private final Line line;
        private final Client client;
        private boolean isOver;

        Elsewhere(Line line, Client client) {
            this.line = line;
            this.client = client;
        }

        @Override
        public void run() {
            synchronized (Room.this) {
                if (!isOver) {
                    isOver = true;
                    client.elsewhere--;
                    elsewhere--;
                    line.forgetIdle(client);
                }
            }
        }
    }

    /** A part of the memory, or a place in the line for it. */
    final class Claim implements Place {
        private final long wanted;

        /** What has to be free for it. */
        private final long neededBytes;

        private final Line line;
        private final Client client;
        private final long sinceNanos;
        private final long number = claims++;
        private final Loop loop;
        private final Runnable whenGranted;

        /** Does not change any more once it is granted. */
        private boolean isOldest;

        private boolean isGranted;
        private boolean isReleased;

        private Claim(
                long wanted,
                long neededBytes,
                Line line,
                Client client,
                Claimant claimant,
                Loop loop,
                Runnable whenGranted) {
            this.wanted = wanted;
            this.neededBytes = neededBytes;
            this.line = line;
            this.client = client;
            this.sinceNanos = claimant.sinceNanos();
            this.isOldest = claimant.isOldest();
            this.loop = loop;
            this.whenGranted = whenGranted;
        }

        /** The claim was removed from those that wait. */
        private void grant() {
            waiting--;
            isGranted = true;
            client.granted.add(this);
            take(wanted);
            loop.execute(whenGranted);
        }

        /** Whether it does not stand behind large ones. */
        private boolean isLittle() {
            return isOldest && wanted <= line.littleMaxBytes;
        }

        private void take(long more) {
            client.takenBytes += more;
            line.takenByYounger += isOldest ? 0 : more;
            line.takenByLittle += isLittle() ? more : 0;
            add(more, line);
        }

        @Override
        public boolean isGranted() {
            synchronized (Room.this) {
                return isGranted;
            }
        }

        @Override
        public long waitedForNanos() {
            synchronized (Room.this) {
                return Room.this.waitedForNanos(client);
            }
        }

        /** No older reply of the client is missing any more. */
        void becomesOldest() {
            synchronized (Room.this) {
                if (client.waiting.remove(this)) {
                    isOldest = true;
                    client.waiting.add(this);
                    client.stand(line);
                    grantAll();
                }
            }
        }

        @Override
        public void release() {
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
                }
                client.stand(line);
                line.forgetIdle(client);
                grantAll();
            }
        }
    }
}
