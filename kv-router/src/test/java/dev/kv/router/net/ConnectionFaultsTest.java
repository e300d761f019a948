package dev.kv.router.net;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** An {@link Error} in any callback of a connection ends that connection; its loop serves the others. */
@Timeout(60)
final class ConnectionFaultsTest {
    private static final int TIMEOUT_MILLIS = 10_000;

    /** Where the next connection fails. */
    private final ConcurrentLinkedQueue<Callback> failing = new ConcurrentLinkedQueue<>();

    private final AtomicInteger ended = new AtomicInteger();
    private Loops loops;
    private Listener<Echo> listener;

    enum Callback {
        CONSTRUCTOR,
        OPENED,
        MAY_READ,
        READ,
        SENT,
        HAS_MORE_TO_SEND,
        DEFERRED_TASK,
        TURN,
        IDLE,
        INPUT_ENDED,
        CLOSED
    }

    /** Sends back what it gets. */
    private final class Echo extends Connection {
        private final Optional<Callback> failsIn;

        Echo(OpenSocket socket, Optional<Callback> failsIn) {
            super(socket, 1 << 20, new Budget(1 << 20));
            this.failsIn = failsIn;
            failIn(Callback.CONSTRUCTOR);
        }

        private void failIn(Callback callback) {
            if (failsIn.equals(Optional.of(callback))) {
                throw new AssertionError("the test fails in " + callback);
            }
        }

        @Override
        protected void opened() {
            failIn(Callback.OPENED);
            if (failsIn.equals(Optional.of(Callback.IDLE))) {
                idleAfter(Duration.ofSeconds(1));
            }
        }

        @Override
        protected boolean mayRead() {
            failIn(Callback.MAY_READ);
            return super.mayRead();
        }

        @Override
        protected boolean read(ByteBuffer input) {
            failIn(Callback.READ);
            byte[] bytes = new byte[input.remaining()];
            input.get(bytes);
            if (failsIn.equals(Optional.of(Callback.SENT))) {
                // More than the socket takes at once, so that MINA tells what it has written.
                send(new byte[16 << 20]);
            }
            send(bytes);
            loop().defer(() -> guarded("a task of the test", () -> failIn(Callback.DEFERRED_TASK)));
            loop().inTurns(() -> guardedTurn("a turn of the test", () -> {
                failIn(Callback.TURN);
                return false;
            }));
            return true;
        }

        @Override
        protected void sent() {
            failIn(Callback.SENT);
        }

        @Override
        protected boolean hasMoreToSend() {
            failIn(Callback.HAS_MORE_TO_SEND);
            return false;
        }

        @Override
        protected void idle() {
            failIn(Callback.IDLE);
        }

        @Override
        protected void inputEnded() {
            failIn(Callback.INPUT_ENDED);
            super.inputEnded();
        }

        @Override
        protected void closed() {
            ended.incrementAndGet();
            failIn(Callback.CLOSED);
        }
    }

    @BeforeEach
    void open() throws IOException {
        loops = new Loops(1, Duration.ofMillis(2), 1);
        Listener.Options options =
                new Listener.Options("the door of the test", 10, "no.key", 1, _ -> Bytes.EMPTY, Optional.empty());
        listener = loops.listen(
                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                options,
                socket -> new Echo(socket, Optional.ofNullable(failing.poll())));
    }

    @AfterEach
    void close() {
        listener.stop(Duration.ZERO, Connection::close);
        loops.close();
    }

    private Socket connect() throws IOException {
        Socket socket = new Socket();
        socket.setTcpNoDelay(true);
        socket.setSoTimeout(TIMEOUT_MILLIS);
        socket.connect(listener.address(), TIMEOUT_MILLIS);
        return socket;
    }

    private static void assertEchoes(Socket socket) throws IOException {
        for (int i = 0; i < 10; i++) {
            socket.getOutputStream().write(i);
            assertThat(socket.getInputStream().read()).isEqualTo(i);
        }
    }

    @ParameterizedTest
    @EnumSource
    void anErrorInACallbackEndsItsConnectionAlone(Callback callback) throws IOException {
        try (Socket bystander = connect()) {
            assertEchoes(bystander);
            failing.add(callback);
            try (Socket faulty = connect()) {
                try {
                    faulty.getOutputStream().write('x');
                    if (callback == Callback.INPUT_ENDED || callback == Callback.CLOSED) {
                        faulty.shutdownOutput();
                    }
                    faulty.getInputStream().readAllBytes();
                } catch (SocketException reset) {
                    // As good as the end.
                }
                assertEchoes(bystander);
                try (Socket next = connect()) {
                    assertEchoes(next);
                }
            }
            assertThat(ended).hasValueGreaterThanOrEqualTo(callback == Callback.CONSTRUCTOR ? 0 : 1);
        }
    }
}
