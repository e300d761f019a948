package dev.kv.router.peer.codec;

import static dev.kv.router.peer.codec.Composite.bytes;
import static dev.kv.router.peer.codec.Composite.field;
import static dev.kv.router.peer.codec.Composite.fields;
import static dev.kv.router.peer.codec.Encoding.BYTES;
import static dev.kv.router.peer.codec.Encoding.FLAG;
import static dev.kv.router.peer.codec.Encoding.KIND;
import static dev.kv.router.peer.codec.Encoding.LONG;
import static dev.kv.router.peer.codec.Encoding.VALUES;
import static dev.kv.router.peer.codec.Encoding.choice;
import static dev.kv.router.peer.codec.Encoding.list;
import static dev.kv.router.peer.codec.Encoding.nested;
import static dev.kv.router.peer.codec.Encoding.optional;
import static dev.kv.router.peer.codec.Variants.row;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Expiry;
import dev.kv.router.NameSpace;
import dev.kv.router.peer.codec.Composite.Field;
import java.math.BigDecimal;
import java.util.List;

/** How commands stand in a request: a row for each. {@code docs/peer-protocol.md} shows the same to other implementations. */
public final class CommandCodec {
    /** A batch holds commands that hold none. */
    static final int DEPTH_MAX = 1;

    private static final Encoding<Command.Part> PART =
            choice("part", List.of(Command.Part.KEYS, Command.Part.VALUES, Command.Part.PAIRS));

    private static final Encoding<Command.KeysCondition> KEYS_CONDITION = choice(
            "condition of keys",
            List.of(Command.KeysCondition.ALWAYS, Command.KeysCondition.ALL_ABSENT, Command.KeysCondition.ALL_PRESENT));

    private static final Variants<Expiry> EXPIRY = new Variants<>(
            "expiry",
            List.of(
                    row(0, Expiry.None.class, fields(new Expiry.None())),
                    row(1, Expiry.Kept.class, fields(new Expiry.Kept())),
                    row(2, Expiry.At.class, fields(Expiry.At::new, field(Expiry.At::millis, LONG))),
                    row(3, Expiry.In.class, fields(Expiry.In::new, field(Expiry.In::millis, LONG)))));

    private static final Encoding<Expiry.Condition> EXPIRY_CONDITION = choice(
            "condition of an expiry",
            List.of(
                    Expiry.Condition.ALWAYS,
                    Expiry.Condition.IF_NONE,
                    Expiry.Condition.IF_ANY,
                    Expiry.Condition.IF_LATER,
                    Expiry.Condition.IF_SOONER_OR_NONE,
                    Expiry.Condition.IF_SOONER));

    private static final Variants<Command.Condition> CONDITION = new Variants<>(
            "condition",
            List.of(
                    row(0, Command.Condition.Always.class, fields(new Command.Condition.Always())),
                    row(1, Command.Condition.IfAbsent.class, fields(new Command.Condition.IfAbsent())),
                    row(2, Command.Condition.IfPresent.class, fields(new Command.Condition.IfPresent())),
                    row(
                            3,
                            Command.Condition.IfEqual.class,
                            fields(Command.Condition.IfEqual::new, bytes(Command.Condition.IfEqual::value)))));

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

    private static final Encoding<Command.Names> OF_NAMES = fields(
            Command.Names::new,
            field(Command.Names::names, NAMES),
            field(Command.Names::position, LONG),
            bytes(Command.Names::match),
            field(Command.Names::count, LONG));

    private static final Encoding<Command.SetValue> SET_VALUE = fields(
            Command.SetValue::new,
            BUCKET,
            bytes(Command.SetValue::value),
            field(Command.SetValue::condition, CONDITION),
            field(Command.SetValue::returnsOld, FLAG));

