package dev.kv.router.cli;

import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

@Command(
        name = "stop",
        description = {
            "Stops the node in order.",
            "The node answers requests in flight for at most kv.node.drain. Returns when the",
            "node has ended; fails if it runs 10 seconds longer than that."
        },
        footer = {"", "Example:", "  bin/kv stop"})
final class StopCommand implements Callable<Integer> {
    /** Added to kv.node.drain, and longer than RunCommand's margin: by then the node has ended itself. */
    private static final Duration MARGIN = Duration.ofSeconds(10);
    /** How long a process takes to end after it has let go of its folder. */
    private static final Duration EXIT_MAX = Duration.ofSeconds(2);

    private static final Duration PAUSE = Duration.ofMillis(50);

    @Mixin
    private Options options = new Options();

    @Override
    public Integer call() {
        return stop(options);
    }

    static int stop(Options options) {
        Remote node = Remote.of(options.settings());
        String pid = node.pid();
        Optional<Duration> drain = node.askToStop();
        if (drain.isEmpty()) {
            Results.line(node.name() + " is not running");
            return 0;
        }
        Duration limit = drain.get().plus(MARGIN);
        long deadlineNanos = System.nanoTime() + limit.toNanos();
        while (node.runs()) {
            if (System.nanoTime() - deadlineNanos > 0) {
                throw new CommandFailed(node.name() + " has not ended within " + limit.toSeconds()
                        + " seconds: see its log; `kill -9 " + pid + "` ends it");
            }
            LockSupport.parkNanos(PAUSE.toNanos());
        }
        awaitExit(pid);
        Results.line(node.name() + " has stopped");
        return 0;
    }

    /** The lock is free a moment before the process has ended; a zombie, whose parent does not reap it, is not awaited for long. */
    private static void awaitExit(String pid) {
        try {
            Optional<ProcessHandle> process = ProcessHandle.of(Long.parseLong(pid));
            if (process.isPresent()) {
                process.get().onExit().get(EXIT_MAX.toMillis(), TimeUnit.MILLISECONDS);
            }
        } catch (NumberFormatException | ExecutionException | TimeoutException e) {
            // The node has stopped: its lock is free.
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
