package dev.kv.storage.engine;

import dev.kv.router.CommandThread;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.Consumer;

/** A thread that runs commands, and gets their replies when the test runs the tasks that were given to it. */
public final class SlowCaller extends Thread implements CommandThread, CommandThread.Carrier {
    private final BlockingQueue<Runnable> given = new LinkedBlockingQueue<>();

    public SlowCaller(Runnable first) {
        super(first);
    }

    /** Tasks that were not run yet. */
    public BlockingQueue<Runnable> given() {
        return given;
    }

    @Override
    public CommandThread commandThread() {
        return this;
    }

    @Override
    public void execute(Runnable task) {
        given.add(task);
    }

    @Override
    public <T> void elsewhere(Callable<T> work, Consumer<T> then, Consumer<Throwable> failed) {
        throw new UnsupportedOperationException("the storage has threads of its own");
    }

    @Override
    public void defer(Runnable task) {
        given.add(task);
    }
}
