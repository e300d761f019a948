package dev.kv.router.peer.codec;

import static dev.kv.router.peer.codec.Composite.bytes;
import static dev.kv.router.peer.codec.Composite.field;
import static dev.kv.router.peer.codec.Composite.fields;
import static dev.kv.router.peer.codec.Encoding.BYTES;
import static dev.kv.router.peer.codec.Encoding.FLAG;
import static dev.kv.router.peer.codec.Encoding.LONG;
import static dev.kv.router.peer.codec.Encoding.list;
import static dev.kv.router.peer.codec.Encoding.nested;
import static dev.kv.router.peer.codec.Encoding.optional;
import static dev.kv.router.peer.codec.Variants.row;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.NameSpace;
import dev.kv.router.peer.codec.Composite.Field;
import java.math.BigDecimal;
import java.util.List;

/** How commands stand in a request: a row for each. {@code docs/peer-protocol.md} shows the same to other implementations. */
public final class CommandCodec {
    /** A batch holds commands that hold none. */
    static final int DEPTH_MAX = 1;

    private static final Encoding<Command.Part> PART = new Encoding<>() {
        @Override
        public long size(Command.Part value) {
            return 1;
        }

        @Override
        public void write(MessageWriter out, Command.Part value) {
            out.u8(
                    switch (value) {
                        case KEYS -> 0;
                        case VALUES -> 1;
                        case PAIRS -> 2;
                    });
        }

        @Override
        public Command.Part read(MessageReader in) throws MalformedMessage {
            int code = in.u8();
            return switch (code) {
                case 0 -> Command.Part.KEYS;
                case 1 -> Command.Part.VALUES;
                case 2 -> Command.Part.PAIRS;
                default -> throw new MalformedMessage("unknown part " + code);
            };
        }
    };

    private static final Encoding<BigDecimal> DECIMAL = new Encoding<>() {
        @Override
        public long size(BigDecimal value) {
            return MessageWriter.textSize(value.toString());
        }

        @Override
        public void write(MessageWriter out, BigDecimal value) {
            out.text(value.toString());
        }

        @Override
        public BigDecimal read(MessageReader in) throws MalformedMessage {
            try {
                return new BigDecimal(in.text());
            } catch (NumberFormatException e) {
                throw new MalformedMessage("a decimal number that is none");
            }
        }
    };

    private static final Encoding<List<Bytes>> BYTES_LIST = list(BYTES);

    private static final Encoding<NameSpace> NAMES = fields(
            NameSpace::new,
            field(
                    NameSpace::spans,
                    list(fields(
                            NameSpace.Span::new,
                            bytes(NameSpace.Span::from),
                            field(NameSpace.Span::before, optional(BYTES))))));

    private static final Field<Command, Bytes> BUCKET = bytes(Command::bucket);

    private static final Variants<Command> ROWS = new Variants<>(
            "command",
            List.of(
                    row(1, Command.Create.class, fields(Command.Create::new, BUCKET)),
                    row(
                            2,
                            Command.Put.class,
                            fields(Command.Put::new, BUCKET, bytes(Command.Put::key), bytes(Command.Put::value))),
                    row(3, Command.Get.class, fields(Command.Get::new, BUCKET, bytes(Command.Get::key))),
                    row(4, Command.Delete.class, fields(Command.Delete::new, BUCKET, bytes(Command.Delete::key))),
                    row(5, Command.Route.class, fields(Command.Route::new, BUCKET)),
                    row(
                            6,
                            Command.SetAll.class,
                            fields(
                                    (bucket, onlyAbsent, pairs) -> new Command.SetAll(bucket, pairs, onlyAbsent),
                                    BUCKET,
                                    field(Command.SetAll::onlyAbsent, FLAG),
                                    field(Command.SetAll::pairs, BYTES_LIST))),
                    row(
                            7,
                            Command.DeleteAll.class,
                            fields(Command.DeleteAll::new, BUCKET, field(Command.DeleteAll::keys, BYTES_LIST))),
                    row(
                            8,
                            Command.Add.class,
                            fields(
                                    Command.Add::new,
                                    BUCKET,
                                    bytes(Command.Add::key),
                                    field(Command.Add::amount, LONG))),
                    row(
                            9,
                            Command.AddDecimal.class,
                            fields(
                                    Command.AddDecimal::new,
                                    BUCKET,
                                    bytes(Command.AddDecimal::key),
                                    field(Command.AddDecimal::amount, DECIMAL))),
                    row(10, Command.Drop.class, fields(Command.Drop::new, BUCKET)),
                    row(
                            11,
                            Command.GetAll.class,
                            fields(Command.GetAll::new, BUCKET, field(Command.GetAll::keys, BYTES_LIST))),
                    row(12, Command.Measure.class, fields(Command.Measure::new, BUCKET, bytes(Command.Measure::key))),
                    row(13, Command.Size.class, fields(Command.Size::new, BUCKET)),
                    row(
                            14,
                            Command.Content.class,
                            fields(Command.Content::new, BUCKET, field(Command.Content::part, PART))),
                    row(
                            15,
                            Command.Sample.class,
                            fields(
                                    Command.Sample::new,
                                    BUCKET,
                                    field(Command.Sample::count, LONG),
                                    field(Command.Sample::part, PART))),
                    row(
                            16,
                            Command.Scan.class,
                            fields(
                                    Command.Scan::new,
                                    BUCKET,
                                    field(Command.Scan::position, LONG),
                                    bytes(Command.Scan::match),
                                    field(Command.Scan::count, LONG),
                                    field(Command.Scan::part, PART))),
                    row(17, Command.Rename.class, fields(Command.Rename::new, BUCKET, bytes(Command.Rename::to))),
                    row(
                            18,
                            Command.Batch.class,
                            fields(
                                    Command.Batch::new,
                                    BUCKET,
                                    field(Command.Batch::commands, list(nested(() -> CommandCodec.ROWS))))),
                    row(
                            19,
                            Command.Names.class,
                            fields(
                                    Command.Names::new,
                                    field(Command.Names::names, NAMES),
                                    field(Command.Names::position, LONG),
                                    bytes(Command.Names::match),
                                    field(Command.Names::count, LONG))),
                    row(20, Command.Count.class, fields(Command.Count::new, field(Command.Count::names, NAMES)))));

    private CommandCodec() {}

    /** The size of its operands on the wire, in bytes. */
    public static long sizeOf(Command command) {
        return ROWS.sizeOfFields(command);
    }

    /** What the wire knows of commands like this one. */
    static Variants.Row<? extends Command> rowOf(Command command) {
        return ROWS.rowOf(command);
    }

    static Command readOperands(int code, MessageReader in) throws MalformedMessage {
        return ROWS.readFields(code, in);
    }
}
