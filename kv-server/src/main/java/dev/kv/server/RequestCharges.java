package dev.kv.server;

import dev.kv.router.net.Budget;

/**
 * What the requests of one client take of the memory that all clients share: the one that arrives, and those that wait for their replies.
 * On the connection's loop only.
 */
final class RequestCharges {
    private final Budget budget;
    private long arrivingBytes;
    private long waitingBytes;
    private boolean isClosed;

    RequestCharges(Budget budget) {
        this.budget = budget;
    }

    /** Charges the request that arrives, of which so many bytes are held by now; returns false if too little is left. */
    boolean takeArriving(long heldBytes) {
        long more = heldBytes - arrivingBytes;
        if (more > 0 && !budget.take(more)) {
            return false;
        }
        arrivingBytes += Math.max(0, more);
        return true;
    }

    /** Gives back what was charged for the request that arrived. */
    void giveArriving() {
        budget.give(arrivingBytes);
        arrivingBytes = 0;
    }

    /** Charges the request that has arrived for as long as it waits; returns false if too little is left. */
    boolean takeWaiting(long bytes) {
        giveArriving();
        if (!budget.take(bytes)) {
            return false;
        }
        waitingBytes += bytes;
        return true;
    }

    /** Charges the request that has arrived for as long as it waits, even if too little is left. */
    void chargeWaiting(long bytes) {
        giveArriving();
        budget.charge(bytes);
        waitingBytes += bytes;
    }

    /** A request that waited is answered. */
    void giveWaiting(long bytes) {
        if (!isClosed) {
            waitingBytes -= bytes;
            budget.give(bytes);
        }
    }

    /** What is charged for requests that wait, in bytes. */
    long waitingBytes() {
        return waitingBytes;
    }

    /** Gives back all that is charged. */
    void close() {
        giveArriving();
        budget.give(waitingBytes);
        waitingBytes = 0;
        isClosed = true;
    }
}
