package dev.kv.router.peer;

import dev.kv.router.net.OpenSocket;
import dev.kv.router.net.Report;
import dev.kv.router.peer.codec.MalformedMessage;
import java.nio.ByteBuffer;

/**
 * The called side of a {@link Handshake}: has another node prove itself, and proves this one. A node that is refused gets the reason, and
 * the connection ends. On the link's loop only.
 */
final class CalledHandshake {
    private final InLink link;
    private final OpenSocket socket;
    private final PeerSettings settings;
    private final Report refusals;
    private final byte[] challenge;
    private byte[] hello = new byte[0];
    private String caller = "";
    private int commonVersion;

    /**
     * @param socket is told when the other node has proved itself
     * @param refusals where refused nodes are reported
     */
    CalledHandshake(InLink link, OpenSocket socket, PeerSettings settings, Report refusals) {
        this.link = link;
        this.socket = socket;
        this.settings = settings;
        this.refusals = refusals;
        this.challenge = Handshake.challenge(settings.self());
    }

    /** The name that the other node gave itself, fit for messages; empty until it did. */
    String caller() {
        return caller;
    }

    /** A frame came from the other node, which has not proved itself. */
    void received(byte kind, ByteBuffer content) throws MalformedMessage {
        switch (kind) {
            case Link.HELLO -> hello(content);
            case Link.PROOF -> proof(content);
            default -> throw new MalformedMessage("no node begins like this");
        }
    }

    private void hello(ByteBuffer content) throws MalformedMessage {
        if (hello.length > 0) {
            throw new MalformedMessage("a second HELLO");
        }
        hello = Handshake.bytes(content);
        Handshake.Hello said = Handshake.Hello.read(hello);
        caller = Handshake.shown(said.caller());
        commonVersion = Handshake.commonVersion(said.versionMin(), said.versionMax());
        if (commonVersion == 0) {
            String versions = Handshake.VERSION_MIN + " to " + Handshake.VERSION_MAX;
            refuse(
                    Handshake.Refusal.VERSION,
                    versions,
                    "it speaks versions %d to %d of the protocol, this node %s"
                            .formatted(said.versionMin(), said.versionMax(), versions));
        } else if (!said.called().equals(settings.self())) {
            refuse(
                    Handshake.Refusal.NAME,
                    settings.self(),
                    "it asks for " + Handshake.shown(said.called())
                            + ": check kv.router.peers and the ports in the table of that node");
        } else {
            link.sendFrame(Link.CHALLENGE, challenge);
        }
    }

    private void proof(ByteBuffer content) throws MalformedMessage {
        if (hello.length == 0) {
            throw new MalformedMessage("a PROOF before HELLO");
        }
        byte[] cookie = settings.cookie().array();
        byte[] expected = Handshake.proof(cookie, Handshake.Side.CALLER, hello, challenge);
        if (Handshake.same(Handshake.bytes(content), expected)) {
            if (!socket.prove()) {
                link.giveUp();
                return;
            }
            link.trust(commonVersion);
            link.sendFrame(Link.WELCOME, Handshake.proof(cookie, Handshake.Side.CALLED, hello, challenge));
        } else {
            refuse(Handshake.Refusal.COOKIE, "", "it has another cookie (kv.router.cookie-file)");
        }
    }

    private void refuse(Handshake.Refusal refusal, String text, String why) {
        refusals.report(() -> "refused the node " + caller + " at " + link.remote() + ": " + why);
        link.refuse(Handshake.refused(refusal, text));
    }
}
