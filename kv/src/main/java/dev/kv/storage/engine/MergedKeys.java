package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import java.util.Iterator;
import java.util.function.Predicate;

/** Shows a visitor the changed pairs of a {@link Change} among the unchanged ones that it is shown, in the order of their positions. */
final class MergedKeys implements View.Visitor {
    private final Iterator<ChangedKey> changed;
    private final Predicate<Bytes> isChanged;
    private final Turn turn;
    private final View.Visitor visitor;
    private ChangedKey next;
    private boolean wantsMore = true;

    /**
     * @param changed the changed keys that exist, in the order of their positions
     * @param isChanged whether a stored key is changed
     * @param turn what changed pairs are taken from
     */
    MergedKeys(Iterator<ChangedKey> changed, Predicate<Bytes> isChanged, Turn turn, View.Visitor visitor) {
        this.changed = changed;
        this.isChanged = isChanged;
        this.turn = turn;
        this.visitor = visitor;
        this.next = changed.hasNext() ? changed.next() : null;
    }

    @Override
    public boolean visit(long position, Bytes key, Bytes value) {
        showUpTo(position);
        if (wantsMore) {
            wantsMore = isChanged.test(key) || visitor.visit(position, key, value);
        }
        return wantsMore;
    }

    /** Shows the changed pairs up to a position. */
    void showUpTo(long position) {
        while (wantsMore && next != null && next.position() <= position) {
            turn.take(next.bytes());
            wantsMore = visitor.visit(next.position(), next.key, next.value);
            next = changed.hasNext() ? changed.next() : null;
        }
    }
}
