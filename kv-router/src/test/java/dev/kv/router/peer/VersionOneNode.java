package dev.kv.router.peer;

import dev.kv.router.Bytes;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** A node that speaks nothing but version 1 of the protocol, as far as put and get need it. */
final class VersionOneNode implements AutoCloseable {
    private static final int CHUNK_BYTES = 60_000;

    private final String name;
    private final byte[] cookie;
    private final ServerSocket listener;

    /** By bucket, key and a blank between. */
    private final Map<String, byte[]> values = new ConcurrentHashMap<>();

    VersionOneNode(String name, Bytes cookie) throws IOException {
        this.name = name;
        this.cookie = cookie.array();
        this.listener = new ServerSocket(0, 10, InetAddress.getLoopbackAddress());
        Thread.ofVirtual().start(() -> {
            try {
                while (true) {
                    Socket socket = listener.accept();
                    Thread.ofVirtual().start(() -> serve(socket));
                }
            } catch (IOException e) {
                // The listener is closed.
            }
        });
    }

    InetSocketAddress address() {
        return InetSocketAddress.createUnresolved("127.0.0.1", listener.getLocalPort());
    }

    private void serve(Socket socket) {
        try (socket) {
            DataInputStream in = new DataInputStream(socket.getInputStream());
            DataOutputStream out = new DataOutputStream(socket.getOutputStream());
            byte[] hello = frame(in, 1);
            byte[] challenge = Handshake.challenge(name);
            // Its versions are 1 to 1, and it has no capabilities.
            ByteBuffer.wrap(challenge).putShort(2, (short) 1).putLong(4, 0);
            send(out, 2, challenge);
            if (!Arrays.equals(frame(in, 3), Handshake.proof(cookie, Handshake.Side.CALLER, hello, challenge))) {
                return;
            }
            send(out, 4, Handshake.proof(cookie, Handshake.Side.CALLED, hello, challenge));
            Map<Integer, byte[]> begun = new HashMap<>();
            while (true) {
                ByteBuffer chunk = ByteBuffer.wrap(frame(in, 16));
                boolean more = chunk.get() != 0;
                int number = chunk.getInt();
                byte[] before = begun.getOrDefault(number, new byte[0]);
                byte[] body = Arrays.copyOf(before, before.length + chunk.remaining());
                chunk.get(body, before.length, chunk.remaining());
                begun.put(number, body);
                if (!more) {
                    begun.remove(number);
                    reply(out, number, run(ByteBuffer.wrap(body)));
                }
            }
        } catch (IOException e) {
            // The other side is gone, or did not speak as this version does.
        }
    }

    private byte[] run(ByteBuffer request) {
        int command = request.get();
        request.position(1 + 4 + 4);
        for (int nodes = request.getShort(); nodes > 0; nodes--) {
            request.position(request.position() + 2 + request.getShort(request.position()) + 8);
        }
        String at = Bytes.owning(bytes(request)) + " " + Bytes.owning(bytes(request));
        if (command == 2) {
            values.put(at, bytes(request));
            return new byte[] {0};
        }
        byte[] value = values.get(at);
        return value == null
                ? new byte[] {2}
                : ByteBuffer.allocate(5 + value.length)
                        .put((byte) 3)
                        .putInt(value.length)
                        .put(value)
                        .array();
    }

    private static byte[] bytes(ByteBuffer from) {
        byte[] bytes = new byte[from.getInt()];
        from.get(bytes);
        return bytes;
    }

    private static void reply(DataOutputStream out, int number, byte[] reply) throws IOException {
        for (int sent = 0; sent < reply.length; sent += CHUNK_BYTES) {
            int end = Math.min(reply.length, sent + CHUNK_BYTES);
            send(
                    out,
                    17,
                    ByteBuffer.allocate(5 + end - sent)
                            .put((byte) (end < reply.length ? 1 : 0))
                            .putInt(number)
                            .put(reply, sent, end - sent)
                            .array());
        }
    }

    /** The content of the next frame; any other kind than version 1 has here ends the connection. */
    private static byte[] frame(DataInputStream in, int kind) throws IOException {
        int length = in.readInt();
        int found = in.readUnsignedByte();
        if (found != kind) {
            throw new IOException("a frame of kind " + found);
        }
        return in.readNBytes(length - 1);
    }

    private static void send(DataOutputStream out, int kind, byte[] content) throws IOException {
        out.writeInt(1 + content.length);
        out.write(kind);
        out.write(content);
        out.flush();
    }

    @Override
    public void close() {
        try {
            listener.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
