package dev.kv.router.peer.codec;

import static dev.kv.router.peer.codec.Composite.bytes;
import static dev.kv.router.peer.codec.Composite.field;
import static dev.kv.router.peer.codec.Composite.fields;
import static dev.kv.router.peer.codec.Encoding.INT;
import static dev.kv.router.peer.codec.Encoding.KIND;
import static dev.kv.router.peer.codec.Encoding.LONG;
import static dev.kv.router.peer.codec.Encoding.TEXT;
import static dev.kv.router.peer.codec.Encoding.VALUES;
import static dev.kv.router.peer.codec.Encoding.list;
import static dev.kv.router.peer.codec.Encoding.nested;
import static dev.kv.router.peer.codec.Encoding.optional;
import static dev.kv.router.peer.codec.Encoding.shortList;
import static dev.kv.router.peer.codec.Variants.row;
import static dev.kv.router.peer.codec.Variants.writtenLike;

import dev.kv.router.Held;
import dev.kv.router.Reply;
import dev.kv.router.Reply.Reason;
import dev.kv.router.Reply.Word;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** How replies stand in a message: a row for each kind. {@code docs/peer-protocol.md} shows the same. */
public final class ReplyCodec {
    /** The replies to a batch, one of which can be to several keys. */
    private static final int DEPTH_MAX = 2;

    /** No kind of {@link Reply}: the called node does not know the command. The code of the command follows. */
    private static final int UNSUPPORTED = 6;

    /**
     * A failure: a word and a message. The name of a typed reason stands in the place of the word, since older nodes take a word
     * that they do not know for {@link Word#ERR}.
     */
    private static final Encoding<Reply.Failed> FAILED = new Encoding<>() {
        private String first(Reply.Failed failed) {
            return failed.reason() == Reason.IN_MESSAGE
                    ? failed.word().name()
                    : failed.reason().name();
        }

        @Override
        public long size(Reply.Failed failed) {
            return (long) MessageWriter.textSize(first(failed)) + MessageWriter.textSize(failed.message());
        }

        @Override
        public void write(MessageWriter out, Reply.Failed failed) {
            out.text(first(failed));
            out.text(failed.message());
        }

        @Override
        public Reply.Failed read(MessageReader in) throws MalformedMessage {
            String first = in.text();
            String message = in.text();
            Optional<Reason> reason = named(Reason.values(), first);
            return reason.isPresent()
                    ? new Reply.Failed(reason.get().word(), reason.get(), message)
                    : new Reply.Failed(named(Word.values(), first).orElse(Word.ERR), message);
        }

        private <E extends Enum<E>> Optional<E> named(E[] values, String name) {
            return Arrays.stream(values)
                    .filter(value -> value.name().equals(name))
                    .findFirst();
        }
    };

    private static final Encoding<Reply.Hop> HOP = fields(
            Reply.Hop::new,
            field(Reply.Hop::node, TEXT),
            field(Reply.Hop::table, LONG),
            field(Reply.Hop::entry, TEXT),
            field(Reply.Hop::line, INT),
            field(Reply.Hop::column, INT));

    private static final Encoding<Reply.Owner> OWNER =
            fields(Reply.Owner::new, bytes(Reply.Owner::from), field(Reply.Owner::node, TEXT));

    private static final Encoding<Reply.Name> NAME =
            fields(Reply.Name::new, field(Reply.Name::position, LONG), bytes(Reply.Name::bucket));

    /** Like {@link Encoding#BYTES}, as which it arrives. */
    private static final Encoding<Held> HELD = new Encoding<>() {
        @Override
        public long size(Held value) {
            return Integer.BYTES + (long) value.size();
        }

        @Override
        public void write(MessageWriter out, Held value) {
            out.held(value.bytes());
        }

        @Override
        public Held read(MessageReader in) {
            throw new IllegalStateException("a value is held by the node that keeps it");
        }
    };

    private static final Variants<Reply> ROWS = new Variants<>(
            "reply",
            List.of(
                    row(0, Reply.Ok.class, fields(new Reply.Ok())),
                    row(1, Reply.NotFound.class, fields(new Reply.NotFound())),
                    row(2, Reply.Absent.class, fields(new Reply.Absent())),
                    row(3, Reply.Value.class, fields(Reply.Value::new, bytes(Reply.Value::value))),
                    writtenLike(
                            3,
                            Reply.LargeValue.class,
                            fields(Reply.LargeValue::new, field(Reply.LargeValue::value, HELD))),
                    row(4, Reply.Failed.class, FAILED),
                    row(
                            5,
                            Reply.Way.class,
                            fields(
                                    Reply.Way::new,
                                    field(Reply.Way::hops, shortList(HOP)),
                                    field(Reply.Way::failure, optional(FAILED)))),
                    row(7, Reply.Amount.class, fields(Reply.Amount::new, field(Reply.Amount::value, LONG))),
                    row(8, Reply.Values.class, fields(Reply.Values::new, field(Reply.Values::values, VALUES))),
                    row(
                            9,
                            Reply.Many.class,
                            fields(Reply.Many::new, field(Reply.Many::replies, list(nested(() -> ReplyCodec.ROWS))))),
                    row(
                            10,
                            Reply.Page.class,
                            fields(Reply.Page::new, field(Reply.Page::next, LONG), field(Reply.Page::values, VALUES))),
                    row(
                            11,
                            Reply.Names.class,
                            fields(
                                    Reply.Names::new,
                                    field(Reply.Names::owners, list(OWNER)),
                                    field(Reply.Names::next, LONG),
                                    field(Reply.Names::names, list(NAME)))),
                    row(12, Reply.OfKind.class, fields(Reply.OfKind::new, field(Reply.OfKind::kind, KIND)))));

    private ReplyCodec() {}

    /** The message of a reply. What is held for it must be checked before, and stay until the message was sent. */
    public static Encoded encode(Reply reply) {
        return write(new MessageWriter(), reply).encoded();
    }

    /** Writes the same message. */
    public static MessageWriter write(MessageWriter out, Reply reply) {
        ROWS.write(out, reply);
        return out;
    }

    /** Writes the reply to a command that this node does not know. */
    public static MessageWriter writeUnsupported(MessageWriter out, int command) {
        out.u8(UNSUPPORTED);
        out.u8(command);
        return out;
    }

    /**
     * The reply of a whole message.
     *
     * @param node the name of the node that sent it
     */
    public static Reply decode(Received message, String node) throws MalformedMessage {
        MessageReader in = new MessageReader(message, DEPTH_MAX);
        try {
            int code = in.u8();
            Reply reply = code == UNSUPPORTED ? unsupported(in.u8(), node) : ROWS.readFields(code, in);
            in.expectEnd();
            return reply;
        } catch (IllegalArgumentException e) {
            throw new MalformedMessage("a reply makes no sense: " + e.getMessage());
        }
    }

    private static Reply unsupported(int command, String node) {
        return new Reply.Failed(
                Word.ERR,
                "%s does not know this command (number %d): it runs an older release, upgrade it"
                        .formatted(node, command));
    }
}
