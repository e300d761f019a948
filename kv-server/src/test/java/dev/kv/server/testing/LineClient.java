package dev.kv.server.testing;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.time.Duration;

/**
 * A blocking client of the line protocol. Texts stand for bytes, one for each character (ISO 8859-1). Whoever waits longer
 * than {@link #TIMEOUT} gets a {@link java.net.SocketTimeoutException}.
 */
public final class LineClient implements AutoCloseable {
    public static final Duration TIMEOUT = Duration.ofSeconds(20);

    private final Socket socket;
    private final LineInput input;

    private LineClient(Socket socket) throws IOException {
        this.socket = socket;
        this.input = new LineInput(socket.getInputStream());
    }

    public static LineClient connect(InetSocketAddress address) throws IOException {
        return connect(address, 0);
    }

    /**
     * Connects a client that takes little before it reads.
     *
     * @param receiveBufferBytes how much the kernel takes for this client before it reads, about; 0 for as it likes
     */
    public static LineClient connect(InetSocketAddress address, int receiveBufferBytes) throws IOException {
        Socket socket = new Socket();
        if (receiveBufferBytes > 0) {
            socket.setReceiveBufferSize(receiveBufferBytes);
        }
        socket.setTcpNoDelay(true);
        socket.setSoTimeout((int) TIMEOUT.toMillis());
        socket.connect(address, (int) TIMEOUT.toMillis());
        return new LineClient(socket);
    }

    /** Sends exactly this, in one write. */
    public void send(String bytes) throws IOException {
        socket.getOutputStream().write(bytes.getBytes(ISO_8859_1));
    }

    /** Sends a line and waits for the first line of the reply. */
    public String ask(String request) throws IOException {
        send(request + "\r\n");
        return line();
    }

    /** The next line, without its CR LF. */
    public String line() throws IOException {
        return input.line();
    }

    /** All that comes until the server closes the connection. */
    public String rest() throws IOException {
        return new String(input.readAllBytes(), ISO_8859_1);
    }

    /** Waits until the server has closed the connection, in order or not; false if something else came. */
    public boolean isClosed() throws IOException {
        try {
            return input.read() < 0;
        } catch (SocketException reset) {
            return true;
        }
    }

    /** Says that nothing more will be sent (half-close). */
    public void endOutput() throws IOException {
        socket.shutdownOutput();
    }

    /** Breaks the connection off: the server is told of an error, not of an end. */
    public void reset() throws IOException {
        socket.setSoLinger(true, 0);
        socket.close();
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
