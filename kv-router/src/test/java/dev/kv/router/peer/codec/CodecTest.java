package dev.kv.router.peer.codec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Command.Part;
import dev.kv.router.Expiry;
import dev.kv.router.Held;
import dev.kv.router.Kind;
import dev.kv.router.NameSpace;
import dev.kv.router.PackedList;
import dev.kv.router.Reply;
import dev.kv.router.Request;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What nodes say to each other, taken apart and put together again. */
final class CodecTest {
    private static final Bytes B = Bytes.of("bucket");
    private static final Bytes K = Bytes.of("key");
    private static final NameSpace NAMES = new NameSpace(List.of(
            new NameSpace.Span(Bytes.EMPTY, Optional.of(Bytes.of("b"))),
            new NameSpace.Span(Bytes.of("x"), Optional.empty())));

    private static final List<Command> COMMANDS = List.of(
            new Command.Create(B),
            new Command.Put(B, K, Bytes.of("value")),
            new Command.Get(B, K),
            new Command.Delete(B, K),
            new Command.Route(B),
            new Command.SetAll(B, List.of(K, Bytes.EMPTY), true),
            new Command.DeleteAll(B, List.of(K, B)),
            new Command.Add(B, K, Long.MIN_VALUE),
            new Command.AddDecimal(B, K, new BigDecimal("-1.25E+300")),
            new Command.Drop(B),
            new Command.GetAll(B, List.of(K)),
            new Command.Measure(B, K),
            new Command.Size(B),
            new Command.Content(B, Part.VALUES),
            new Command.Sample(B, -3, Part.PAIRS),
            new Command.Scan(B, 1L << 31, Bytes.of("*"), Long.MAX_VALUE, Part.KEYS),
            new Command.Rename(B, K),
            new Command.Batch(B, List.of(new Command.Size(B), new Command.SetAll(B, List.of(K, K), false))),
            new Command.Names(NAMES, 7, Bytes.of("a*"), 10),
            new Command.Count(NameSpace.ALL),
            new Command.GetValue(B),
            new Command.SetValue(B, K, Command.Condition.PRESENT, true),
            new Command.TakeValue(B),
            new Command.DropEqual(B, K),
            new Command.AddToValue(B, Long.MAX_VALUE),
            new Command.AddDecimalToValue(B, new BigDecimal("0.5")),
            new Command.WriteRange(B, Command.WriteRange.END, K),
            new Command.SetAbsentValues(List.of(B, K)),
            new Command.GetRange(B, -2, Long.MIN_VALUE),
            new Command.MeasureValue(B),
            new Command.KindOf(B),
            new Command.NamesOfKind(new Command.Names(NAMES, 7, Bytes.of("a*"), 10), Kind.VALUE),
            new Command.SetValueUntil(
                    new Command.SetValue(B, K, Command.Condition.PRESENT, true), new Expiry.At(1_800_000_000_000L)),
            new Command.GetValueAndExpire(B, Expiry.NONE),
            new Command.Expire(B, new Expiry.In(-5), Expiry.Condition.IF_SOONER),
            new Command.ExpiryOf(B),
            new Command.ExpireKeys(B, List.of(K), Expiry.KEPT, Expiry.Condition.IF_LATER),
            new Command.ExpiriesOfKeys(B, List.of(K, B)),
            new Command.GetAllAndExpire(B, List.of(K), new Expiry.In(Long.MAX_VALUE)),
            new Command.SetAllUntil(B, List.of(K, B), Command.KeysCondition.ALL_PRESENT, Expiry.KEPT),
            new Command.TakeAll(B, List.of(K, B)),
            new Command.RenameAbsent(B, K),
            new Command.Copy(B, K, true),
            new Command.Watch(B),
            new Command.Weigh(B),
            new Command.Together(
                    List.of(new Command.Watched(K, -5)), List.of(new Command.Get(B, K), new Command.Drop(K))),
            new Command.Each(List.of(new Command.GetValue(B), new Command.Drop(K))));

