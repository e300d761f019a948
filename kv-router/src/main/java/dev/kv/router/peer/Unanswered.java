package dev.kv.router.peer;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * The requests of one loop that wait for other nodes, in the order in which they came: which is the oldest of its client? A list through the
 * requests themselves: a request with a short reply costs no memory here and no search. On that loop only.
 */
final class Unanswered {
    /** Null if there is none; likewise the ends of the list in the requests. */
    private Pending oldest;

    private Pending newest;

    /** By client, how many requests are watched; no zeros. */
    private final Map<Integer, Integer> watched = new HashMap<>();

    /** A request and its place in the list. */
    abstract static class Place {
        private Pending older;
        private Pending newer;
        private boolean isListed;
        private Optional<Runnable> whenOldest = Optional.empty();
    }

    void add(Pending request) {
        Place place = request;
        place.isListed = true;
        place.older = newest;
        if (newest == null) {
            oldest = request;
        } else {
            ((Place) newest).newer = request;
        }
        newest = request;
    }

    /** The request is answered, or nobody waits for it any more. Has no effect the second time. */
    void remove(Pending request) {
        Place place = request;
        if (!place.isListed) {
            return;
        }
        place.isListed = false;
        if (place.older == null) {
            oldest = place.newer;
        } else {
            ((Place) place.older).newer = place.newer;
        }
        if (place.newer == null) {
            newest = place.older;
        } else {
            ((Place) place.newer).older = place.older;
        }
        if (!watched.isEmpty() && watched.containsKey(clientOf(request))) {
            unwatch(request);
            tellOldest(clientOf(request));
        }
    }

    private static int clientOf(Pending request) {
        return request.request().stream();
    }

    boolean isOldest(Pending request) {
        for (Pending one = ((Place) request).older; one != null; one = ((Place) one).older) {
            if (clientOf(one) == clientOf(request)) {
                return false;
            }
        }
        return true;
    }

    /** Runs the task when the request, which is not the oldest of its client, has become that. At most one task for each request. */
    void whenOldest(Pending request, Runnable task) {
        ((Place) request).whenOldest = Optional.of(task);
        watched.merge(clientOf(request), 1, Integer::sum);
    }

    private void tellOldest(int client) {
        Pending one = oldest;
        while (one != null && clientOf(one) != client) {
            one = ((Place) one).newer;
        }
        if (one != null) {
            Optional<Runnable> task = ((Place) one).whenOldest;
            unwatch(one);
            task.ifPresent(Runnable::run);
        }
    }

    private void unwatch(Pending request) {
        Place place = request;
        if (place.whenOldest.isPresent()) {
            place.whenOldest = Optional.empty();
            watched.computeIfPresent(clientOf(request), (_, count) -> count == 1 ? null : count - 1);
        }
    }
}
