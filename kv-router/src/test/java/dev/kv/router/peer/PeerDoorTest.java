package dev.kv.router.peer;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The door for nodes, seen by one that writes frames by hand, as {@code docs/peer-protocol.md} has them. */
@Timeout(60)
class PeerDoorTest {
    private static final int HELLO = 1;
    private static final int CHALLENGE = 2;
    private static final int PROOF = 3;
    private static final int WELCOME = 4;
    private static final int REFUSED = 5;
    private static final int REQUEST = 16;
    private static final int REPLY = 17;
    private static final int PROGRESS = 18;
    private static final int CANCEL = 19;
    private static final int OFFER = 21;
    private static final int CREDIT = 22;

    private final Host bar = new Host("bar@h");
    private final List<Socket> sockets = new ArrayList<>();

    @BeforeEach
    void start() {
        bar.start("*=bar@h");
    }

    @AfterEach
    void stop() throws IOException {
        for (Socket socket : sockets) {
            socket.close();
        }
        bar.close();
    }

    /** What the door sends and takes. */
    private final class Wires {
        private final DataInputStream in;
        private final DataOutputStream out;

        Wires() throws IOException {
            Socket socket = new Socket(InetAddress.getLoopbackAddress(), bar.port);
            sockets.add(socket);
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
            byte[] hello = Handshake.hello("foo@h", "bar@h");
            ByteBuffer.wrap(hello).putShort(10, (short) version);
            frame(HELLO, hello);
            byte[] challenge = expect(CHALLENGE);
            frame(PROOF, Handshake.proof(bar.cookie.array(), Handshake.Side.CALLER, hello, challenge));
            assertThat(expect(WELCOME))
                    .isEqualTo(Handshake.proof(bar.cookie.array(), Handshake.Side.CALLED, hello, challenge));
            return this;
        }

        void request(int number, byte[] body) throws IOException {
            frame(REQUEST, chunk(false, number, body));
        }
    }

    private static byte[] chunk(boolean more, int number, byte[] chunk) {
        return ByteBuffer.allocate(5 + chunk.length)
                .put((byte) (more ? 1 : 0))
                .putInt(number)
                .put(chunk)
                .array();
    }

