package dev.kv.router.net;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.testing.Await;
import java.lang.ref.WeakReference;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class LoopTimersTest {
    private static WeakReference<byte[]> cancelled(Loop loop, AtomicInteger runs) {
        byte[] kept = new byte[1 << 20];
        loop.after(Duration.ofHours(1), () -> runs.addAndGet(kept.length)).cancel();
        return new WeakReference<>(kept);
    }

    /** What a closed connection held would stay in memory until the time of the task. */
    @Test
    void aCancelledTaskIsNotKept() throws Exception {
        AtomicInteger runs = new AtomicInteger();
        try (Loops loops = new Loops(1, Duration.ofMillis(2), 1)) {
            Loop loop = loops.all().getFirst();
            WeakReference<byte[]> kept = cancelled(loop, runs);
            loop.after(Duration.ofMillis(1), runs::incrementAndGet);
            Await.until(() -> runs.get() == 1);
            Await.until(() -> {
                System.gc();
                return kept.get() == null;
            });
            assertThat(runs).hasValue(1);
        }
    }
}
