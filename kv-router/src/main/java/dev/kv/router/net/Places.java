package dev.kv.router.net;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * The places for the connections of a listener. Unproven connections have places of their own, and keep them for a bounded time; if
 * these are taken, the oldest unproven connection is closed for a new one. So strangers keep out neither proven connections nor each
 * other. Any thread.
 */
final class Places {
    /** Sockets in addition to the places, which are open while they are refused. No key: each is closed at once. */
    private static final int REFUSED_MAX = 16;

    private final int provenMax;
    private final int unprovenMax;
    private final long unprovenMaxNanos;

    /** One permit for each socket that may be open. */
    private final Semaphore sockets;

    private final LinkedHashSet<Place> unproven = new LinkedHashSet<>();
    private int proven;

    /**
     * @param unprovenMax 0 if connections need not prove themselves
     */
    Places(int provenMax, int unprovenMax, Duration unprovenTime) {
        this.provenMax = provenMax;
        this.unprovenMax = unprovenMax;
        this.unprovenMaxNanos = unprovenTime.toNanos();
        this.sockets = new Semaphore(provenMax + unprovenMax + REFUSED_MAX);
    }

    /** Waits until one more socket may be open. */
    boolean acquireSocket(Duration limit) throws InterruptedException {
        return sockets.tryAcquire(limit.toNanos(), TimeUnit.NANOSECONDS);
    }

    /** A socket is closed. */
    void releaseSocket() {
        sockets.release();
    }

    /**
     * Takes a place for an unproven connection.
     *
     * @param pushedOut is given the connection that has to be closed for it, if there is one
     */
    Place take(OpenSocket socket, Consumer<OpenSocket> pushedOut) {
        Place place = new Place(socket);
        Place oldest = null;
        synchronized (this) {
            if (unprovenMax > 0 && unproven.size() >= unprovenMax) {
                oldest = unproven.removeFirst();
            }
            unproven.add(place);
        }
        if (oldest != null) {
            pushedOut.accept(oldest.socket);
        }
        return place;
    }

    /** Frees the places of connections that have not proved themselves in time, and returns their sockets. */
    synchronized List<OpenSocket> expire() {
        List<OpenSocket> late = new ArrayList<>();
        while (!unproven.isEmpty() && nanosOfOldest() <= 0) {
            late.add(unproven.removeFirst().socket);
        }
        return late;
    }

    /** The time that the oldest unproven connection has left; the whole time if there is none. */
    synchronized Duration timeLeft() {
        return Duration.ofNanos(unproven.isEmpty() ? unprovenMaxNanos : Math.max(0, nanosOfOldest()));
    }

    private long nanosOfOldest() {
        return unproven.getFirst().sinceNanos + unprovenMaxNanos - System.nanoTime();
    }

    /** The place of one connection. */
    final class Place {
        private final OpenSocket socket;
        private final long sinceNanos = System.nanoTime();
        private boolean isProven;

        private Place(OpenSocket socket) {
            this.socket = socket;
        }

        /** The connection has proved itself; returns false if no place for proven connections is free. */
        boolean prove() {
            synchronized (Places.this) {
                if (!isProven && proven < provenMax && unproven.remove(this)) {
                    isProven = true;
                    proven++;
                }
                return isProven;
            }
        }

        /** The connection is closed. */
        void leave() {
            synchronized (Places.this) {
                if (isProven) {
                    proven--;
                } else {
                    unproven.remove(this);
                }
            }
        }
    }
}
