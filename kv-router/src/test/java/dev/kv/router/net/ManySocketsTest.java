package dev.kv.router.net;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.testing.Await;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a loop does in one iteration when many sockets are ready at once. */
@Timeout(60)
final class ManySocketsTest {
    private static final int SOCKETS = 100;
    private static final int SENT_BYTES = 60 * 1024;

    private final List<Socket> clients = new ArrayList<>();

    /** How many connections each iteration made. */
    private final Map<Integer, Integer> made = new ConcurrentHashMap<>();

    /** The length of each read. */
    private final List<Integer> received = new CopyOnWriteArrayList<>();

    private Loops loops;
    private Listener<Sink> listener;
    private final AtomicInteger iteration = new AtomicInteger();

    /** Takes all input. */
    private final class Sink extends Connection {
        Sink(OpenSocket socket) {
            super(socket, 1 << 20, new Budget(1 << 20));
            made.merge(iteration.get(), 1, Integer::sum);
        }

        @Override
        protected boolean read(ByteBuffer input) {
            received.add(input.remaining());
            input.position(input.limit());
            return true;
        }

        @Override
        protected void closed() {}
    }

    @BeforeEach
    void start() throws Exception {
        loops = new Loops(1, Duration.ofMillis(2), 1);
        listener = loops.listen(
                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                new Listener.Options("the test", 1_000, "no key", 1, _ -> Bytes.EMPTY, Optional.empty()),
                Sink::new);
        loop().execute(this::count);
    }

    /** Counts the iterations. */
    private void count() {
        iteration.incrementAndGet();
        loop().defer(this::count);
    }

    private Loop loop() {
        return loops.all().getFirst();
    }

    @AfterEach
    void stop() throws Exception {
        for (Socket client : clients) {
            client.close();
        }
        listener.stop(Duration.ZERO, _ -> {});
        loops.close();
    }

    /** Has the loop do nothing until the latch opens. */
    private CountDownLatch hold() throws Exception {
        CountDownLatch isHeld = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        loop().execute(() -> {
            isHeld.countDown();
            try {
                goOn.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });
        isHeld.await();
        return goOn;
    }

    private void connect() throws Exception {
        for (int i = 0; i < SOCKETS; i++) {
            clients.add(new Socket(
                    listener.address().getAddress(), listener.address().getPort()));
        }
    }

    @Test
    void someConnectionsAreMadeInAnIterationAndTheOthersWaitInTheKernel() throws Exception {
        CountDownLatch goOn = hold();
        connect();
        goOn.countDown();
        Await.until(() -> listener.connections() == SOCKETS);
        assertThat(made.values()).allMatch(count -> count <= 16);
    }

    @Test
    void manySocketsShareWhatAnIterationReads() throws Exception {
        connect();
        Await.until(() -> listener.connections() == SOCKETS);
        CountDownLatch goOn = hold();
        for (Socket client : clients) {
            client.getOutputStream().write(new byte[SENT_BYTES]);
        }
        goOn.countDown();
        Await.until(() -> received.stream().mapToInt(Integer::intValue).sum() == SOCKETS * SENT_BYTES);
        // The first client's: all were ready by then.
        assertThat(received.getFirst()).isLessThanOrEqualTo(8 * 1024);

        received.clear();
        clients.getFirst().getOutputStream().write(new byte[SENT_BYTES]);
        Await.until(() -> received.stream().mapToInt(Integer::intValue).sum() == SENT_BYTES);
        assertThat(received).anyMatch(bytes -> bytes > 8 * 1024);
    }
}
