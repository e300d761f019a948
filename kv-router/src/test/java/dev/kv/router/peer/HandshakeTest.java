package dev.kv.router.peer;

import static dev.kv.router.peer.Wires.CHALLENGE;
import static dev.kv.router.peer.Wires.HELLO;
import static dev.kv.router.peer.Wires.PROOF;
import static dev.kv.router.peer.Wires.REFUSED;
import static dev.kv.router.peer.Wires.REPLY;
import static dev.kv.router.peer.Wires.WELCOME;
import static dev.kv.router.peer.Wires.chunk;
import static dev.kv.router.peer.Wires.createRequest;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The handshake at the listener for other nodes. */
class HandshakeTest extends HandwrittenFrames {
    @Test
    void aNodeThatKnowsTheCookieIsServed() throws IOException {
        Wires foo = connect().handshake();
        foo.request(42, createRequest("nuts"));

        assertThat(foo.expect(REPLY)).isEqualTo(chunk(false, 42, new byte[] {0}));
        assertThat(bar.buckets).containsKey(Bytes.of("nuts"));
    }

    @Test
    void unknownCapabilitiesAreIgnoredAndTheHighestCommonVersionIsUsed() throws IOException {
        Wires foo = connect();
        byte[] hello = Handshake.hello("foo@h", "bar@h");
        ByteBuffer.wrap(hello).putShort(8, (short) 0).putShort(10, (short) 700).putLong(12, -1L);
        foo.frame(HELLO, hello);
        byte[] challenge = foo.expect(CHALLENGE);
        foo.frame(PROOF, Handshake.proof(bar.cookie.array(), Handshake.Side.CALLER, hello, challenge));
        foo.expect(WELCOME);
    }

    @Test
    void withoutACommonVersionTheCallerGetsTheRange() throws IOException {
        Wires foo = connect();
        byte[] hello = Handshake.hello("foo@h", "bar@h");
        ByteBuffer.wrap(hello).putShort(8, (short) 3).putShort(10, (short) 4);
        foo.frame(HELLO, hello);

        assertThat(new String(foo.expect(REFUSED), UTF_8)).endsWith("1 to 2");
        foo.expectEnd();
    }

    @Test
    void aProofOfAnotherExchangeIsRefused() throws IOException {
        Wires foo = connect();
        byte[] hello = Handshake.hello("foo@h", "bar@h");
        foo.frame(HELLO, hello);
        byte[] challenge = foo.expect(CHALLENGE);
        byte[] proof = Handshake.proof(bar.cookie.array(), Handshake.Side.CALLER, hello, challenge);

        Wires again = connect();
        again.frame(HELLO, hello);
        assertThat(again.expect(CHALLENGE)).isNotEqualTo(challenge);
        again.frame(PROOF, proof);
        assertThat(again.expect(REFUSED)).startsWith(3);
        again.expectEnd();
    }

    @Test
    void aProofOfTheOtherSideIsRefused() throws IOException {
        Wires foo = connect();
        byte[] hello = Handshake.hello("foo@h", "bar@h");
        foo.frame(HELLO, hello);
        byte[] challenge = foo.expect(CHALLENGE);
        foo.frame(PROOF, Handshake.proof(bar.cookie.array(), Handshake.Side.CALLED, hello, challenge));

        assertThat(foo.expect(REFUSED)).startsWith(3);
    }

    @Test
    void aHandshakeThatTakesTooLongEndsItsConnection() throws IOException {
        restart(() -> bar.handshakeTimeout = Duration.ofMillis(500));
        Wires silent = connect();
        Wires half = connect();
        half.frame(HELLO, Handshake.hello("foo@h", "bar@h"));
        half.expect(CHALLENGE);

        silent.expectEnd();
        half.expectEnd();
    }

    @Test
    void connectionsInTheirHandshakeAreBoundedAndKeepOutNoNode() throws IOException {
        restart(() -> bar.handshakeTimeout = Duration.ofMinutes(1));
        Wires proven = connect().handshake();
        List<Wires> strangers = new ArrayList<>();
        for (int i = 0; i < 200; i++) {
            strangers.add(connect());
            if (i % 50 == 49) {
                connect().handshake();
            }
        }
        for (Wires pushedOut : strangers.subList(0, 200 - bar.handshakesMax)) {
            pushedOut.expectEnd();
        }

        proven.request(1, createRequest("nuts"));
        assertThat(proven.expect(REPLY)).isEqualTo(chunk(false, 1, new byte[] {0}));
        Wires last = strangers.getLast();
        last.handshake();
    }

    @Test
    void linksAboveTheLimitAreClosed() throws IOException {
        restart(() -> bar.linksMax = 2);
        Wires first = connect().handshake();
        connect().handshake();
        Wires third = connect();
        byte[] hello = Handshake.hello("foo@h", "bar@h");
        third.frame(HELLO, hello);
        byte[] challenge = third.expect(CHALLENGE);
        third.frame(PROOF, Handshake.proof(bar.cookie.array(), Handshake.Side.CALLER, hello, challenge));
        third.expectEnd();

        first.request(1, createRequest("nuts"));
        assertThat(first.expect(REPLY)).isEqualTo(chunk(false, 1, new byte[] {0}));
    }

    @Test
    void nothingIsRunBeforeTheHandshakeIsOver() throws IOException {
        Wires stranger = connect();
        stranger.request(1, createRequest("nuts"));

        stranger.expectEnd();
        assertThat(bar.buckets).isEmpty();
    }
}
