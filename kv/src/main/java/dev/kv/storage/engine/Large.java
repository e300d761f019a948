package dev.kv.storage.engine;

import dev.kv.router.Reply;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.Function;

/**
 * A command that touches more than a turn, ready to run: what it reads is frozen, what it changes is locked. One thread enters the lane,
 * runs it and closes it.
 *
 * @param run runs it; its argument is asked after each turn whether a read or a copy is to end with {@link Turn.Cancelled}
 * @param lane where commands wait for the bucket that it changes; empty if it only reads
 * @param end releases what it reads
 */
record Large(Function<BooleanSupplier, Reply> run, Optional<Lanes.Lane> lane, Runnable end) implements AutoCloseable {
    @Override
    public void close() {
        end.run();
    }
}
