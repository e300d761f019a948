package dev.kv.storage.engine;

import dev.kv.router.Reply;
import dev.kv.storage.log.Refused;
import java.util.function.BooleanSupplier;
import java.util.function.Function;

/** A change of a bucket that takes more than a turn. The only one of the bucket; by one thread, which has entered the lane. */
final class LargeChange implements AutoCloseable {
    private final Changes changes;
    private final Frozen bucket;
    private final Lanes.Lane lane;

    LargeChange(Changes changes, Frozen bucket, Lanes.Lane lane) {
        this.changes = changes;
        this.bucket = bucket;
        this.lane = lane;
    }

    /** The lane in which commands wait for the bucket. */
    Lanes.Lane lane() {
        return lane;
    }

    /** Whether the name had keys or a value when the change began. */
    boolean hadKeys() {
        return bucket.view().size() > 0;
    }

    /**
     * Has a command change the bucket.
     *
     * @param hadTurn called after each turn
     * @throws Refused if the change could not be written: nothing is changed then
     * @throws Frozen.CutOff if the command reads for longer than pins may last: nothing is changed then
     */
    Reply run(Function<Edit, Reply> command, BooleanSupplier hadTurn) throws Refused {
        Change change = bucket.change(() -> {
            // A change runs whether its client is there or not.
            var _ = hadTurn.getAsBoolean();
            return false;
        });
        try {
            Reply reply = bucket.read(() -> command.apply(change));
            changes.commitLarge(change);
            return reply;
        } catch (Refused | RuntimeException | Error e) {
            change.releaseHeld();
            throw e;
        }
    }

    @Override
    public void close() {
        bucket.close();
    }
}