    private static final List<Reply> REPLIES = List.of(
            Reply.OK,
            Reply.NOT_FOUND,
            Reply.ABSENT,
            new Reply.Value(K),
            new Reply.Failed(Reply.Word.NOSPACE, "why"),
            new Reply.Failed(Reply.Reason.NOT_AN_INTEGER),
            new Reply.Failed(Reply.Reason.WRONG_TYPE),
            new Reply.OfKind(Kind.BUCKET),
            new Reply.OfKind(Kind.VALUE),
            new Reply.Way(List.of(new Reply.Hop("foo@h", 5, "*=foo@h", 1, 2)), Optional.empty()),
            new Reply.Amount(-7),
            new Reply.Values(List.of(K, Bytes.EMPTY)),
            new Reply.Many(List.of(Reply.OK, new Reply.Many(List.of(Reply.ABSENT)), new Reply.Values(List.of(K)))),
            new Reply.Page(1L << 32, List.of(B)),
            new Reply.Names(List.of(new Reply.Owner(B, "foo@h")), 9, List.of(new Reply.Name(8, K))));

    private static Request request(Command command) {
        return new Request(
                command,
                3,
                List.of(new Request.Visit("foo@h", 9)),
                Request.UNLIMITED,
                1_800_000_000_000L,
                Optional.of(new Request.Term(2, 3)),
                Optional.of(new Request.Id(Long.MIN_VALUE, 5, 4)),
                () -> {});
    }

    private static byte[] encoded(Command command) {
        return bytes(RequestCodec.encode(request(command), 2, 1000));
    }

    private static byte[] bytes(Encoded message) {
        ByteBuffer all = ByteBuffer.allocate((int) message.size());
        message.parts().forEach(part -> all.put(part.duplicate()));
        return all.array();
    }

    private static Received received(byte[] bytes) {
        return Received.lasting(List.of(ByteBuffer.wrap(bytes)), Bytes.EMPTY);
    }

    private static RequestCodec.Asked decoded(byte[] body) throws MalformedMessage {
        return RequestCodec.decode(received(body), 2, () -> {});
    }

    /** The records that can be said, those of interfaces in between included. */
    private static Set<Class<?>> records(Class<?> sealed) {
        Set<Class<?>> records = new HashSet<>();
        for (Class<?> permitted : sealed.getPermittedSubclasses()) {
            if (permitted.isRecord()) {
                records.add(permitted);
            } else {
                records.addAll(records(permitted));
            }
        }
        return records;
    }

    @Test
    void everyCommandArrivesAsItWasSent() throws Exception {
        assertThat(COMMANDS).extracting(Object::getClass).containsExactlyInAnyOrderElementsOf(records(Command.class));
        for (Command command : COMMANDS) {
            Request arrived = ((RequestCodec.Asked.Known) decoded(encoded(command))).request();
            assertThat(arrived.command()).isEqualTo(command);
            assertThat(arrived.path()).containsExactly(new Request.Visit("foo@h", 9));
            assertThat(arrived.stream()).isEqualTo(3);
            assertThat(arrived.takenMillis()).isEqualTo(1_800_000_000_000L);
            assertThat(arrived.holder()).contains(new Request.Term(2, 3));
            assertThat(arrived.id()).contains(new Request.Id(Long.MIN_VALUE, 5, 4));
            assertThat(arrived.timeLeft()).isEqualTo(Duration.ofSeconds(1));
        }
    }

    @Test
    void everyConditionOfAValueArrivesAsItWasSent() throws Exception {
        List<Command.Condition> conditions = List.of(
                Command.Condition.ALWAYS,
                Command.Condition.ABSENT,
                Command.Condition.PRESENT,
                new Command.Condition.IfEqual(K));
        assertThat(conditions)
                .extracting(Object::getClass)
                .containsExactlyInAnyOrderElementsOf(records(Command.Condition.class));
        for (Command.Condition condition : conditions) {
            Command command = new Command.SetValue(B, Bytes.EMPTY, condition, false);
            assertThat(((RequestCodec.Asked.Known) decoded(encoded(command)))
                            .request()
                            .command())
                    .isEqualTo(command);
        }
    }

    @Test
    void everyReplyArrivesAsItWasSent() throws Exception {
        Set<Class<?>> sent = records(Reply.class);
        // Arrives as a value: see the next test.
        sent.remove(Reply.LargeValue.class);
        assertThat(Set.copyOf(REPLIES.stream().map(Object::getClass).toList())).isEqualTo(sent);
        for (Reply reply : REPLIES) {
            assertThat(ReplyCodec.decode(received(bytes(ReplyCodec.encode(reply))), "foo@h"))
                    .isEqualTo(reply);
        }
    }

