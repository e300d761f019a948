package dev.kv.router.peer;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/**
 * A map with numbers as keys, without an object for each of them or each entry: what is known of a request by its number. A hash table with
 * open addressing and linear probing, at most half full. Not thread-safe.
 *
 * <p>Agrona, HPPC and fastutil have such maps, each in a jar of hundreds of kilobytes or more, and none gives a large table back by itself.
 *
 * @param <V> the values, none of which is null
 */
final class IntMap<V> {
    private static final int FIRST_CAPACITY = 16;

    /** A larger table is let go of when the map is empty. */
    private static final int KEPT_CAPACITY = 4096;

    /** A power of two of places: a key, and its value or null. */
    private int[] keys = new int[FIRST_CAPACITY];

    private Object[] values = new Object[FIRST_CAPACITY];
    private int size;

    int size() {
        return size;
    }

    boolean isEmpty() {
        return size == 0;
    }

    boolean has(int key) {
        return get(key) != null;
    }

    /** The value of the key; null if there is none. */
    V get(int key) {
        return size == 0 ? null : valueAt(placeOf(key));
    }

    /** Sets the value of the key; returns the one before, or null. */
    V put(int key, V value) {
        int place = placeOf(key);
        V before = valueAt(place);
        keys[place] = key;
        values[place] = value;
        if (before == null && ++size > keys.length / 2) {
            grow();
        }
        return before;
    }

    /** Removes the key; returns its value, or null. */
    V remove(int key) {
        if (size == 0) {
            return null;
        }
        int place = placeOf(key);
        V value = valueAt(place);
        if (value != null) {
            empty(place);
        }
        return value;
    }

    /** Removes the key if this is its value; returns whether it was. */
    boolean remove(int key, V value) {
        if (!value.equals(get(key))) {
            return false;
        }
        remove(key);
        return true;
    }

    /** Removes the values for which this holds. */
    void removeIf(Predicate<V> condition) {
        for (int key : keys()) {
            if (condition.test(get(key))) {
                remove(key);
            }
        }
    }

    void clear() {
        keys = new int[FIRST_CAPACITY];
        values = new Object[FIRST_CAPACITY];
        size = 0;
    }

    /** The values at this moment. */
    List<V> values() {
        List<V> all = new ArrayList<>(size);
        for (int place = 0; place < keys.length; place++) {
            if (values[place] != null) {
                all.add(valueAt(place));
            }
        }
        return all;
    }

    /** The keys at this moment. */
    List<Integer> keys() {
        List<Integer> all = new ArrayList<>(size);
        for (int place = 0; place < keys.length; place++) {
            if (values[place] != null) {
                all.add(keys[place]);
            }
        }
        return all;
    }

    /** Where the key is, or would be. */
    private int placeOf(int key) {
        int place = firstPlaceOf(key);
        while (values[place] != null && keys[place] != key) {
            place = next(place);
        }
        return place;
    }

    /** Neighbouring keys lie apart: a run of them would be gone through by each key that is not there. */
    private int firstPlaceOf(int key) {
        return (key * 0x9E3779B9) >>> Integer.numberOfLeadingZeros(keys.length - 1);
    }

    private int next(int place) {
        return (place + 1) & (keys.length - 1);
    }

    @SuppressWarnings("unchecked")
    private V valueAt(int place) {
        return (V) values[place];
    }

    /** Empties a place, and moves those behind it that could not be found any more. */
    private void empty(int place) {
        int gap = place;
        for (int behind = next(gap); values[behind] != null; behind = next(behind)) {
            int first = firstPlaceOf(keys[behind]);
            boolean isReachedOverGap = ((behind - first) & (keys.length - 1)) >= ((behind - gap) & (keys.length - 1));
            if (isReachedOverGap) {
                keys[gap] = keys[behind];
                values[gap] = values[behind];
                gap = behind;
            }
        }
        values[gap] = null;
        size--;
        if (size == 0 && keys.length > KEPT_CAPACITY) {
            clear();
        }
    }

    private void grow() {
        int[] oldKeys = keys;
        Object[] oldValues = values;
        keys = new int[2 * oldKeys.length];
        values = new Object[keys.length];
        for (int place = 0; place < oldKeys.length; place++) {
            if (oldValues[place] != null) {
                int to = placeOf(oldKeys[place]);
                keys[to] = oldKeys[place];
                values[to] = oldValues[place];
            }
        }
    }
}
