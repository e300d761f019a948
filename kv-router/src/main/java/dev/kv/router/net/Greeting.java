package dev.kv.router.net;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.util.regex.Pattern;

/**
 * The protocol of the first bytes on a connection. A caller that has come to a port of another protocol is told so in its own
 * protocol.
 */
public enum Greeting {
    /** A link of another node. */
    NODE("the protocol between nodes of kv"),
    /** A request of RESP. */
    RESP("RESP, the protocol of Redis"),
    /** A request of HTTP. */
    HTTP("HTTP"),
    /** The hello of a TLS client. */
    TLS("TLS"),
    /** Other text, such as a request of the line protocol. */
    TEXT("lines of text"),
    /** Anything else. */
    UNKNOWN("no known protocol");

    /** The text with which the first frame of a link between nodes begins. */
    public static final String NODE_MAGIC = "kvpeer\r\n";

    /** The length and the kind of a frame between nodes, before its content. */
    private static final int NODE_MAGIC_OFFSET = Integer.BYTES + 1;

    /** So much of the input is looked at. */
    private static final int SEEN_MAX_BYTES = 64;

    private static final Pattern HTTP_REQUEST = Pattern.compile("[A-Z]{3,7} (/|\\*|https?:).*", Pattern.DOTALL);

    /** The first bytes of a TLS record that holds a handshake message: its type, and the major version. */
    private static final byte[] TLS_HANDSHAKE = {0x16, 3};

    /** A TLS record with a fatal alert: protocol_version (RFC 8446, 6). */
    private static final byte[] TLS_REFUSAL = {0x15, 3, 1, 0, 2, 2, 70};

    private final String protocol;

    Greeting(String protocol) {
        this.protocol = protocol;
    }

    /** The protocol of the input, of which some may be missing; its position stays. */
    public static Greeting of(ByteBuffer input) {
        byte[] seen = new byte[Math.min(input.remaining(), SEEN_MAX_BYTES)];
        input.get(input.position(), seen);
        String text = new String(seen, ISO_8859_1);
        if (text.startsWith(NODE_MAGIC, NODE_MAGIC_OFFSET)) {
            return NODE;
        }
        if (text.startsWith(new String(TLS_HANDSHAKE, ISO_8859_1))) {
            return TLS;
        }
        if (text.startsWith("*")) {
            return RESP;
        }
        if (HTTP_REQUEST.matcher(text).matches()) {
            return HTTP;
        }
        return !text.isEmpty() && text.chars().allMatch(Greeting::isText) ? TEXT : UNKNOWN;
    }

    private static boolean isText(int c) {
        return (c >= ' ' && c < 0x7F) || (c >= '\t' && c <= '\r');
    }

    /** Its name, for messages. */
    public String protocol() {
        return protocol;
    }

    /**
     * What the caller gets before its connection is closed; nothing if its protocol is unknown.
     *
     * @param reason one line; a TLS client gets an alert in its place
     */
    public byte[] refusal(String reason) {
        return switch (this) {
            case RESP -> ("-ERR " + reason + "\r\n").getBytes(UTF_8);
            case NODE, TEXT -> ("ERROR ERR " + reason + "\r\n").getBytes(UTF_8);
            case HTTP ->
                ("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n" + reason + "\r\n")
                        .getBytes(UTF_8);
            case TLS -> TLS_REFUSAL.clone();
            case UNKNOWN -> new byte[0];
        };
    }
}
