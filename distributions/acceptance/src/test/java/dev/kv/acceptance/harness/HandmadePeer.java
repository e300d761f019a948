package dev.kv.acceptance.harness;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.testing.Await;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * A caller that has proved that it knows the cookie, and whose frames the test writes by hand, as {@code docs/peer-protocol.md}
 * has them.
 */
public final class HandmadePeer implements AutoCloseable {
    private static final int HELLO = 1;
    private static final int CHALLENGE = 2;
    private static final int PROOF = 3;
    private static final int WELCOME = 4;
    private static final int HEADER_BYTES = 5;

    private final Socket socket;

    /** Connects to the node {@code foo@h} as {@code bar@h}. */
    public HandmadePeer(NodeProcess node) throws IOException {
        socket = new Socket(node.nodes().getAddress(), node.nodes().getPort());
        socket.setSoTimeout((int) Await.TIMEOUT.toMillis());
        byte[] hello = hello();
        send(hello);
        byte[] challenge = expect(CHALLENGE);
        send(proofFrame(proof(hello, challenge)));
        expect(WELCOME);
    }

    /** The frame that a caller begins with. */
    public static byte[] hello() {
        byte[] caller = "bar@h".getBytes(UTF_8);
        byte[] called = "foo@h".getBytes(UTF_8);
        byte[] content = ByteBuffer.allocate(8 + 2 + 2 + 8 + 32 + 2 + caller.length + 2 + called.length)
                .put("kvpeer\r\n".getBytes(UTF_8))
                .putShort((short) 1)
                .putShort((short) 1)
                .putLong(0)
                .put(new byte[32])
                .putShort((short) caller.length)
                .put(caller)
                .putShort((short) called.length)
                .put(called)
                .array();
        return frame(HELLO, content);
    }

    /** The frame that follows the challenge. */
    public static byte[] proofFrame(byte[] proof) {
        return frame(PROOF, proof);
    }

    public static byte[] frame(int kind, byte[] content) {
        return ByteBuffer.allocate(HEADER_BYTES + content.length)
                .putInt(1 + content.length)
                .put((byte) kind)
                .put(content)
                .array();
    }

    private static byte[] proof(byte[] hello, byte[] challenge) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(SecretFile.SHARED.getBytes(UTF_8), "HmacSHA256"));
            mac.update("caller".getBytes(UTF_8));
            mac.update(ByteBuffer.allocate(4).putInt(0, hello.length - HEADER_BYTES));
            mac.update(hello, HEADER_BYTES, hello.length - HEADER_BYTES);
            return mac.doFinal(challenge);
        } catch (GeneralSecurityException e) {
            throw new AssertionError(e);
        }
    }

    public void send(byte[] frame) throws IOException {
        socket.getOutputStream().write(frame);
    }

    /** The content of the next frame, which is of this kind. */
    private byte[] expect(int kind) throws IOException {
        DataInputStream in = new DataInputStream(socket.getInputStream());
        int length = in.readInt();
        assertThat(in.readUnsignedByte()).isEqualTo(kind);
        return in.readNBytes(length - 1);
    }

    /** Waits until the node has closed the connection. */
    public void expectEnd() {
        try {
            assertThat(socket.getInputStream().readAllBytes()).isEmpty();
        } catch (SocketTimeoutException stillOpen) {
            throw new AssertionError("the connection is open", stillOpen);
        } catch (IOException reset) {
            assertThat(reset).hasMessageContaining("reset");
        }
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
