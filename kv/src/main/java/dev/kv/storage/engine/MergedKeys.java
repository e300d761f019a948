package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import java.util.Iterator;
import java.util.function.Function;

/** Shows a visitor the changed pairs of a {@link Change} among the unchanged ones that it is shown, in the order of their positions. */
final class MergedKeys implements View.Visitor {
    private final Iterator<ChangedKey> changed;
    private final Function<Bytes, ChangedKey> known;
    private final Turn turn;
    private final View.Visitor visitor;
    private ChangedKey next;
    private boolean wantsMore = true;

    /**
     * @param changed the changed keys that exist, in the order of their positions
     * @param known the change of a stored key; null if it is unchanged
     * @param turn what changed pairs are taken from
     */
    MergedKeys(Iterator<ChangedKey> changed, Function<Bytes, ChangedKey> known, Turn turn, View.Visitor visitor) {
        this.changed = changed;
        this.known = known;
        this.turn = turn;
        this.visitor = visitor;
        this.next = changed.hasNext() ? changed.next() : null;
    }

    @Override
    public boolean visit(long position, Bytes key, Bytes value) {
        showUpTo(position);
        if (wantsMore) {
            ChangedKey change = known.apply(key);
            if (change == null) {
                wantsMore = visitor.visit(position, key, value);
            } else if (change.value == null) {
                wantsMore = visitor.pass(position);
            }
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
