package dev.kv.server;

import dev.kv.router.net.Budget;

/**
 * What the requests of one client take of the memory that all clients share: the one that arrives, and those that wait for their replies.
 * On the connection's loop only.
 */
final class RequestCharges {
    /** What a request that waits takes in objects, about: that of another node is known to the door, its link, and a list of deadlines. */
    private static final int OBJECTS_BYTES = 1024;

    /** Up to this length a request is copied for the node that runs it; longer values are sent from where they are. */
    private static final int COPIED_MAX_BYTES = 64 * 1024;

    /** The largest difference between the charged and the real memory: short requests do not touch the counter that all loops share. */
    private static final int CHARGE_STEP_BYTES = 16 * 1024;

    private final Budget budget;
    private long arrivingBytes;
    private long waitingBytes;

    /** The part of {@link #waitingBytes} that is charged to the budget. */
    private long chargedBytes;

    private boolean isClosed;

    RequestCharges(Budget budget) {
        this.budget = budget;
    }

    /** The memory of a request that waits, whose words take so many bytes. */
    static long ofWaiting(long heldBytes) {
        return OBJECTS_BYTES + heldBytes + Math.min(heldBytes, COPIED_MAX_BYTES);
    }

    /** Charges the request that arrives, of which so many bytes are held by now; returns false if too little is left. */
    boolean takeArriving(long heldBytes) {
        long more = Budget.ofInput(heldBytes) - arrivingBytes;
        if (more > 0 && !budget.take(more)) {
            return false;
        }
        arrivingBytes += Math.max(0, more);
        return true;
    }

    /** Gives back what was charged for the request that arrived. */
    void giveArriving() {
        if (arrivingBytes > 0) {
            budget.give(arrivingBytes);
            arrivingBytes = 0;
        }
    }

    /** Charges the request that has arrived for as long as it waits; returns false if too little is left. */
    boolean takeWaiting(long bytes) {
        giveArriving();
        if (!budget.take(bytes)) {
            return false;
        }
        waitingBytes += bytes;
        chargedBytes += bytes;
        return true;
    }

    /** Charges the request that has arrived for as long as it waits, even if too little is left. */
    void chargeWaiting(long bytes) {
        giveArriving();
        waitingBytes += bytes;
        charge();
    }

    /** A request that waited is answered. */
    void giveWaiting(long bytes) {
        if (!isClosed) {
            waitingBytes -= bytes;
            charge();
        }
    }

    private void charge() {
        long difference = waitingBytes - chargedBytes;
        if (Math.abs(difference) >= CHARGE_STEP_BYTES || (waitingBytes == 0 && difference != 0)) {
            chargedBytes = waitingBytes;
            budget.charge(difference);
        }
    }

    /**
     * Whether a further request may be read: no more than {@code maxBytes} wait, or none at all if less than a quarter of the budget is free.
     * So the memory that is left is there for what has come already, and for the first request of each client.
     */
    boolean mayTakeMore(long maxBytes) {
        return waitingBytes == 0 || (waitingBytes < maxBytes && !budget.isScarce());
    }

    /** Gives back all that is charged. */
    void close() {
        giveArriving();
        budget.give(chargedBytes);
        chargedBytes = 0;
        waitingBytes = 0;
        isClosed = true;
    }
}
