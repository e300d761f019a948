package dev.kv.router.peer;

import dev.kv.router.Reply;
import dev.kv.router.Reply.Word;
import dev.kv.router.Request;
import dev.kv.router.Router;
import dev.kv.router.net.Report;
import dev.kv.router.peer.codec.MalformedMessage;
import dev.kv.router.peer.codec.ReplyCodec;
import dev.kv.router.peer.codec.RequestCodec;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The called side of a link: another node asks, this node answers. */
final class InLink extends Link {
    private static final Logger LOG = LoggerFactory.getLogger(InLink.class);

    private final Socket socket;
    private final PeerSettings settings;
    private final Router router;
    private final Report refusals;
    private final byte[] challenge;
    private byte[] hello = new byte[0];
    private String caller = "";
    private int inFlight;

    /**
     * @param refusals where refused nodes are reported
     */
    InLink(Socket socket, PeerSettings settings, Router router, Report refusals) {
        super(socket, settings.unsentMaxBytes(), settings.messageMaxBytes(), settings.assembling());
        this.socket = socket;
        this.settings = settings;
        this.router = router;
        this.refusals = refusals;
        this.challenge = Handshake.challenge(settings.self());
    }

    /** Asks the caller to finish: it gets the answers that it waits for, and closes. */
    void goAway() {
        if (isTrusted()) {
            sendFrame(GOAWAY, new byte[0]);
        } else {
            close();
        }
    }

    @Override
    void handshake(byte kind, ByteBuffer content) throws MalformedMessage {
        switch (kind) {
            case HELLO -> hello(content);
            case PROOF -> proof(content);
            default -> throw new MalformedMessage("no node begins like this");
        }
    }

    private void hello(ByteBuffer content) throws MalformedMessage {
        if (hello.length > 0) {
            throw new MalformedMessage("a second HELLO");
        }
        hello = bytes(content);
        Handshake.Hello said = Handshake.Hello.read(hello);
        caller = said.caller();
        if (!Handshake.speaksOneOf(said.versionMin(), said.versionMax())) {
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
                    "it asks for " + said.called() + ": check kv.router.peers and the ports in the table of that node");
        } else {
            sendFrame(CHALLENGE, challenge);
        }
    }

    private void proof(ByteBuffer content) throws MalformedMessage {
        if (hello.length == 0) {
            throw new MalformedMessage("a PROOF before HELLO");
        }
        byte[] cookie = settings.cookie().array();
        byte[] expected = Handshake.proof(cookie, Handshake.Side.CALLER, hello, challenge);
        if (Handshake.same(bytes(content), expected)) {
            if (!socket.prove()) {
                close();
                return;
            }
            trust();
            sendFrame(WELCOME, Handshake.proof(cookie, Handshake.Side.CALLED, hello, challenge));
        } else {
            refuse(Handshake.Refusal.COOKIE, "", "it has another cookie (kv.router.cookie-file)");
        }
    }

    private void refuse(Handshake.Refusal refusal, String text, String why) {
        refusals.report(() -> "refused the node " + caller + " at " + remote() + ": " + why);
        sendFrame(REFUSED, Handshake.refused(refusal, text));
        closeAfterSent();
    }

    private static byte[] bytes(ByteBuffer content) {
        byte[] bytes = new byte[content.remaining()];
        content.get(bytes);
        return bytes;
    }

    @Override
    protected boolean mayRead() {
        return inFlight < settings.inFlightMax() && unsent() + outbox().waitingBytes() < settings.unsentMaxBytes();
    }

    @Override
    void message(byte kind, int number, Optional<ByteBuffer> body) throws MalformedMessage {
        if (kind != REQUEST) {
            throw new MalformedMessage("a reply that nobody asked for");
        }
        if (body.isEmpty()) {
            answer(
                    number,
                    ReplyCodec.encode(new Reply.Failed(
                            Word.TOOLARGE,
                            settings.self()
                                    + " has no room for this request (kv.router.value-max, kv.router.assembly-max)")));
            return;
        }
        switch (RequestCodec.decode(body.get(), () -> progress(number))) {
            case RequestCodec.Received.Unknown(int command) -> answer(number, ReplyCodec.unsupported(command));
            case RequestCodec.Received.Known(Request request) -> run(number, request);
        }
    }

    private void run(int number, Request request) {
        inFlight++;
        router.run(request.onStream(streamOf(request))).whenComplete((reply, fault) -> {
            if (fault != null) {
                LOG.error("fault in a request of {}", caller, fault);
            }
            inFlight--;
            answer(number, ReplyCodec.encode(fault == null ? reply : faulted()));
            readOn();
        });
    }

    /** Streams of different links are told apart well enough: two that fall together only wait for one another. */
    private int streamOf(Request request) {
        return 31 * System.identityHashCode(this) + request.stream();
    }

    private Reply faulted() {
        return new Reply.Failed(Word.ERR, settings.self() + " failed at this request, see its log; it may have run");
    }

    private void answer(int number, byte[] reply) {
        if (!isClosed()) {
            // Every reply is a stream of its own: a large one holds up no other.
            outbox().send(number, new Outbox.Message(REPLY, number, reply, () -> {}));
        }
    }

    private void progress(int number) {
        if (!isClosed()) {
            sendNotice(PROGRESS, number);
        }
    }

    @Override
    void notice(byte kind, int number) throws MalformedMessage {
        if (kind != CANCEL) {
            throw new MalformedMessage("unknown kind of frame " + kind);
        }
        forget(number);
    }

    @Override
    void warn(Supplier<String> line) {
        refusals.report(line);
    }

    @Override
    void moved(int number) {
        // The caller knows what it has sent.
    }
}
