package dev.kv.router.testing;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.IntSupplier;

/** A proxy for a port that can refuse, reset, stall and delay connections, as a network can. */
public final class Firewall implements AutoCloseable {
    private static final int BUFFER_BYTES = 64 * 1024;

    private final ServerSocket listener;
    private final IntSupplier target;
    private final Set<Socket> sockets = ConcurrentHashMap.newKeySet();
    private boolean silent;
    private int chunkBytes = BUFFER_BYTES;
    private long pauseMillis;
    private final AtomicLong passedBytes = new AtomicLong();

    /**
     * @param target the port on loopback that connections go on to, asked for each of them
     */
    public Firewall(IntSupplier target) {
        this.target = target;
        try {
            listener = new ServerSocket();
            // Small buffers, so that a slow firewall is slow and does not just swallow megabytes first.
            listener.setReceiveBufferSize(BUFFER_BYTES);
            listener.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 1024);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Thread.ofVirtual().start(this::accept);
    }

    public InetSocketAddress address() {
        return InetSocketAddress.createUnresolved("127.0.0.1", listener.getLocalPort());
    }

    /** Passes no bytes from now on, in either direction; connections stay open, and new ones are accepted. */
    public synchronized void silence() {
        silent = true;
    }

    /** Passes all bytes again, those that were held back first. */
    public synchronized void open() {
        silent = false;
        chunkBytes = BUFFER_BYTES;
        pauseMillis = 0;
        notifyAll();
    }

    /** From now on at most {@code bytes} pass every {@code millis}. */
    public synchronized void throttle(int bytes, long millis) {
        chunkBytes = bytes;
        pauseMillis = millis;
    }

    /** The bytes that were passed on so far, both directions together. At most 0.3 MiB of them are still in the firewall. */
    public long passedBytes() {
        return passedBytes.get();
    }

    /** Resets all connections. */
    public void cut() {
        sockets.forEach(Firewall::reset);
        sockets.clear();
    }

    @Override
    public void close() {
        try {
            listener.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        cut();
        open();
    }

    private void accept() {
        try {
            while (true) {
                Socket near = listener.accept();
                sockets.add(near);
                near.setSendBufferSize(BUFFER_BYTES);
                Thread.ofVirtual().start(() -> connect(near));
            }
        } catch (IOException e) {
            // The listener is closed.
        }
    }

    private void connect(Socket near) {
        try {
            awaitPassage(0);
            Socket far = new Socket();
            sockets.add(far);
            far.setReceiveBufferSize(BUFFER_BYTES);
            far.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), target.getAsInt()));
            Thread.ofVirtual().start(() -> pump(far, near));
            pump(near, far);
        } catch (IOException e) {
            reset(near);
        }
    }

    private void pump(Socket from, Socket to) {
        try {
            InputStream in = from.getInputStream();
            OutputStream out = to.getOutputStream();
            byte[] buffer = new byte[BUFFER_BYTES];
            int read;
            while ((read = in.read(buffer, 0, chunk())) > 0) {
                awaitPassage(read);
                out.write(buffer, 0, read);
                passedBytes.addAndGet(read);
            }
            to.shutdownOutput();
        } catch (IOException e) {
            reset(from);
            reset(to);
        }
    }

    private synchronized int chunk() {
        return chunkBytes;
    }

    private synchronized void awaitPassage(int bytes) {
        try {
            long dueNanos = System.nanoTime() + (bytes == 0 ? 0 : pauseMillis * 1_000_000);
            for (long left = dueNanos - System.nanoTime(); silent || left > 0; left = dueNanos - System.nanoTime()) {
                wait(silent ? 0 : left / 1_000_000 + 1);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void reset(Socket socket) {
        try {
            socket.setSoLinger(true, 0);
        } catch (SocketException e) {
            // It is closed already.
        }
        try {
            socket.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
