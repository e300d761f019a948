package dev.kv.router.peer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Reply;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/**
 * How long small requests of a bystander wait while a large one runs. A busy machine delays them now and then; what the large one delays,
 * it delays each time.
 */
final class LongestWait {
    private static final Duration LIMIT = Duration.ofMillis(500);
    private static final int TRIES_MAX = 6;

    private LongestWait() {}

    @FunctionalInterface
    interface Request {
        void ask() throws Exception;
    }

    /**
     * Fails if the bystander waits too long in each of several tries.
     *
     * @param large makes the large request
     * @param expected its reply
     */
    static void isShort(String what, Request small, Callable<CompletionStage<Reply>> large, Reply expected)
            throws Exception {
        List<Duration> longest = new ArrayList<>();
        do {
            CompletableFuture<Reply> reply = large.call().toCompletableFuture();
            long longestNanos = 0;
            do {
                long start = System.nanoTime();
                small.ask();
                longestNanos = Math.max(longestNanos, System.nanoTime() - start);
            } while (!reply.isDone());
            assertThat(reply.get().equals(expected)).isTrue();
            longest.add(Duration.ofNanos(longestNanos));
        } while (longest.getLast().compareTo(LIMIT) >= 0 && longest.size() < TRIES_MAX);
        System.out.println("the bystander waited at most " + longest + " for " + what);
        assertThat(longest.getLast()).as("%s: %s", what, longest).isLessThan(LIMIT);
    }
}