    @Test
    void aHeldValueArrivesAsOneWhereverItStandsAndIsNotCopiedIntoTheMessage() throws Exception {
        for (int size : List.of(10, Encoded.LARGE_BYTES + 1)) {
            byte[] bytes = new byte[size];
            new Random(size).nextBytes(bytes);
            Held held = new Held() {
                @Override
                public int size() {
                    return bytes.length;
                }

                @Override
                public Optional<Reply> check(int maxBytes, Seen seen) {
                    return Optional.of(Reply.OK);
                }

                @Override
                public ByteBuffer bytes() {
                    return ByteBuffer.wrap(bytes).asReadOnlyBuffer();
                }

                @Override
                public void release() {}
            };
            Reply value = new Reply.Value(Bytes.owning(bytes));
            for (boolean isLast : List.of(true, false)) {
                Reply sent = new Reply.Many(
                        isLast
                                ? List.of(Reply.ABSENT, new Reply.LargeValue(held))
                                : List.of(new Reply.LargeValue(held), Reply.ABSENT));
                Encoded message = ReplyCodec.encode(sent);
                boolean isApart = size > Encoded.LARGE_BYTES;
                assertThat(message.parts()).hasSize(!isApart ? 1 : isLast ? 2 : 3);
                assertThat(message.tailBytes()).isEqualTo(isApart && isLast ? size : 0);
                assertThat(ReplyCodec.decode(received(bytes(message)), "foo@h"))
                        .isEqualTo(
                                new Reply.Many(isLast ? List.of(Reply.ABSENT, value) : List.of(value, Reply.ABSENT)));
                if (message.tailBytes() > 0) {
                    byte[] all = bytes(message);
                    Received apart = Received.lasting(
                            List.of(ByteBuffer.wrap(all, 0, all.length - size).slice()), Bytes.owning(bytes));
                    assertThat(ReplyCodec.decode(apart, "foo@h"))
                            .isEqualTo(new Reply.Many(List.of(Reply.ABSENT, value)));
                }
            }
        }
    }

    @Test
    void manyValuesArriveWhateverTheirSizesAre() throws Exception {
        for (int size : List.of(0, 100, Encoded.LARGE_BYTES + 1)) {
            PackedList.Builder builder = new PackedList.Builder();
            for (int i = 0; i < 6_000; i++) {
                // The last one is not a tail, though it may be as large as one.
                builder.add(Bytes.owning(new byte[size == 0 ? 0 : i == 5_000 || i == 5_999 ? size : i % 20]));
            }
            List<Bytes> values = builder.build();
            for (Reply sent : List.of(new Reply.Values(values), new Reply.Page(7, values))) {
                Encoded message = ReplyCodec.encode(sent);
                byte[] all = bytes(message);
                assertThat(message.tailBytes()).isZero();
                assertThat(message.size()).isEqualTo(all.length);
                assertThat(message.parts().size() == 1).isEqualTo(all.length <= Encoded.LARGE_BYTES);
                assertThat(ReplyCodec.decode(received(all), "foo@h")).isEqualTo(sent);
                assertThatThrownBy(() -> ReplyCodec.decode(received(Arrays.copyOf(all, all.length - 1)), "foo@h"))
                        .isInstanceOf(MalformedMessage.class);
            }
        }
    }

    @Test
    void aLongMessageIsNotCopiedAndOneInTheMemoryForInputIs() throws Exception {
        PackedList.Builder builder = new PackedList.Builder();
        for (int i = 0; i < 5_000; i++) {
            builder.add(Bytes.of("v" + i));
        }
        Reply sent = new Reply.Values(builder.build());
        byte[] message = bytes(ReplyCodec.encode(sent));
        Reply lasting = ReplyCodec.decode(received(message), "foo@h");
        Reply copied = ReplyCodec.decode(Received.passing(ByteBuffer.wrap(message)), "foo@h");

        assertThat(((PackedList) ((Reply.Values) lasting).values()).arrays())
                .extracting(ByteBuffer::array)
                .containsOnly(message);
        Arrays.fill(message, (byte) 0);
        assertThat(copied).isEqualTo(sent);
    }

    /** A long message is received in several arrays, which end anywhere. */
    @Test
    void aMessageInPartsIsReadLikeAWholeOne() throws Exception {
        PackedList.Builder many = new PackedList.Builder();
        for (int i = 0; i < 5_000; i++) {
            many.add(Bytes.of("v" + i));
        }
        List<Reply> replies = new ArrayList<>(REPLIES);
        replies.add(new Reply.Page(7, many.build()));
        for (Reply sent : replies) {
            byte[] message = bytes(ReplyCodec.encode(sent));
            for (int part : List.of(1, 2, 3, 5, 7, 1000)) {
                assertThat(ReplyCodec.decode(parts(message, part), "foo@h")).isEqualTo(sent);
                assertThatThrownBy(() ->
                                ReplyCodec.decode(parts(Arrays.copyOf(message, message.length - 1), part), "foo@h"))
                        .isInstanceOf(MalformedMessage.class);
                assertThatThrownBy(() ->
                                ReplyCodec.decode(parts(Arrays.copyOf(message, message.length + 1), part), "foo@h"))
                        .isInstanceOf(MalformedMessage.class);
            }
        }
    }

