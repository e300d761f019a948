package dev.kv.router.dispatch;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Limits;
import dev.kv.router.PackedList;
import dev.kv.router.Reply.Failed;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/** Holds the names, keys, values and patterns of a command against the limits of this node. Any thread. */
final class SizeCheck {
    private final Limits limits;

    SizeCheck(Limits limits) {
        this.limits = limits;
    }

    /** Why the command is not run, if something in it is too large. */
    Optional<Failed> excess(Command command) {
        Optional<Failed> excess = excessName(command.bucket());
        if (excess.isPresent()) {
            return excess;
        }
        return switch (command) {
            case Command.Put put -> excessKey(put.key()).or(() -> excessValue(put.value()));
            case Command.Get get -> excessKey(get.key());
            case Command.GetValue _, Command.KindOf _, Command.Drop _ -> excess;
            case Command.SetValue set -> excessValue(set.value()).or(() -> excessOf(set.condition()));
            case Command.SetValueUntil set -> excess(set.set());
            case Command.Delete delete -> excessKey(delete.key());
            case Command.SetAll set -> excessPairs(set.pairs(), this::excessKey);
            case Command.DeleteAll delete -> excessKeys(delete.keys());
            case Command.GetAll get -> excessKeys(get.keys());
            case Command.Measure measure -> excessKey(measure.key());
            case Command.Add add -> excessKey(add.key());
            case Command.AddDecimal add -> excessKey(add.key());
            case Command.Rename rename -> excessName(rename.to());
            case Command.RenameAbsent rename -> excessName(rename.to());
            case Command.Copy copy -> excessName(copy.to());
            case Command.Together together ->
                first(together.commands(), this::excess).or(() -> first(together.names(), this::excessName));
            case Command.Each each -> first(each.commands(), this::excess);
            case Command.Batch batch -> first(batch.commands(), this::excess);
            case Command.Scan scan -> limits.excessOfPattern(scan.match().size());
            case Command.Names names -> limits.excessOfPattern(names.match().size());
            case Command.NamesOfKind names -> excess(names.of());
            case Command.ExpireKeys expire -> excessKeys(expire.keys());
            case Command.ExpiriesOfKeys tell -> excessKeys(tell.keys());
            case Command.GetAllAndExpire get -> excessKeys(get.keys());
            case Command.SetAllUntil set -> excessPairs(set.pairs(), this::excessKey);
            case Command.TakeAll take -> excessKeys(take.keys());
            case Command.DropEqual drop -> excessValue(drop.value());
            case Command.WriteRange write -> excessRange(write);
            case Command.SetAbsentValues set -> excessPairs(set.pairs(), this::excessName);
            case Command.Create _,
                    Command.Size _,
                    Command.Content _,
                    Command.Sample _,
                    Command.Count _,
                    Command.GetRange _,
                    Command.MeasureValue _,
                    Command.Watch _,
                    Command.Weigh _,
                    Command.TakeValue _,
                    Command.GetValueAndExpire _,
                    Command.Expire _,
                    Command.ExpiryOf _,
                    Command.AddToValue _,
                    Command.AddDecimalToValue _,
                    Command.Route _ -> excess;
        };
    }

    private Optional<Failed> excessOf(Command.Condition condition) {
        return condition instanceof Command.Condition.IfEqual(Bytes value) ? excessValue(value) : Optional.empty();
    }

    /** How large the value becomes at least; where the bytes go to its end, the node that keeps it knows. */
    private Optional<Failed> excessRange(Command.WriteRange write) {
        long at = Math.max(0, write.at());
        long end = write.bytes().isEmpty() ? 0 : at + write.bytes().size();
        return limits.excessOfValue(end < 0 ? Long.MAX_VALUE : end);
    }

    private Optional<Failed> excessPairs(List<Bytes> pairs, Function<Bytes, Optional<Failed>> ofFirst) {
        for (int i = 0; i < pairs.size(); i += 2) {
            Optional<Failed> excess = ofFirst.apply(pairs.get(i));
            if (excess.isEmpty()) {
                excess = excessValue(pairs.get(i + 1));
            }
            if (excess.isPresent()) {
                return excess;
            }
        }
        return Optional.empty();
    }

    private Optional<Failed> excessKeys(List<Bytes> keys) {
        if (keys instanceof PackedList packed) {
            return limits.excessOfKey(packed.longest());
        }
        return first(keys, this::excessKey);
    }

    private static <T> Optional<Failed> first(List<T> all, Function<T, Optional<Failed>> check) {
        for (T one : all) {
            Optional<Failed> excess = check.apply(one);
            if (excess.isPresent()) {
                return excess;
            }
        }
        return Optional.empty();
    }

    private Optional<Failed> excessName(Bytes bucket) {
        return limits.excessOfName(bucket.size());
    }

    private Optional<Failed> excessValue(Bytes value) {
        return limits.excessOfValue(value.size());
    }

    private Optional<Failed> excessKey(Bytes key) {
        return limits.excessOfKey(key.size());
    }
}
