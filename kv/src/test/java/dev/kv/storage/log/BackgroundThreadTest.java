package dev.kv.storage.log;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.kv.storage.DataFolder;
import java.time.Duration;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.slf4j.LoggerFactory;

/** A background thread outlives every fault of a turn, which is said once. */
@Timeout(60)
class BackgroundThreadTest {
    private static final Logger LOG = (Logger) LoggerFactory.getLogger(Troubles.class);

    private final Troubles troubles = new Troubles();
    private final ListAppender<ILoggingEvent> logged = new ListAppender<>();

    @BeforeEach
    void listen() {
        logged.start();
        LOG.addAppender(logged);
    }

    @AfterEach
    void detach() {
        LOG.detachAppender(logged);
    }

    private static void fail(String how) {
        switch (how) {
            case "memory" -> throw new OutOfMemoryError("Java heap space");
            case "stack" -> fail(how);
            case "page" -> throw new InternalError("a fault occurred in an unsafe memory access operation");
            default -> throw new IllegalStateException(how);
        }
    }

    @Test
    void anyFaultIsSaidOnceAndTheNextTurnBegins() {
        Queue<String> faults = new ConcurrentLinkedQueue<>();
        Stream.of("memory", "stack", "page", "other").forEach(how -> {
            faults.add(how);
            faults.add(how);
        });
        AtomicInteger turns = new AtomicInteger();
        BackgroundThread thread = new BackgroundThread("kv-test", troubles, () -> {
            turns.incrementAndGet();
            String fault = faults.poll();
            if (fault != null) {
                fail(fault);
            }
            return Duration.ofHours(1).toNanos();
        });
        thread.start();
        DataFolder.await(() -> {
            thread.wake();
            return turns.get() > 8 && troubles.text().isEmpty();
        });

        assertThat(thread.isDead()).isFalse();
        thread.end();
        assertThat(logged.list.stream()
                        .map(event -> event.getThrowableProxy() == null
                                ? event.getFormattedMessage()
                                : event.getFormattedMessage() + " "
                                        + event.getThrowableProxy().getClassName()))
                .containsExactly(
                        "fault: kv-test java.lang.OutOfMemoryError",
                        "fault: kv-test java.lang.StackOverflowError",
                        "fault: kv-test java.lang.InternalError",
                        "fault: kv-test java.lang.IllegalStateException",
                        "kv-test: over");
    }
}
