package dev.kv.router.peer;

import static dev.kv.router.peer.Wires.CANCEL;
import static dev.kv.router.peer.Wires.CREDIT;
import static dev.kv.router.peer.Wires.OFFER;
import static dev.kv.router.peer.Wires.PROGRESS;
import static dev.kv.router.peer.Wires.REPLY;
import static dev.kv.router.peer.Wires.REQUEST;
import static dev.kv.router.peer.Wires.chunk;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.testing.Await;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** Messages above 64 KiB at the listener for other nodes: they are sent when the receiver has granted memory for them. */
class CreditTest extends HandwrittenFrames {
    @Test
    void aNodeOfVersion1SendsAndGetsLongMessagesWithoutCredit() throws IOException {
        Wires foo = version2WithValues();
        Wires old = connect().handshake();
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
        return connect().handshake(2);
    }

    @Test
    void aLongReplyIsSentOnCreditWhileShortOnesPass() throws IOException {
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
        bar.store = (command, _) -> {
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
    void aHeldValueIsReleasedWhenItIsSentOrCancelledOrTheLinkIsClosed() throws Exception {
        AtomicInteger held = new AtomicInteger();
        ByteBuffer value = ByteBuffer.allocateDirect(200_000);
        bar.store = (command, _) ->
                CompletableFuture.completedFuture(new Reply.LargeValue(new LargeInMemory(value, held, Reply.OK)));
        Wires foo = connect().handshake(2);
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

        opened.getLast().close();
        Await.until(() -> held.get() == 0);
    }

    @Test
    void aLongRequestWaitsForMemoryWithProgress() throws IOException {
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
    void anOfferThatIsTooLongIsRejectedAtOnce() throws IOException {
        Wires foo = connect().handshake(2);
        foo.frame(OFFER, numbers(1, 100, 66 << 20));
        assertThat(new String(foo.expect(REPLY), UTF_8)).contains("TOOLARGE");
        foo.request(2, request(1, "nuts"));
        assertThat(foo.expect(REPLY)).isEqualTo(chunk(false, 2, new byte[] {0}));
    }

    @Test
    void aLongRequestWithoutProgressEndsItsConnection() throws IOException {
        restart(() -> bar.timeout = Duration.ofMillis(500));
        Wires foo = connect().handshake(2);
        foo.frame(OFFER, numbers(1, 100, 1 << 20));
        foo.expect(CREDIT);
        foo.expectEnd();
    }

    @Test
    void aChunkWithoutOfferOrBeyondItsCreditEndsTheConnection() throws IOException {
        List<byte[]> frames = List.of(
                frame(7, new byte[] {REQUEST, 1, 0, 0, 0, 1, 0}),
                frame(5, new byte[] {OFFER, 0, 0, 0, 1}),
                frame(
                        13,
                        ByteBuffer.allocate(13).put((byte) OFFER).putInt(5, -1).array()),
                frame(5, new byte[] {CREDIT, 0, 0, 0, 1}));
        for (byte[] frame : frames) {
            Wires bad = connect().handshake(2);
            bad.raw(frame);
            bad.expectEnd();
        }
        Wires beyond = connect().handshake(2);
        beyond.frame(OFFER, numbers(1, 10, 20));
        beyond.expect(CREDIT);
        beyond.frame(REQUEST, chunk(true, 1, new byte[31]));
        beyond.expectEnd();
        Wires less = connect().handshake(2);
        less.frame(OFFER, numbers(1, 10, 20));
        less.expect(CREDIT);
        less.frame(REQUEST, chunk(false, 1, new byte[29]));
        less.expectEnd();
        Wires older = connect().handshake();
        older.frame(OFFER, numbers(1, 10, 20));
        older.expectEnd();
        assertServesOthers();
    }

    @Test
    void aNumberThatIsUnderWayEndsTheConnection() throws IOException {
        bar.store = (command, _) -> command instanceof Command.Get
                ? new CompletableFuture<>()
                : CompletableFuture.completedFuture(Reply.OK);
        Wires foo = connect().handshake(2);
        foo.request(1, get("k"));
        foo.request(1, get("k"));
        foo.expectEnd();
        assertServesOthers();
    }

    @Test
    void whatIsBehindACancelledRequestIsRun() throws IOException {
        restart(() -> bar.repliesBytes = 100_000);
        Reply large = new Reply.Values(List.of(Bytes.of("v".repeat(100_000))));
        bar.store = (command, _) ->
                CompletableFuture.completedFuture(command instanceof Command.Content ? large : Reply.OK);
        Wires foo = connect().handshake(2);
        foo.request(1, content(1));
        assertThat(foo.expect(OFFER)).startsWith(numbers(1));
        foo.request(2, content(7));
        // Of the same client.
        foo.request(3, get("k"));
        foo.frame(CANCEL, numbers(2));
        assertThat(foo.expect(CANCEL)).isEqualTo(numbers(2));
        assertThat(foo.expect(REPLY)).isEqualTo(chunk(false, 3, new byte[] {0}));
    }

    private static byte[] content(int stream) {
        byte[] request = request(14, "nuts");
        ByteBuffer.wrap(request).putInt(1, stream);
        return Arrays.copyOf(request, request.length + 1);
    }

    @Test
    void requestsWithLongRepliesWaitForMemoryAndShortOnesDoNot() throws IOException {
        restart(() -> bar.repliesBytes = 300_000);
        Reply large = new Reply.Values(List.of(Bytes.of("v".repeat(100_000)), Bytes.of("w".repeat(100_000))));
        AtomicInteger run = new AtomicInteger();
        bar.store = (command, _) -> {
            if (!(command instanceof Command.Content)) {
                return CompletableFuture.completedFuture(Reply.ABSENT);
            }
            run.incrementAndGet();
            return CompletableFuture.completedFuture(large);
        };
        Wires foo = connect().handshake(2);
        for (int number = 1; number <= 4; number++) {
            foo.request(number, content(number));
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
}
