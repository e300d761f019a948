package dev.kv.router.peer;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.ByteBuffer;

/** A connection to the door for nodes of a host, for a test that writes frames by hand. */
final class Wires implements AutoCloseable {
    static final int HELLO = 1;
    static final int CHALLENGE = 2;
    static final int PROOF = 3;
    static final int WELCOME = 4;
    static final int REFUSED = 5;
    static final int REQUEST = 16;
    static final int REPLY = 17;
    static final int PROGRESS = 18;
    static final int CANCEL = 19;
    static final int OFFER = 21;
    static final int CREDIT = 22;

    private final Host host;
    private final Socket socket;
    private final DataInputStream in;
    private final DataOutputStream out;

    Wires(Host host) throws IOException {
        this.host = host;
        socket = new Socket(InetAddress.getLoopbackAddress(), host.port);
        socket.setTcpNoDelay(true);
        socket.setSoTimeout(10_000);
        in = new DataInputStream(socket.getInputStream());
        out = new DataOutputStream(socket.getOutputStream());
    }

    void frame(int kind, byte[] content) throws IOException {
        out.writeInt(1 + content.length);
        out.write(kind);
        out.write(content);
        out.flush();
    }

    /** Sends the bytes as they are. */
    void raw(byte[] bytes) throws IOException {
        out.write(bytes);
        out.flush();
    }

    /** The content of the next frame, which is of this kind. */
    byte[] expect(int kind) throws IOException {
        int length = in.readInt();
        assertThat(in.readUnsignedByte()).isEqualTo(kind);
        return in.readNBytes(length - 1);
    }

    /** The kind and the content of the next frame. */
    byte[] next() throws IOException {
        return in.readNBytes(in.readInt());
    }

    /** All that comes until the node closes the connection. */
    String rest() throws IOException {
        return new String(in.readAllBytes(), ISO_8859_1);
    }

    void expectEnd() throws IOException {
        try {
            assertThat(in.read()).isEqualTo(-1);
        } catch (SocketException reset) {
            assertThat(reset).hasMessageContaining("reset");
        }
    }

    /** As a node of version 1. */
    Wires handshake() throws IOException {
        return handshake(1);
    }

    Wires handshake(int version) throws IOException {
        byte[] hello = Handshake.hello("foo@h", host.name);
        ByteBuffer.wrap(hello).putShort(10, (short) version);
        frame(HELLO, hello);
        byte[] challenge = expect(CHALLENGE);
        frame(PROOF, Handshake.proof(host.cookie.array(), Handshake.Side.CALLER, hello, challenge));
        assertThat(expect(WELCOME))
                .isEqualTo(Handshake.proof(host.cookie.array(), Handshake.Side.CALLED, hello, challenge));
        return this;
    }

    void request(int number, byte[] body) throws IOException {
        frame(REQUEST, chunk(false, number, body));
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }

    static byte[] chunk(boolean more, int number, byte[] chunk) {
        return ByteBuffer.allocate(5 + chunk.length)
                .put((byte) (more ? 1 : 0))
                .putInt(number)
                .put(chunk)
                .array();
    }

    static byte[] createRequest(String bucket) {
        byte[] name = bucket.getBytes(UTF_8);
        return ByteBuffer.allocate(1 + 4 + 4 + 2 + 4 + name.length)
                .put((byte) 1)
                .putInt(7)
                .putInt(1000)
                .putShort((short) 0)
                .putInt(name.length)
                .put(name)
                .array();
    }
}
