package dev.kv.router.peer;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.kv.router.Bytes;
import dev.kv.router.net.Greeting;
import dev.kv.router.peer.codec.MalformedMessage;
import dev.kv.router.peer.codec.MessageReader;
import dev.kv.router.peer.codec.MessageWriter;
import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Arrays;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * The messages by which two nodes prove to each other that they have the same cookie: mutual challenge and response with HMAC-SHA-256
 * (RFC 2104), keyed with the cookie, which itself is never sent.
 *
 * <pre>
 * caller  HELLO      magic, versions, capabilities, nonce, the caller's name, the name it asks for
 * called  CHALLENGE  versions, capabilities, nonce, the called node's name
 * caller  PROOF      HMAC of "caller", HELLO and CHALLENGE
 * called  WELCOME    HMAC of "called", HELLO and CHALLENGE
 * </pre>
 *
 * The MAC covers both nonces, both names, and both ranges of versions and capabilities; it covers the side, so that a proof cannot be
 * sent back as a welcome. The caller proves itself first, so that a stranger gets no MAC to test guesses of the cookie with.
 */
final class Handshake {
    /** The versions of the protocol that this node speaks. */
    static final int VERSION_MIN = 1;

    static final int VERSION_MAX = 2;

    /** The node runs commands on several names that come in one request ({@link dev.kv.router.Command.Each}). */
    static final long EACH = 1 << 2;

    /** The capabilities of this node beyond its version, a bit each; unknown bits of the other side are ignored. */
    static final long CAPABILITIES = EACH;

    private static final byte[] MAGIC = Greeting.NODE_MAGIC.getBytes(US_ASCII);
    private static final int NONCE_BYTES = 32;
    private static final String MAC = "HmacSHA256";
    private static final SecureRandom RANDOM = new SecureRandom();

    /** The longest name of a node. */
    private static final int NAME_MAX_BYTES = 64 + 1 + 253;

    private Handshake() {}

    /** What a node says that has not proved itself, fit for the log and for replies. */
    static String shown(String text) {
        return Bytes.of(text).printable(NAME_MAX_BYTES);
    }

    /** The content of a frame. */
    static byte[] bytes(ByteBuffer content) {
        byte[] bytes = new byte[content.remaining()];
        content.get(bytes);
        return bytes;
    }

    /** The reason for which a node refuses another. */
    enum Refusal {
        /** This is another node than the one that was called; the text is its name. */
        NAME(1),
        /** No common version; the text is the range of its versions. */
        VERSION(2),
        /** The proof is wrong. */
        COOKIE(3);

        final int code;

        Refusal(int code) {
            this.code = code;
        }

        static Refusal of(int code) throws MalformedMessage {
            for (Refusal refusal : values()) {
                if (refusal.code == code) {
                    return refusal;
                }
            }
            throw new MalformedMessage("unknown refusal " + code);
        }
    }

    /** The first message of the caller. */
    record Hello(int versionMin, int versionMax, long capabilities, String caller, String called) {
        static Hello read(byte[] content) throws MalformedMessage {
            MessageReader in = new MessageReader(ByteBuffer.wrap(content));
            if (!Arrays.equals(in.raw(MAGIC.length), MAGIC)) {
                throw new MalformedMessage("no node speaks like this");
            }
            int min = in.u16();
            int max = in.u16();
            long capabilities = in.u64();
            in.raw(NONCE_BYTES);
            return new Hello(min, max, capabilities, in.text(), in.text());
        }
    }

    /** The answer of the called node. */
    record Challenge(int versionMin, int versionMax, long capabilities, String called) {
        static Challenge read(byte[] content) throws MalformedMessage {
            MessageReader in = new MessageReader(ByteBuffer.wrap(content));
            int min = in.u16();
            int max = in.u16();
            long capabilities = in.u64();
            in.raw(NONCE_BYTES);
            return new Challenge(min, max, capabilities, in.text());
        }
    }

    /** The side of a connection that proves itself. */
    enum Side {
        CALLER("caller"),
        CALLED("called");

        private final String label;

        Side(String label) {
            this.label = label;
        }
    }

    /** The content of a HELLO with a fresh nonce. */
    static byte[] hello(String caller, String called) {
        MessageWriter out = new MessageWriter();
        out.raw(MAGIC);
        self(out, caller);
        out.text(called);
        return out.toByteArray();
    }

    /** The content of a CHALLENGE with a fresh nonce. */
    static byte[] challenge(String called) {
        MessageWriter out = new MessageWriter();
        self(out, called);
        return out.toByteArray();
    }

    private static void self(MessageWriter out, String name) {
        byte[] nonce = new byte[NONCE_BYTES];
        RANDOM.nextBytes(nonce);
        out.u16(VERSION_MIN);
        out.u16(VERSION_MAX);
        out.u64(CAPABILITIES);
        out.raw(nonce);
        out.text(name);
    }

    /** The content of a REFUSED. */
    static byte[] refused(Refusal refusal, String text) {
        MessageWriter out = new MessageWriter();
        out.u8(refusal.code);
        out.text(text);
        return out.toByteArray();
    }

    /** The highest version that both sides speak; 0 if there is none. */
    static int commonVersion(int versionMin, int versionMax) {
        int highest = Math.min(VERSION_MAX, versionMax);
        return Math.max(VERSION_MIN, versionMin) <= highest ? highest : 0;
    }

    /** The proof of a side that it knows the cookie, for this exchange. */
    static byte[] proof(byte[] cookie, Side side, byte[] hello, byte[] challenge) {
        try {
            Mac mac = Mac.getInstance(MAC);
            mac.init(new SecretKeySpec(cookie, MAC));
            mac.update(side.label.getBytes(US_ASCII));
            mac.update(ByteBuffer.allocate(4).putInt(0, hello.length));
            mac.update(hello);
            return mac.doFinal(challenge);
        } catch (GeneralSecurityException e) {
            throw new AssertionError("every Java platform has " + MAC, e);
        }
    }

    /** Compares in a time that does not depend on where two proofs differ. */
    static boolean same(byte[] proof, byte[] expected) {
        return MessageDigest.isEqual(proof, expected);
    }
}
