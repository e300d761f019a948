package dev.kv.storage.index;

/**
 * Linear probing in tables whose slots are in the order of the hashes. An entry is in the first slot that was free, from the home of its
 * hash on; the last slot is followed by the first.
 */
public final class Probing {
    private Probing() {}

    /**
     * The slot at which the search for a hash begins.
     *
     * @param sharedBits how many of the first bits are the same in all hashes of the table
     */
    public static int home(int hash, int sharedBits, int capacity) {
        return (int) ((Integer.toUnsignedLong(hash << sharedBits) * capacity) >>> Integer.SIZE);
    }

    /**
     * Whether the search for an entry still finds it when a slot before it becomes free; else the entry has to move there (Knuth, TAOCP
     * 3, 6.4, algorithm R).
     *
     * @param gap the slot that becomes free; no slot from there to the entry is free
     * @param at the slot of the entry
     * @param home where the search for it begins
     */
    public static boolean isFoundBehind(int gap, int at, int home) {
        return gap <= at ? gap < home && home <= at : gap < home || home <= at;
    }
}