    private static final Encoding<Command.Watched> WATCHED =
            fields(Command.Watched::new, bytes(Command.Watched::name), field(Command.Watched::number, LONG));

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
                    // A door packs the keys of this one alone (HMGET): the other lists are of objects.
                    row(
                            11,
                            Command.GetAll.class,
                            fields(Command.GetAll::new, BUCKET, field(Command.GetAll::keys, VALUES))),
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
                    row(19, Command.Names.class, OF_NAMES),
                    row(20, Command.Count.class, fields(Command.Count::new, field(Command.Count::names, NAMES))),
                    row(21, Command.GetValue.class, fields(Command.GetValue::new, BUCKET)),
                    row(22, Command.SetValue.class, SET_VALUE),
                    row(23, Command.TakeValue.class, fields(Command.TakeValue::new, BUCKET)),
                    row(
                            24,
                            Command.DropEqual.class,
                            fields(Command.DropEqual::new, BUCKET, bytes(Command.DropEqual::value))),
                    row(
                            25,
                            Command.AddToValue.class,
                            fields(Command.AddToValue::new, BUCKET, field(Command.AddToValue::amount, LONG))),
                    row(
                            26,
                            Command.AddDecimalToValue.class,
                            fields(
                                    Command.AddDecimalToValue::new,
                                    BUCKET,
                                    field(Command.AddDecimalToValue::amount, DECIMAL))),
                    row(
                            27,
                            Command.WriteRange.class,
                            fields(
                                    Command.WriteRange::new,
                                    BUCKET,
                                    field(Command.WriteRange::at, LONG),
                                    bytes(Command.WriteRange::bytes))),
                    row(
                            28,
                            Command.SetAbsentValues.class,
                            fields(Command.SetAbsentValues::new, field(Command.SetAbsentValues::pairs, BYTES_LIST))),
                    row(
                            29,
                            Command.GetRange.class,
                            fields(
                                    Command.GetRange::new,
                                    BUCKET,
                                    field(Command.GetRange::first, LONG),
                                    field(Command.GetRange::last, LONG))),
                    row(30, Command.MeasureValue.class, fields(Command.MeasureValue::new, BUCKET)),
                    row(31, Command.KindOf.class, fields(Command.KindOf::new, BUCKET)),
                    row(
                            32,
                            Command.NamesOfKind.class,
                            fields(
                                    Command.NamesOfKind::new,
                                    field(Command.NamesOfKind::of, OF_NAMES),
                                    field(Command.NamesOfKind::kind, KIND))),
                    row(
                            33,
                            Command.SetValueUntil.class,
                            fields(
                                    Command.SetValueUntil::new,
                                    field(Command.SetValueUntil::set, SET_VALUE),
                                    field(Command.SetValueUntil::expiry, EXPIRY))),
                    row(
                            34,
                            Command.GetValueAndExpire.class,
                            fields(
                                    Command.GetValueAndExpire::new,
                                    BUCKET,
                                    field(Command.GetValueAndExpire::expiry, EXPIRY))),
                    row(
                            35,
                            Command.Expire.class,
                            fields(
                                    Command.Expire::new,
                                    BUCKET,
                                    field(Command.Expire::expiry, EXPIRY),
                                    field(Command.Expire::condition, EXPIRY_CONDITION))),
                    row(36, Command.ExpiryOf.class, fields(Command.ExpiryOf::new, BUCKET)),
                    row(
                            37,
                            Command.ExpireKeys.class,
                            fields(
                                    Command.ExpireKeys::new,
                                    BUCKET,
                                    field(Command.ExpireKeys::keys, BYTES_LIST),
                                    field(Command.ExpireKeys::expiry, EXPIRY),
                                    field(Command.ExpireKeys::condition, EXPIRY_CONDITION))),
                    row(
                            38,
                            Command.ExpiriesOfKeys.class,
                            fields(
                                    Command.ExpiriesOfKeys::new,
                                    BUCKET,
                                    field(Command.ExpiriesOfKeys::keys, BYTES_LIST))),
                    row(
                            39,
                            Command.GetAllAndExpire.class,
                            fields(
                                    Command.GetAllAndExpire::new,
                                    BUCKET,
                                    field(Command.GetAllAndExpire::keys, BYTES_LIST),
                                    field(Command.GetAllAndExpire::expiry, EXPIRY))),
                    row(
                            40,
                            Command.SetAllUntil.class,
                            fields(
                                    Command.SetAllUntil::new,
                                    BUCKET,
                                    field(Command.SetAllUntil::pairs, BYTES_LIST),
                                    field(Command.SetAllUntil::condition, KEYS_CONDITION),
                                    field(Command.SetAllUntil::expiry, EXPIRY))),
                    row(
                            41,
                            Command.TakeAll.class,
                            fields(Command.TakeAll::new, BUCKET, field(Command.TakeAll::keys, BYTES_LIST))),
                    row(
                            42,
                            Command.RenameAbsent.class,
                            fields(Command.RenameAbsent::new, BUCKET, bytes(Command.RenameAbsent::to))),
                    row(
                            43,
                            Command.Copy.class,
                            fields(
                                    Command.Copy::new,
                                    BUCKET,
                                    bytes(Command.Copy::to),
                                    field(Command.Copy::replaces, FLAG))),
                    row(44, Command.Watch.class, fields(Command.Watch::new, BUCKET)),
                    row(46, Command.Weigh.class, fields(Command.Weigh::new, BUCKET)),
                    row(
                            45,
                            Command.Together.class,
                            fields(
                                    Command.Together::new,
                                    field(Command.Together::watched, list(WATCHED)),
                                    field(Command.Together::commands, list(nested(() -> CommandCodec.ROWS))))),
                    row(
                            47,
                            Command.Each.class,
                            fields(
                                    Command.Each::new,
                                    field(Command.Each::commands, list(nested(() -> CommandCodec.ROWS)))))));

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
