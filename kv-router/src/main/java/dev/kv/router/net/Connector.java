package dev.kv.router.net;

import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.function.Consumer;
import org.apache.mina.core.future.ConnectFuture;
import org.apache.mina.core.future.IoFutureListener;
import org.apache.mina.transport.socket.nio.NioSocketConnector;

/** Opens connections that live on one loop. */
public final class Connector implements AutoCloseable {
    private static final String PROTOCOL = "protocol";

    private final Loop loop;
    private final NioSocketConnector connector;

    /**
     * @param timeout the longest time for an attempt, at least 1 ms
     */
    public Connector(Loop loop, Duration timeout) {
        this.loop = loop;
        connector = new NioSocketConnector(loop);
        connector.setConnectTimeoutMillis(timeout.toMillis());
        connector.setConnectTimeoutCheckInterval(Math.clamp(timeout.toMillis() / 10, 1, 50));
        Sessions.configure(connector.getSessionConfig());
        connector.setHandler(new Sessions(
                session -> ((Listener.Protocol<?>) session.getAttribute(PROTOCOL)).connect(new OpenSocket(session))));
    }

    /**
     * Starts an attempt. On the loop's thread, either {@code protocol} makes the connection or {@code failed} gets the reason.
     */
    public void connect(InetSocketAddress address, Listener.Protocol<?> protocol, Consumer<Throwable> failed) {
        ConnectFuture future =
                connector.connect(address, (session, attempt) -> session.setAttribute(PROTOCOL, protocol));
        future.addListener((IoFutureListener<ConnectFuture>) attempt -> {
            if (attempt.getException() != null) {
                loop.execute(() -> failed.accept(attempt.getException()));
            }
        });
    }

    @Override
    public void close() {
        connector.dispose();
    }
}
