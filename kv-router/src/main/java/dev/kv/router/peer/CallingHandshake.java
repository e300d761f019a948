package dev.kv.router.peer;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.kv.router.peer.codec.MalformedMessage;
import dev.kv.router.peer.codec.MessageReader;
import java.nio.ByteBuffer;

/**
 * The calling side of a {@link Handshake}: proves this node to another one, and has that one prove itself. The peer hears of the outcome.
 * On the link's loop only.
 */
final class CallingHandshake {
    private static final String OTHER_COOKIE = "has another cookie (kv.router.cookie-file)";

    private static final int ANSWER_SHOWN_MAX_BYTES = 256;

    private final OutLink link;
    private final Peer peer;
    private final byte[] cookie;
    private final byte[] hello;
    private byte[] challenge = new byte[0];
    private int commonVersion;
    private long capabilities;

    CallingHandshake(OutLink link, Peer peer, PeerSettings settings) {
        this.link = link;
        this.peer = peer;
        this.cookie = settings.cookie().array();
        this.hello = Handshake.hello(settings.self(), peer.name());
    }

    void begin() {
        link.sendFrame(Link.HELLO, hello);
    }

    /** A frame came from the other node, which has not proved itself. */
    void received(byte kind, ByteBuffer content) throws MalformedMessage {
        switch (kind) {
            case Link.CHALLENGE -> challenge(content);
            case Link.WELCOME -> welcome(content);
            case Link.REFUSED -> refused(content);
            default -> throw new MalformedMessage("no node answers like this");
        }
    }

    /** What answers is no node; the message quotes its first line. */
    void noNode(ByteBuffer input) {
        byte[] answer = new byte[Math.min(input.remaining(), ANSWER_SHOWN_MAX_BYTES)];
        input.get(input.position(), answer);
        String line = new String(answer, US_ASCII).lines().findFirst().orElse("");
        fail("is not there: what answers is no node, it says \"" + line.replaceAll("[^ -~]", "?")
                + "\"; mend the address (kv.router.peers, or the port in the routing table)");
    }

    private void challenge(ByteBuffer content) throws MalformedMessage {
        if (challenge.length > 0) {
            throw new MalformedMessage("a second CHALLENGE");
        }
        challenge = Handshake.bytes(content);
        Handshake.Challenge said = Handshake.Challenge.read(challenge);
        if (!said.called().equals(peer.name())) {
            fail("is not there: at this address is " + Handshake.shown(said.called()));
            return;
        }
        capabilities = said.capabilities();
        commonVersion = Handshake.commonVersion(said.versionMin(), said.versionMax());
        if (commonVersion == 0) {
            fail("speaks other versions of the protocol between nodes: " + said.versionMin() + " to "
                    + said.versionMax());
        } else {
            link.sendFrame(Link.PROOF, Handshake.proof(cookie, Handshake.Side.CALLER, hello, challenge));
        }
    }

    /** Whether the other node has this capability. */
    boolean has(long capability) {
        return (capabilities & capability) != 0;
    }

    private void welcome(ByteBuffer content) throws MalformedMessage {
        if (challenge.length == 0) {
            throw new MalformedMessage("a WELCOME before CHALLENGE");
        }
        byte[] expected = Handshake.proof(cookie, Handshake.Side.CALLED, hello, challenge);
        if (Handshake.same(Handshake.bytes(content), expected)) {
            link.trust(commonVersion);
            peer.proven(link);
        } else {
            fail(OTHER_COOKIE);
        }
    }

    private void refused(ByteBuffer content) throws MalformedMessage {
        MessageReader in = new MessageReader(content);
        Handshake.Refusal refusal = Handshake.Refusal.of(in.u8());
        String text = Handshake.shown(in.text());
        fail(
                switch (refusal) {
                    case NAME -> "is not there: at this address is " + text;
                    case VERSION -> "speaks other versions of the protocol between nodes: " + text;
                    case COOKIE -> OTHER_COOKIE;
                });
    }

    private void fail(String why) {
        peer.refused(link, why);
    }
}
