package dev.kv.storage.engine;

import dev.kv.router.CommandThread;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/** A thread that runs commands, and takes their replies only when the test runs what it was given. */
final class SlowCaller extends Thread implements CommandThread, CommandThread.Carrier {
    private final BlockingQueue<Runnable> given = new LinkedBlockingQueue<>();

    SlowCaller(Runnable first) {
        super(first);
    }

    /** What it has not run yet. */
    BlockingQueue<Runnable> given() {
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
    public void defer(Runnable task) {
        given.add(task);
    }
}
