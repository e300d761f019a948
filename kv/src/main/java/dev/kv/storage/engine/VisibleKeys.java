package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import dev.kv.storage.index.Index;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.random.RandomGenerator;

/**
 * The keys that a command sees while it changes a bucket, for walks and draws: those that its {@link Change} sets, and the stored ones that
 * it does not change. The change tells of each further key. One thread at a time.
 */
final class VisibleKeys {
    private final Fields fields;
    private final Index index;
    private final boolean mayHaveGone;
    private final ChangedKeys changed;
    private final Turn turn;
    private final PresentKeys present = new PresentKeys();

    /** The stored keys that are not changed; null until a walk or a draw needs them. */
    private UnchangedKeys unchanged;

    /**
     * @param index finds the stored keys; null if there are none
     * @param mayHaveGone whether stored keys may have expired
     */
    VisibleKeys(Fields fields, Index index, boolean mayHaveGone, ChangedKeys changed, Turn turn) {
        this.fields = fields;
        this.index = index;
        this.mayHaveGone = mayHaveGone;
        this.changed = changed;
        this.turn = turn;
        for (int i = 0; i < changed.count(); i++) {
            changed(changed.get(i));
        }
    }

    /** Takes notice of a key that was changed once more. */
    void changed(ChangedKey key) {
        if (key.value == null) {
            present.remove(key);
        } else {
            present.add(key);
        }
    }

    /**
     * Shows pairs as {@link View#forEach} does.
     *
     * @param size the number of visible keys
     */
    void forEach(long size, long fromPosition, View.Visitor visitor) {
        MergedKeys merged = new MergedKeys(present.from(fromPosition), changed::isChanged, turn, visitor);
        if (areFewUnchanged(size)) {
            unchanged(size)
                    .forEach(
                            key -> position(key) >= fromPosition,
                            key -> merged.visit(position(key), key, fields.get(index, key, turn)));
        } else if (index != null) {
            fields.forEach(index, fromPosition, turn, merged);
        }
        merged.showUpTo(Long.MAX_VALUE);
    }

    /**
     * Shows a pair as {@link View#draw} does.
     *
     * @param size the number of visible keys, at least 1
     */
    boolean draw(long size, View.Visitor visitor) {
        RandomGenerator random = ThreadLocalRandom.current();
        // With keys that have expired nobody knows how many are visible: each stored one has its place, and not all are
        // shown.
        long place = random.nextLong(mayHaveGone ? present.size() + index.size() : size);
        if (place < present.size()) {
            ChangedKey change = present.get((int) place);
            turn.take(change.bytes());
            boolean _ = visitor.visit(change.position(), change.key, change.value);
            return true;
        }
        if (mayHaveGone) {
            return drawStored(random, visitor);
        }
        if (areFewUnchanged(size)) {
            Bytes key = unchanged(size).draw(random);
            boolean _ = visitor.visit(position(key), key, fields.get(index, key, turn));
            return true;
        }
        boolean isShown = false;
        while (!isShown) {
            // At least half of them are unchanged.
            isShown = drawStored(random, visitor);
        }
        return true;
    }

    /** Draws a stored key; returns false if it is changed, or has expired, and is not shown. */
    private boolean drawStored(RandomGenerator random, View.Visitor visitor) {
        boolean[] isChanged = {false};
        boolean isThere = fields.draw(index, random, turn, (position, key, value) -> {
            isChanged[0] = changed.isChanged(key);
            return isChanged[0] || visitor.visit(position, key, value);
        });
        return isThere && !isChanged[0];
    }

    /** Whether most stored keys are changed. */
    private boolean areFewUnchanged(long size) {
        return index != null && size - present.size() < index.size() / 2;
    }

    private UnchangedKeys unchanged(long size) {
        if (unchanged == null) {
            List<Bytes> keys = new ArrayList<>();
            fields.forEach(index, 0, turn, (_, key, _) -> changed.isChanged(key) || keys.add(key));
            unchanged = new UnchangedKeys(keys, changed::isChanged);
        }
        unchanged.drop(size - present.size());
        return unchanged;
    }

    private long position(Bytes key) {
        return Integer.toUnsignedLong(fields.hash().of(key.array()));
    }
}
