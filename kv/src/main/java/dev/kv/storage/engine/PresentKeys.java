package dev.kv.storage.engine;

import dev.kv.storage.index.Index;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.TreeMap;

/**
 * The keys of a {@link Change} that exist after it: in the order of their positions for walks, and by number for draws. A key is added or
 * removed in logarithmic time, so that a batch may change and read in turns. One thread at a time.
 */
final class PresentKeys {
    /** The number of a key fits into these bits, beside its position. */
    private static final int NUMBER_BITS = Integer.SIZE - 1;

    private final List<ChangedKey> keys = new ArrayList<>();
    private final TreeMap<Long, ChangedKey> byPosition = new TreeMap<>();

    /** Where keys of equal positions go: after those that were added before. */
    private int added;

    int size() {
        return keys.size();
    }

    ChangedKey get(int place) {
        return keys.get(place);
    }

    /** The keys from a position on. */
    Iterator<ChangedKey> from(long position) {
        return position > Index.POSITION_MAX
                ? Collections.emptyIterator()
                : byPosition.tailMap(position << NUMBER_BITS).values().iterator();
    }

    /** Adds a key, unless it was added. */
    void add(ChangedKey key) {
        if (key.place < 0) {
            key.place = keys.size();
            key.order = key.position() << NUMBER_BITS | added++;
            keys.add(key);
            byPosition.put(key.order, key);
        }
    }

    /** Removes a key, if it was added. */
    void remove(ChangedKey key) {
        if (key.place >= 0) {
            ChangedKey last = keys.removeLast();
            if (last != key) {
                keys.set(key.place, last);
                last.place = key.place;
            }
            key.place = -1;
            byPosition.remove(key.order);
        }
    }
}
