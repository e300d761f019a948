package dev.kv.router.peer;

import dev.kv.router.net.Loop;
import java.util.Optional;

/**
 * The requests of one loop that wait for other nodes, a list for each client, in the order in which they came: which is the oldest of its
 * client? Each answer takes one step. On that loop only.
 */
final class Unanswered {
    /** By client; the others are linked from there. */
    private final IntMap<Place> newest = new IntMap<>();

    private final Loop loop;
    private long lastNanos = System.nanoTime();

    Unanswered(Loop loop) {
        this.loop = loop;
    }

    /** The place of a request among those of its client. */
    abstract static class Place {
        /** Null if there is none. */
        private Place older;

        private Place newer;
        private boolean isListed;
        private long sinceNanos;
        private Optional<Runnable> whenOldest = Optional.empty();

        /** Equal for all requests of a client. */
        abstract int client();

        /** The number of nodes between this one and the client. */
        abstract int nodesToClient();

        /** When it began, by {@link System#nanoTime}; later than all that began before. */
        final long sinceNanos() {
            return sinceNanos;
        }
    }

    void add(Place request) {
        long now = loop.nanos();
        lastNanos = now - lastNanos > 0 ? now : lastNanos + 1;
        request.sinceNanos = lastNanos;
        request.isListed = true;
        request.older = newest.put(request.client(), request);
        if (request.older != null) {
            request.older.newer = request;
        }
    }

    /** The request is answered, or nobody waits for it any more. Has no effect the second time. */
    void remove(Place request) {
        if (!request.isListed) {
            return;
        }
        request.isListed = false;
        if (request.older != null) {
            request.older.newer = request.newer;
        }
        if (request.newer != null) {
            request.newer.older = request.older;
        } else if (request.older != null) {
            newest.put(request.client(), request.older);
        } else {
            newest.remove(request.client());
        }
        if (request.older == null && request.newer != null) {
            Optional<Runnable> task = request.newer.whenOldest;
            request.newer.whenOldest = Optional.empty();
            task.ifPresent(Runnable::run);
        }
    }

    /**
     * Claims memory for the reply to a request, once for each request.
     *
     * @param whenGranted is run on the loop
     */
    Room.Claim claim(Place request, Room room, long bytes, Loop loop, Runnable whenGranted) {
        boolean isOldest = request.older == null;
        Room.Claim claim = room.claim(
                bytes,
                new Room.Claimant(request.nodesToClient(), request.client(), request.sinceNanos(), isOldest),
                loop,
                whenGranted);
        if (!isOldest) {
            request.whenOldest = Optional.of(claim::becomesOldest);
        }
        return claim;
    }
}
