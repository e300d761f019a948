package dev.kv.router.net;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Work that a loop gives to another thread. */
@Timeout(60)
class LargeWorkTest {
    @Test
    void itsErrorIsToldToTheLoopAndEndsNotTheThread() throws Exception {
        try (Loops loops = new Loops(1, Duration.ofMillis(2), 1)) {
            Loop loop = loops.all().getFirst();
            for (Throwable fault : List.of(
                    new OutOfMemoryError("Java heap space"), new StackOverflowError(), new Exception("other"))) {
                CompletableFuture<Throwable> told = new CompletableFuture<>();
                CompletableFuture<String> toldOn = new CompletableFuture<>();
                loop.elsewhere(
                        () -> {
                            if (fault instanceof Error error) {
                                throw error;
                            }
                            throw (Exception) fault;
                        },
                        done -> told.completeExceptionally(new AssertionError("done: " + done)),
                        thrown -> {
                            told.complete(thrown);
                            toldOn.complete(Thread.currentThread().getName());
                        });
                assertThat(told.get(10, TimeUnit.SECONDS)).isSameAs(fault);
                assertThat(toldOn.get(10, TimeUnit.SECONDS)).isEqualTo("kv-io-0");

                CompletableFuture<String> next = new CompletableFuture<>();
                loop.elsewhere(() -> Thread.currentThread().getName(), next::complete, next::completeExceptionally);
                assertThat(next.get(10, TimeUnit.SECONDS)).isEqualTo("kv-replies-0");
            }
        }
    }
}
