package dev.kv.storage.engine;

import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.storage.log.Refused;
import java.util.function.BooleanSupplier;

/**
 * A COPY of more than a turn. It fills a hidden bucket and publishes that: a bucket of any size takes no more memory than one change of it.
 * By one thread, which has entered the lane of the copy's name.
 */
final class LargeCopy implements AutoCloseable {
    private final Publisher publisher;
    private final Command.Copy command;
    private final long takenMillis;
    private final Frozen from;
    private final LargeChange to;

    /**
     * @param from what is copied
     * @param to keeps other commands off the name of the copy
     */
    LargeCopy(Publisher publisher, Command.Copy command, long takenMillis, Frozen from, LargeChange to) {
        this.publisher = publisher;
        this.command = command;
        this.takenMillis = takenMillis;
        this.from = from;
        this.to = to;
    }

    /** The lane in which commands wait for the copy. */
    Lanes.Lane lane() {
        return to.lane();
    }

    /**
     * Copies.
     *
     * @param isCancelled asked after each turn: if true, the copy ends with {@link Turn.Cancelled}, and nothing is changed
     * @throws Refused if the copy could not be written: nothing is changed then
     * @throws Frozen.CutOff if it takes longer than pins may last: nothing is changed then
     */
    Reply run(BooleanSupplier isCancelled) throws Refused {
        View content = from.view(isCancelled);
        if (content.size() == 0 || (!command.replaces() && to.hadKeys())) {
            return Writes.NOTHING;
        }
        try (HiddenBucket copy = new HiddenBucket(publisher, command.to(), from.isValue())) {
            from.read(() -> fill(copy, content));
            boolean _ = copy.publish(takenMillis, from.isValue() ? 0 : from.until(), _ -> true);
            return Writes.ONE;
        }
    }

    private Reply fill(HiddenBucket copy, View content) throws Refused {
        if (from.isKept()) {
            copy.keep();
        }
        Refused[] refused = {null};
        content.forEach(0, (_, key, value) -> {
            try {
                copy.set(key, value, from.mayKeysExpire() ? content.until(key) : 0);
                return true;
            } catch (Refused e) {
                refused[0] = e;
                return false;
            }
        });
        if (refused[0] != null) {
            throw refused[0];
        }
        return Reply.OK;
    }

    @Override
    public void close() {
        to.close();
        from.close();
    }
}
