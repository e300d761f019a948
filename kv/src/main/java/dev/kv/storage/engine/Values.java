package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Command.Condition;
import dev.kv.router.Expiry;
import dev.kv.router.Kind;
import dev.kv.router.Limits;
import dev.kv.router.Reply;
import dev.kv.router.Reply.Reason;
import java.util.Arrays;
import java.util.Optional;
import java.util.function.Supplier;

/** What the commands on values read and change. A bucket without keys is nothing to them. */
final class Values {
    private Values() {}

    /** Whether a command is on a value where there is a bucket with keys, or on a bucket where there is a value. */
    static boolean isWrongType(View name, Command command) {
        return switch (command) {
            case Command.GetValue _,
                    Command.GetRange _,
                    Command.MeasureValue _,
                    Command.TakeValue _,
                    Command.GetValueAndExpire _,
                    Command.DropEqual _,
                    Command.AddToValue _,
                    Command.AddDecimalToValue _,
                    Command.WriteRange _ -> hasKeys(name);
            case Command.SetValue set ->
                (set.returnsOld() || set.condition() instanceof Condition.IfEqual) && hasKeys(name);
            case Command.SetValueUntil set -> isWrongType(name, set.set());
            case Command.KindOf _, Command.Weigh _, Command.Drop _, Command.Expire _, Command.ExpiryOf _ -> false;
            case Command.Read _, Command.Write _ -> name.isValue();
            case Command.Batch _,
                    Command.Several _,
                    Command.Each _,
                    Command.Watch _,
                    Command.Survey _,
                    Command.Route _ -> throw new IllegalArgumentException("no command on one name: " + command);
        };
    }

    /** Whether there is a bucket with keys. */
    private static boolean hasKeys(View name) {
        return !name.isValue() && name.size() > 0;
    }

    static Reply kind(View name) {
        if (name.size() == 0) {
            return Reply.ABSENT;
        }
        return new Reply.OfKind(name.isValue() ? Kind.VALUE : Kind.BUCKET);
    }

    static Reply measure(View name) {
        return name.isValue() ? new Reply.Amount(name.valueBytes(View.VALUE)) : Reply.ABSENT;
    }

    static Reply range(View name, Command.GetRange range, ReplyRoom room) {
        int bytes = name.isValue() ? (int) name.valueBytes(View.VALUE) : 0;
        int from = range.from(bytes);
        int to = range.to(bytes);
        room.take(to - from);
        return new Reply.Value(from == to ? Bytes.EMPTY : name.part(View.VALUE, from, to));
    }

    static Reply set(Edit name, Command.SetValueUntil set, Supplier<ReplyRoom> room) {
        long before = set.expiry() instanceof Expiry.Kept && name.size() > 0 ? name.until() : 0;
        return set(name, set.set(), ExpiryCommands.until(name, set.expiry(), before), room);
    }

    static Reply set(Edit name, Command.SetValue set, Supplier<ReplyRoom> room) {
        return set(name, set, 0, room);
    }

    private static Reply set(Edit name, Command.SetValue set, long until, Supplier<ReplyRoom> room) {
        Reply old = set.returnsOld() ? Reads.read(name, View.VALUE, room.get()) : Reply.OK;
        if (!holds(name, set.condition())) {
            return set.returnsOld() ? old : Reply.ABSENT;
        }
        name.setValue(set.value(), until);
        return old;
    }

    private static boolean holds(Edit name, Condition condition) {
        return switch (condition) {
            case Condition.Always _ -> true;
            case Condition.IfAbsent _ -> name.size() == 0;
            case Condition.IfPresent _ -> name.size() > 0;
            case Condition.IfEqual(Bytes value) -> isEqual(name, value);
        };
    }

    private static boolean isEqual(Edit name, Bytes value) {
        return name.isValue() && name.valueBytes(View.VALUE) == value.size() && value.equals(name.get(View.VALUE));
    }

    static Reply take(Edit name, ReplyRoom room) {
        if (!name.isValue()) {
            return Reply.ABSENT;
        }
        Reply value = Reads.read(name, View.VALUE, room);
        name.drop();
        return value;
    }

    static Reply dropEqual(Edit name, Bytes value) {
        if (!isEqual(name, value)) {
            return Writes.NOTHING;
        }
        name.drop();
        return Writes.ONE;
    }

    static Reply add(Edit name, long amount) {
        return Sums.add(old(name), amount, Reason.VALUE_NOT_AN_INTEGER, sum -> keepingTime(name, sum));
    }

    static Reply addDecimal(Edit name, Command.AddDecimalToValue add, ReplyRoom room) {
        return Sums.addDecimal(old(name), add.amount(), Reason.VALUE_NOT_A_NUMBER, sum -> {
            room.take(sum);
            keepingTime(name, sum);
        });
    }

    /** Sets a value that expires when the one before it does. */
    private static void keepingTime(Edit name, Bytes value) {
        name.setValue(value, name.isValue() ? name.until() : 0);
    }

    /** The value; null if there is none. */
    private static Bytes old(Edit name) {
        return name.isValue() ? name.get(View.VALUE) : null;
    }

    static Reply write(Edit name, Command.WriteRange write, Limits limits) {
        long before = name.isValue() ? name.valueBytes(View.VALUE) : 0;
        boolean isAtEnd = write.at() == Command.WriteRange.END;
        if (write.bytes().isEmpty() && (!isAtEnd || name.isValue())) {
            return new Reply.Amount(before);
        }
        long from = isAtEnd ? before : write.at();
        long end = from + write.bytes().size();
        Optional<Reply.Failed> excess = limits.excessOfValue(end < 0 ? Long.MAX_VALUE : end);
        if (excess.isPresent()) {
            return excess.get();
        }
        // Before the memory is taken: a few bytes far behind the end make a large value.
        name.work(Math.max(before, end));
        byte[] old = name.isValue() ? name.get(View.VALUE).array() : new byte[0];
        byte[] value = Arrays.copyOf(old, (int) Math.max(before, end));
        System.arraycopy(
                write.bytes().array(), 0, value, (int) from, write.bytes().size());
        keepingTime(name, Bytes.owning(value));
        return new Reply.Amount(value.length);
    }
}
