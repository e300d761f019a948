package dev.kv.router;

import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.Executor;
import java.util.function.Consumer;

/**
 * A thread that runs commands in iterations, such as an I/O loop: who answers a command later gives the answer back to the thread
 * from which the command came ({@link #execute}, by any thread).
 */
public interface CommandThread extends Executor {
    /** Runs the task when all commands of the iteration that goes on have been run. On this thread only. */
    void defer(Runnable task);

    /**
     * Has another thread do work that takes longer than a turn, and then runs one of the two on this thread, with what came of it. The
     * threads are few, and their queue has no bound of its own: what the work holds is charged to a bound before. Any thread.
     */
    <T> void elsewhere(Callable<T> work, Consumer<T> then, Consumer<Throwable> failed);

    /** What a {@link Thread} implements that is one. */
    interface Carrier {
        CommandThread commandThread();
    }

    /** The one that the caller runs on; empty on any other thread. */
    static Optional<CommandThread> current() {
        return Thread.currentThread() instanceof Carrier carrier
                ? Optional.of(carrier.commandThread())
                : Optional.empty();
    }
}