    private static Received parts(byte[] message, int bytes) {
        List<ByteBuffer> parts = new ArrayList<>();
        for (int from = 0; from == 0 || from < message.length; from += bytes) {
            parts.add(ByteBuffer.wrap(message, from, Math.min(bytes, message.length - from))
                    .slice());
        }
        return Received.lasting(parts, Bytes.EMPTY);
    }

    @Test
    void theSizeOfACommandIsThatOfItsOperands() {
        for (Command command : COMMANDS) {
            int headerBytes = 1 + 4 + 4 + 2 + 2 + "foo@h".length() + 8 + 1 + 8 + 16 + 24;
            assertThat(CommandCodec.sizeOf(command)).as("%s", command).isEqualTo(encoded(command).length - headerBytes);
        }
    }

    @Test
    void aTextThatIsNoAsciiOrTooLongForItsLengthArrivesAsFarAsItFits() throws Exception {
        for (String text : List.of("Grüße an den nächsten Knoten", "x".repeat(70_000), "ü".repeat(40_000))) {
            Reply.Failed sent = new Reply.Failed(Reply.Word.ERR, text);
            Reply.Failed arrived = (Reply.Failed) ReplyCodec.decode(received(bytes(ReplyCodec.encode(sent))), "foo@h");
            assertThat(text).startsWith(arrived.message().substring(0, Math.min(text.length(), 30_000)));
        }
    }

    @Test
    void aCommandOfANewerNodeIsToldApartAlsoInABatch() throws Exception {
        byte[] batch = encoded(new Command.Batch(B, List.of(new Command.Size(B))));
        batch[batch.length - 4 - B.size() - 1] = 99;

        assertThat(decoded(batch)).isEqualTo(new RequestCodec.Asked.Unknown(99));
    }

    @Test
    void whatIsCutOffOrGoesOnIsMalformed() {
        for (Command command : COMMANDS) {
            byte[] whole = encoded(command);
            for (int length = 0; length < whole.length; length++) {
                byte[] part = Arrays.copyOf(whole, length);
                assertThatThrownBy(() -> decoded(part)).as("%s", command).isInstanceOf(MalformedMessage.class);
            }
            assertThatThrownBy(() -> decoded(Arrays.copyOf(whole, whole.length + 1)))
                    .isInstanceOf(MalformedMessage.class);
        }
        for (Reply reply : REPLIES) {
            byte[] whole = bytes(ReplyCodec.encode(reply));
            for (int length = 0; length < whole.length; length++) {
                Received part = received(Arrays.copyOf(whole, length));
                assertThatThrownBy(() -> ReplyCodec.decode(part, "foo@h"))
                        .as("%s", reply)
                        .isInstanceOf(MalformedMessage.class);
            }
        }
    }

    /** Anything else than these would be a fault of this node. */
    @Test
    void otherBytesAreAnotherMessageOrMalformed() {
        long seed = Long.getLong("kv.seed", System.nanoTime());
        Random random = new Random(seed);
        int understood = 0;
        for (int round = 0; round < 50_000; round++) {
            boolean isRequest = random.nextBoolean();
            byte[] body = isRequest
                    ? encoded(COMMANDS.get(random.nextInt(COMMANDS.size())))
                    : bytes(ReplyCodec.encode(REPLIES.get(random.nextInt(REPLIES.size()))));
            for (int i = random.nextInt(3); i >= 0; i--) {
                body[random.nextInt(body.length)] = (byte) random.nextInt(256);
            }
            try {
                if (isRequest) {
                    decoded(body);
                } else {
                    ReplyCodec.decode(received(body), "foo@h");
                }
                understood++;
            } catch (MalformedMessage e) {
                assertThat(e).hasMessageNotContaining("\n");
            } catch (RuntimeException e) {
                throw new AssertionError("with -Dkv.seed=" + seed, e);
            }
        }
        assertThat(understood).isPositive();
    }
}
