package dev.kv.storage.engine;

import dev.kv.router.Reply;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * A command that touches more than a turn, and whose turn has come. It is run by one thread, which enters the lane before, and
 * closed.
 *
 * @param lane where commands wait for the bucket that it changes; empty if it only reads
 * @param end lets go of what it reads
 */
record Large(Supplier<Reply> run, Optional<Lanes.Lane> lane, Runnable end) implements AutoCloseable {
    @Override
    public void close() {
        end.run();
    }
}
