package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The keys that a {@link Change} sets or deletes, in the order of their first change. Objects are reused. One thread at a time. */
final class ChangedKeys {
    /** Up to this number of keys, the list is searched; beyond it, a map. */
    private static final int FEW = 8;

    /** Objects from {@link #count} on are free for reuse. */
    private final List<ChangedKey> keys = new ArrayList<>(1);

    private int count;
    private boolean hasDeletes;

    /** The same by key, if there are more than {@link #FEW}. */
    private Map<Bytes, ChangedKey> byKey;

    int count() {
        return count;
    }

    ChangedKey get(int number) {
        return keys.get(number);
    }

    /** The change of a key; null if it is not changed. */
    ChangedKey find(Bytes key) {
        if (byKey != null) {
            return byKey.get(key);
        }
        for (int i = 0; i < count; i++) {
            if (keys.get(i).key.equals(key)) {
                return keys.get(i);
            }
        }
        return null;
    }

    /** By how many the keys grow that are there at a time. */
    long growth(long nowMillis) {
        long growth = 0;
        for (int i = 0; i < count; i++) {
            growth += (keys.get(i).isThere ? 1 : 0) - (keys.get(i).wasThere(nowMillis) ? 1 : 0);
        }
        return growth;
    }

    boolean isChanged(Bytes key) {
        return find(key) != null;
    }

    /** Adds a key that is not there yet. Fields of the object may hold those of another key. */
    ChangedKey add(Bytes key) {
        if (count == keys.size()) {
            keys.add(new ChangedKey());
        }
        ChangedKey change = keys.get(count++);
        change.key = key;
        change.place = -1;
        if (byKey != null) {
            byKey.put(key, change);
        } else if (count > FEW) {
            byKey = new HashMap<>();
            keys.subList(0, count).forEach(each -> byKey.put(each.key, each));
        }
        return change;
    }

    /** Turns the change of a key into its removal. */
    void delete(ChangedKey change) {
        change.value = null;
        hasDeletes = true;
    }

    /** Removes entries without effect, before the change is written. */
    void forgetVain() {
        if (hasDeletes) {
            keys.subList(count, keys.size()).clear();
            keys.removeIf(ChangedKey::isVain);
            count = keys.size();
        }
    }

    void clear() {
        count = 0;
        hasDeletes = false;
        byKey = null;
    }

    /** Drops references to keys and values, and all objects but a few. */
    void forget() {
        clear();
        if (keys.size() > FEW) {
            keys.subList(FEW, keys.size()).clear();
        }
        for (ChangedKey change : keys) {
            change.key = null;
            change.value = null;
        }
    }
}
