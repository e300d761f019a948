package dev.kv.router.net;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.testing.Await;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
final class ListenerTest {
    private final CountDownLatch isEnding = new CountDownLatch(1);
    private final CountDownLatch goOn = new CountDownLatch(1);

    /** What it holds is given back when the test says so. */
    private final class Holding extends Connection {
        Holding(OpenSocket socket) {
            super(socket, 1 << 20, new Budget(1 << 20));
        }

        @Override
        protected boolean read(ByteBuffer input) {
            return false;
        }

        @Override
        protected void closed() {
            isEnding.countDown();
            try {
                goOn.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    /** A stop unmaps what a connection may still read. */
    @Test
    void aConnectionIsGoneWhenItHasGivenBackWhatItHeld() throws Exception {
        try (Loops loops = new Loops(1, Duration.ofMillis(2), 1);
                AutoCloseable _ = goOn::countDown) {
            Listener<Holding> listener = loops.listen(
                    new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                    new Listener.Options("the test", 10, "no key", 1, _ -> Bytes.EMPTY, Optional.empty()),
                    Holding::new);
            new Socket(listener.address().getAddress(), listener.address().getPort()).close();
            isEnding.await();

            assertThat(listener.connections()).isEqualTo(1);
            CompletableFuture<Integer> left =
                    CompletableFuture.supplyAsync(() -> listener.stop(Duration.ofSeconds(20), _ -> {}));
            assertThat(left).isNotDone();
            goOn.countDown();
            assertThat(left.join()).isZero();
            Await.until(() -> listener.connections() == 0);
        }
    }
}
