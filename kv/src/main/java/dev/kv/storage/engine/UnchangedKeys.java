package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import java.util.List;
import java.util.function.Predicate;
import java.util.random.RandomGenerator;

/**
 * The stored keys that a {@link Change} leaves as they are, in the order of their positions. A walk or a draw reads these where most stored
 * keys are changed, so that it does not read all the changed ones again. One thread at a time.
 */
final class UnchangedKeys {
    private final List<Bytes> keys;
    private final Predicate<Bytes> isChanged;

    /**
     * @param keys becomes part of the object
     */
    UnchangedKeys(List<Bytes> keys, Predicate<Bytes> isChanged) {
        this.keys = keys;
        this.isChanged = isChanged;
    }

    /** Drops keys that were changed meanwhile, if they are more than half. */
    void drop(long unchanged) {
        if (keys.size() > 2 * unchanged) {
            keys.removeIf(isChanged);
        }
    }

    /** Shows keys to a visitor, which says whether it wants more; from the first one on whose position {@code isFrom} accepts. */
    void forEach(Predicate<Bytes> isFrom, Predicate<Bytes> visitor) {
        int low = 0;
        int high = keys.size();
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (isFrom.test(keys.get(middle))) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        for (Bytes key : keys.subList(low, keys.size())) {
            if (!isChanged.test(key) && !visitor.test(key)) {
                return;
            }
        }
    }

    /** A random key. There is one. */
    Bytes draw(RandomGenerator random) {
        Bytes key = keys.get(random.nextInt(keys.size()));
        while (isChanged.test(key)) {
            key = keys.get(random.nextInt(keys.size()));
        }
        return key;
    }
}