    private static byte[] create(String bucket) {
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

    private void assertServesOthers() {
        assertThat(bar.ask(new Command.Create(Bytes.of("others")))).isEqualTo(Reply.OK);
    }

    @Test
    void aNodeThatKnowsTheCookieIsServed() throws IOException {
        Wires foo = new Wires().handshake();
        foo.request(42, create("nuts"));

        assertThat(foo.expect(REPLY)).isEqualTo(chunk(false, 42, new byte[] {0}));
        assertThat(bar.buckets).containsKey(Bytes.of("nuts"));
    }

    @Test
    void anUnknownCommandIsAnsweredAsUnsupportedAndTheConnectionLivesOn() throws IOException {
        Wires foo = new Wires().handshake();
        byte[] unknown = create("nuts");
        unknown[0] = 99;
        foo.request(1, unknown);
        foo.request(2, create("nuts"));

        assertThat(foo.expect(REPLY)).isEqualTo(chunk(false, 1, new byte[] {6, 99}));
        assertThat(foo.expect(REPLY)).isEqualTo(chunk(false, 2, new byte[] {0}));
    }

    @Test
    void unknownCapabilitiesAreIgnoredAndTheHighestCommonVersionIsSpoken() throws IOException {
        Wires foo = new Wires();
        byte[] hello = Handshake.hello("foo@h", "bar@h");
        ByteBuffer.wrap(hello).putShort(8, (short) 0).putShort(10, (short) 700).putLong(12, -1L);
        foo.frame(HELLO, hello);
        byte[] challenge = foo.expect(CHALLENGE);
        foo.frame(PROOF, Handshake.proof(bar.cookie.array(), Handshake.Side.CALLER, hello, challenge));
        foo.expect(WELCOME);
    }

    @Test
    void withoutACommonVersionTheCallerHearsTheRange() throws IOException {
        Wires foo = new Wires();
        byte[] hello = Handshake.hello("foo@h", "bar@h");
        ByteBuffer.wrap(hello).putShort(8, (short) 3).putShort(10, (short) 4);
        foo.frame(HELLO, hello);

        assertThat(new String(foo.expect(REFUSED), UTF_8)).endsWith("1 to 2");
        foo.expectEnd();
    }

    @Test
    void aProofOfAnotherExchangeIsRefused() throws IOException {
        Wires foo = new Wires();
        byte[] hello = Handshake.hello("foo@h", "bar@h");
        foo.frame(HELLO, hello);
        byte[] challenge = foo.expect(CHALLENGE);
        byte[] proof = Handshake.proof(bar.cookie.array(), Handshake.Side.CALLER, hello, challenge);

        Wires again = new Wires();
        again.frame(HELLO, hello);
        assertThat(again.expect(CHALLENGE)).isNotEqualTo(challenge);
        again.frame(PROOF, proof);
        assertThat(again.expect(REFUSED)).startsWith(3);
        again.expectEnd();
    }

    @Test
    void aProofOfTheOtherSideIsRefused() throws IOException {
        Wires foo = new Wires();
        byte[] hello = Handshake.hello("foo@h", "bar@h");
        foo.frame(HELLO, hello);
        byte[] challenge = foo.expect(CHALLENGE);
        foo.frame(PROOF, Handshake.proof(bar.cookie.array(), Handshake.Side.CALLED, hello, challenge));

        assertThat(foo.expect(REFUSED)).startsWith(3);
    }

    @Test
    void whoDoesNotFinishTheHandshakeInTimeIsCutOff() throws IOException {
        restart(() -> bar.handshakeTimeout = Duration.ofMillis(500));
        Wires silent = new Wires();
        Wires half = new Wires();
        half.frame(HELLO, Handshake.hello("foo@h", "bar@h"));
        half.expect(CHALLENGE);

        silent.expectEnd();
        half.expectEnd();
    }

    @Test
    void strangersAreFewAndKeepOutNobodyWhoKnowsTheCookie() throws IOException {
        restart(() -> bar.handshakeTimeout = Duration.ofMinutes(1));
        Wires proven = new Wires().handshake();
        List<Wires> strangers = new ArrayList<>();
        for (int i = 0; i < 200; i++) {
            strangers.add(new Wires());
            if (i % 50 == 49) {
                new Wires().handshake();
            }
        }
        for (Wires pushedOut : strangers.subList(0, 200 - bar.handshakesMax)) {
            pushedOut.expectEnd();
        }

        proven.request(1, create("nuts"));
        assertThat(proven.expect(REPLY)).isEqualTo(chunk(false, 1, new byte[] {0}));
        Wires last = strangers.getLast();
        last.handshake();
    }

    @Test
    void noMoreNodesThanAllowedAreLetIn() throws IOException {
        restart(() -> bar.linksMax = 2);
        Wires first = new Wires().handshake();
        new Wires().handshake();
        Wires third = new Wires();
        byte[] hello = Handshake.hello("foo@h", "bar@h");
        third.frame(HELLO, hello);
        byte[] challenge = third.expect(CHALLENGE);
        third.frame(PROOF, Handshake.proof(bar.cookie.array(), Handshake.Side.CALLER, hello, challenge));
        third.expectEnd();

        first.request(1, create("nuts"));
        assertThat(first.expect(REPLY)).isEqualTo(chunk(false, 1, new byte[] {0}));
    }

    private void restart(Runnable change) {
        bar.close();
        change.run();
        bar.start("*=bar@h");
    }

    @Test
    void nothingIsRunBeforeTheHandshakeIsOver() throws IOException {
        Wires stranger = new Wires();
        stranger.request(1, create("nuts"));

        stranger.expectEnd();
        assertThat(bar.buckets).isEmpty();
    }

    @Test
    void malformedFramesEndTheirConnectionAndNothingElse() throws IOException {
        List<byte[]> frames = List.of(
                frame(0, new byte[0]),
                frame(1 << 30, new byte[] {REQUEST}),
                frame(1, new byte[] {99}),
                frame(1, new byte[] {REQUEST}),
                frame(6, new byte[] {REQUEST, 0, 0, 0, 0, 1}),
                frame(5, new byte[] {REPLY, 0, 0, 0, 1}),
                frame(7, new byte[] {REPLY, 0, 0, 0, 0, 1, 0}),
                frame(3, new byte[] {19, 0, 0}),
                frame(
                        21,
                        ByteBuffer.allocate(21)
                                .put((byte) REQUEST)
                                .put(6, (byte) 1)
                                .putInt(17, -1)
                                .array()));
        Wires good = new Wires().handshake();
        for (byte[] frame : frames) {
            Wires bad = new Wires().handshake();
            bad.out.write(frame);
            bad.out.flush();
            bad.expectEnd();
        }
        good.request(5, create("nuts"));
        assertThat(good.expect(REPLY)).isEqualTo(chunk(false, 5, new byte[] {0}));
    }

    private static byte[] frame(int length, byte[] rest) {
        return ByteBuffer.allocate(4 + rest.length).putInt(length).put(rest).array();
    }

    @Test
    void aRequestThatIsTooLongIsAnsweredAndTheConnectionLivesOn() throws IOException {
        Wires foo = new Wires().handshake();
        byte[] chunk = new byte[64 * 1024];
        for (int sent = 0; sent <= (65 << 20) + (64 << 20); sent += chunk.length) {
            foo.frame(REQUEST, chunk(true, 1, chunk));
        }
        foo.frame(REQUEST, chunk(false, 1, chunk));
        foo.request(2, create("nuts"));

        assertThat(new String(foo.expect(REPLY), UTF_8)).contains("TOOLARGE");
        assertThat(foo.expect(REPLY)).isEqualTo(chunk(false, 2, new byte[] {0}));
    }

    @Test
    void aCancelledRequestIsForgotten() throws IOException {
        Wires foo = new Wires().handshake();
        byte[] body = create("nuts");
        foo.frame(REQUEST, chunk(true, 1, body));
        foo.frame(19, ByteBuffer.allocate(4).putInt(1).array());
        foo.request(1, create("dates"));

        assertThat(foo.expect(REPLY)).isEqualTo(chunk(false, 1, new byte[] {0}));
        assertThat(bar.buckets).containsOnlyKeys(Bytes.of("dates"));
    }

    @Test
    void aNodeOfVersion1SendsAndGetsLongMessagesWithoutCredit() throws IOException {
        Wires foo = version2WithValues();
        Wires old = new Wires().handshake();
        byte[] put = withoutMarks(request(2, "nuts", "k", "w".repeat(150_000)));
        for (int sent = 0; sent < put.length; sent += 60_000) {
            int end = Math.min(put.length, sent + 60_000);
            old.frame(REQUEST, chunk(end < put.length, 1, Arrays.copyOfRange(put, sent, end)));
        }
        assertThat(old.expect(REPLY)).isEqualTo(chunk(false, 1, new byte[] {0}));

        old.request(2, withoutMarks(get("k")));
        ByteBuffer reply = ByteBuffer.allocate(5 + 150_000);
        byte[] chunk;
        do {
            chunk = old.expect(REPLY);
            reply.put(chunk, 5, chunk.length - 5);
        } while (chunk[0] == 1);
        assertThat(reply.flip().remaining()).isEqualTo(5 + 150_000);
        assertThat(reply.get(5 + 149_999)).isEqualTo((byte) 'w');
        foo.request(1, get("k"));
        assertThat(foo.expect(OFFER)).isEqualTo(numbers(1, 5, 150_000));
    }

    /** The same request as a node of version 1 says it. */
    private static byte[] withoutMarks(byte[] request) {
        int flags = 1 + 4 + 4 + 2;
        return ByteBuffer.allocate(request.length - 1)
                .put(request, 0, flags)
                .put(request, flags + 1, request.length - flags - 1)
                .array();
    }

    private static byte[] numbers(int... numbers) {
        ByteBuffer bytes = ByteBuffer.allocate(4 * numbers.length);
        for (int number : numbers) {
            bytes.putInt(number);
        }
        return bytes.array();
    }

    /** A request of version 2 from nobody but its client, without marks. */
    private static byte[] request(int command, String... operands) {
        ByteBuffer body = ByteBuffer.allocate(1 << 20);
        body.put((byte) command).putInt(7).putInt(1000).putShort((short) 0).put((byte) 0);
        for (String operand : operands) {
            byte[] bytes = operand.getBytes(UTF_8);
            body.putInt(bytes.length).put(bytes);
        }
        return Arrays.copyOf(body.array(), body.position());
    }

    private static byte[] get(String key) {
        return request(3, "nuts", key);
    }

    private Wires version2WithValues() throws IOException {
        bar.ask(new Command.Create(Bytes.of("nuts")));
        bar.ask(new Command.Put(Bytes.of("nuts"), Bytes.of("large"), Bytes.of("v".repeat(200_000))));
        bar.ask(new Command.Put(Bytes.of("nuts"), Bytes.of("small"), Bytes.of("1")));
        return new Wires().handshake(2);
    }

    @Test
    void aLongReplyIsOfferedAndComesAsFarAsThereIsCreditWhileShortOnesPass() throws IOException {
        Wires foo = version2WithValues();
        foo.request(1, get("large"));
        assertThat(foo.expect(OFFER)).isEqualTo(numbers(1, 5, 200_000));
        foo.request(2, get("small"));
        assertThat(foo.expect(REPLY)).isEqualTo(chunk(false, 2, new byte[] {3, 0, 0, 0, 1, '1'}));

        foo.frame(CREDIT, numbers(1, 5 + 100_000));
        assertThat(foo.expect(REPLY)).isEqualTo(chunk(true, 1, new byte[] {3, 0, 3, 0x0D, 0x40}));
        assertThat(foo.expect(REPLY)).hasSize(5 + 65_536);
        assertThat(foo.expect(REPLY)).hasSize(5 + 100_000 - 65_536);
        foo.request(3, get("small"));
        assertThat(foo.expect(REPLY)).startsWith(chunk(false, 3, new byte[] {3}));

        foo.frame(CREDIT, numbers(1, 100_000));
        assertThat(foo.expect(REPLY)).hasSize(5 + 65_536).startsWith(1);
        assertThat(foo.expect(REPLY)).hasSize(5 + 100_000 - 65_536).startsWith(0);
    }

    @Test
    void aCancelledReplyIsNotSentAndTheCancelIsAnswered() throws IOException {
        Wires foo = version2WithValues();
        foo.request(1, get("large"));
        foo.expect(OFFER);
        foo.frame(CANCEL, numbers(1));
        assertThat(foo.expect(CANCEL)).isEqualTo(numbers(1));
        foo.frame(CREDIT, numbers(1, 200_005));

        CompletableFuture<Reply> slow = new CompletableFuture<>();
        bar.store = command -> {
            if (command instanceof Command.Get) {
                return slow;
            }
            slow.complete(Reply.ABSENT);
            return CompletableFuture.completedFuture(Reply.OK);
        };
        foo.request(2, get("small"));
        foo.frame(CANCEL, numbers(2));
        foo.request(3, request(1, "nuts"));
        assertThat(foo.expect(CANCEL)).isEqualTo(numbers(2));
        assertThat(foo.expect(REPLY)).isEqualTo(chunk(false, 3, new byte[] {0}));
    }

    @Test
    void aHeldValueIsReadAsCreditComesAndReleasedWhenItIsSentOrCancelledOrTheLinkIsClosed() throws IOException {
        AtomicInteger held = new AtomicInteger();
        ByteBuffer value = ByteBuffer.allocateDirect(200_000);
        bar.store = command ->
                CompletableFuture.completedFuture(new Reply.LargeValue(new LargeInMemory(value, held, Reply.OK)));
        Wires foo = new Wires().handshake(2);
        foo.request(1, get("large"));
        assertThat(foo.expect(OFFER)).isEqualTo(numbers(1, 5, 200_000));
        foo.request(2, get("large"));
        assertThat(foo.expect(OFFER)).isEqualTo(numbers(2, 5, 200_000));
        foo.request(3, get("large"));
        assertThat(foo.expect(OFFER)).isEqualTo(numbers(3, 5, 200_000));
        assertThat(held).hasValue(3);

        value.put(70_000, (byte) 'x');
        foo.frame(CREDIT, numbers(1, 200_005));
        assertThat(foo.expect(REPLY)).hasSize(5 + 5);
        assertThat(foo.expect(REPLY)).hasSize(5 + 65_536);
        assertThat(foo.expect(REPLY)[5 + 70_000 - 65_536]).isEqualTo((byte) 'x');
        assertThat(foo.expect(REPLY)).hasSize(5 + 65_536);
        assertThat(foo.expect(REPLY)).hasSize(5 + 200_000 - 3 * 65_536).startsWith(0);

        foo.frame(CREDIT, numbers(2, 5));
        assertThat(foo.expect(REPLY)).hasSize(5 + 5);
        foo.frame(CANCEL, numbers(2));
        assertThat(foo.expect(CANCEL)).isEqualTo(numbers(2));
        assertThat(held).hasValue(1);

        sockets.getLast().close();
        while (held.get() > 0) {
            Thread.onSpinWait();
        }
    }

    @Test
    void aLongRequestIsTakenOnceThereIsRoomAndProgressIsToldUntilThen() throws IOException {
        restart(() -> {
            bar.roomBytes = 300_000;
            bar.timeout = Duration.ofSeconds(2);
        });
        Wires foo = version2WithValues();
        byte[] put = request(2, "nuts", "k", "v".repeat(200_000));
        foo.frame(OFFER, numbers(1, put.length - 200_000, 200_000));
        assertThat(foo.expect(CREDIT)).isEqualTo(numbers(1, put.length));
        foo.frame(OFFER, numbers(2, put.length - 200_000, 200_000));
        assertThat(foo.expect(PROGRESS)).isEqualTo(numbers(2));

        int sent = 0;
        while (sent < put.length) {
            int end = Math.min(put.length, sent + 60_000);
            foo.frame(REQUEST, chunk(end < put.length, 1, Arrays.copyOfRange(put, sent, end)));
            sent = end;
        }
        List<byte[]> frames = new ArrayList<>();
        while (frames.size() < 2) {
            byte[] frame = foo.next();
            if (frame[0] != PROGRESS) {
                frames.add(frame);
            }
        }
        assertThat(frames.get(0)).startsWith(REPLY);
        assertThat(frames.get(1)).startsWith(CREDIT);
        assertThat(bar.buckets.get(Bytes.of("nuts")).get(Bytes.of("k")).size()).isEqualTo(200_000);
    }

    @Test
    void anOfferThatIsTooLongIsAnsweredAtOnce() throws IOException {
        Wires foo = new Wires().handshake(2);
        foo.frame(OFFER, numbers(1, 100, 66 << 20));
        assertThat(new String(foo.expect(REPLY), UTF_8)).contains("TOOLARGE");
        foo.request(2, request(1, "nuts"));
        assertThat(foo.expect(REPLY)).isEqualTo(chunk(false, 2, new byte[] {0}));
    }

    @Test
    void whoStopsInTheMiddleOfALongRequestIsCutOff() throws IOException {
        restart(() -> bar.timeout = Duration.ofMillis(500));
        Wires foo = new Wires().handshake(2);
        foo.frame(OFFER, numbers(1, 100, 1 << 20));
        foo.expect(CREDIT);
        foo.expectEnd();
    }

    @Test
    void whatIsSentWithoutAnOfferOrBeyondItsCreditEndsTheConnection() throws IOException {
        List<byte[]> frames = List.of(
                frame(7, new byte[] {REQUEST, 1, 0, 0, 0, 1, 0}),
                frame(5, new byte[] {OFFER, 0, 0, 0, 1}),
                frame(
                        13,
                        ByteBuffer.allocate(13).put((byte) OFFER).putInt(5, -1).array()),
                frame(5, new byte[] {CREDIT, 0, 0, 0, 1}));
        for (byte[] frame : frames) {
            Wires bad = new Wires().handshake(2);
            bad.out.write(frame);
            bad.out.flush();
            bad.expectEnd();
        }
        Wires beyond = new Wires().handshake(2);
        beyond.frame(OFFER, numbers(1, 10, 20));
        beyond.expect(CREDIT);
        beyond.frame(REQUEST, chunk(true, 1, new byte[31]));
        beyond.expectEnd();
        Wires less = new Wires().handshake(2);
        less.frame(OFFER, numbers(1, 10, 20));
        less.expect(CREDIT);
        less.frame(REQUEST, chunk(false, 1, new byte[29]));
        less.expectEnd();
        Wires older = new Wires().handshake();
        older.frame(OFFER, numbers(1, 10, 20));
        older.expectEnd();
        assertServesOthers();
    }

    @Test
    void requestsWithLongRepliesWaitWhileThoseOfOthersTakeTheMemoryAndShortOnesDoNot() throws IOException {
        restart(() -> bar.repliesBytes = 300_000);
        Reply large = new Reply.Values(List.of(Bytes.of("v".repeat(100_000)), Bytes.of("w".repeat(100_000))));
        AtomicInteger run = new AtomicInteger();
        bar.store = command -> {
            if (!(command instanceof Command.Content)) {
                return CompletableFuture.completedFuture(Reply.ABSENT);
            }
            run.incrementAndGet();
            return CompletableFuture.completedFuture(large);
        };
        Wires foo = new Wires().handshake(2);
        byte[] content = Arrays.copyOf(request(14, "nuts"), request(14, "nuts").length + 1);
        for (int number = 1; number <= 4; number++) {
            ByteBuffer.wrap(content).putInt(1, number);
            foo.request(number, content);
        }
        assertThat(foo.expect(OFFER)).startsWith(numbers(1));
        assertThat(foo.expect(OFFER)).startsWith(numbers(2));
        foo.request(5, get("small"));
        assertThat(foo.expect(REPLY)).isEqualTo(chunk(false, 5, new byte[] {2}));
        assertThat(run).hasValue(2);

        foo.frame(CANCEL, numbers(3));
        assertThat(foo.expect(CANCEL)).isEqualTo(numbers(3));
        foo.frame(CANCEL, numbers(1));
        assertThat(foo.expect(CANCEL)).isEqualTo(numbers(1));
        assertThat(foo.expect(OFFER)).startsWith(numbers(4));
        assertThat(run).hasValue(3);
    }

    @Test
    void randomBytesHarmNobody() throws IOException {
        long seed = System.nanoTime();
        System.out.println("PeerDoorTest random bytes: seed " + seed);
        Random random = new Random(seed);
        for (int i = 0; i < 200; i++) {
            Wires wires = i % 2 == 0 ? new Wires() : new Wires().handshake();
            byte[] bytes = new byte[random.nextInt(1, 5000)];
            random.nextBytes(bytes);
            if (i % 4 == 3) {
                // A sound frame around nonsense.
                bytes = frame(
                        5 + bytes.length,
                        ByteBuffer.allocate(bytes.length + 5)
                                .put((byte) REQUEST)
                                .put(5, bytes)
                                .array());
            }
            try {
                wires.out.write(bytes);
                wires.out.flush();
            } catch (SocketException closed) {
                assertThat(closed).isNotNull();
            }
        }
        assertServesOthers();
        new Wires().handshake();
    }
}
