package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.LongDouble;
import dev.kv.router.Reply;
import dev.kv.router.Reply.Reason;
import java.math.BigDecimal;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Supplier;

/** What each command changes in its bucket. */
final class Writes {
    private static final Reply NOTHING = new Reply.Amount(0);
    private static final Reply ONE = new Reply.Amount(1);

    private Writes() {}

    /**
     * @param room gives what the reply may hold: a command that returns values takes them from it, and changes nothing if they do not
     *     fit
     */
    static Reply change(Edit bucket, Command.Write command, Supplier<ReplyRoom> room) {
        return switch (command) {
            case Command.Create _ -> {
                bucket.keep();
                yield Reply.OK;
            }
            case Command.Put put -> {
                if (!bucket.exists()) {
                    yield Reply.NOT_FOUND;
                }
                bucket.set(put.key(), put.value());
                yield Reply.OK;
            }
            case Command.Delete delete -> {
                if (!bucket.exists()) {
                    yield Reply.NOT_FOUND;
                }
                bucket.delete(delete.key());
                yield Reply.OK;
            }
            case Command.SetAll set -> setAll(bucket, set);
            case Command.DeleteAll delete -> {
                long before = bucket.size();
                delete.keys().forEach(bucket::delete);
                yield new Reply.Amount(before - bucket.size());
            }
            case Command.Add add -> add(bucket, add);
            case Command.AddDecimal add -> addDecimal(bucket, add, room.get());
            case Command.SetValue _,
                    Command.TakeValue _,
                    Command.DropEqual _,
                    Command.AddToValue _,
                    Command.AddDecimalToValue _,
                    Command.WriteRange _ -> throw new UnsupportedOperationException("values");
            case Command.Drop _ -> {
                boolean counts = bucket.size() > 0;
                bucket.drop();
                yield counts ? ONE : NOTHING;
            }
        };
    }

    private static Reply setAll(Edit bucket, Command.SetAll set) {
        long before = bucket.size();
        for (int i = 0; i < set.pairs().size(); i += 2) {
            Bytes key = set.pairs().get(i);
            if (!set.onlyAbsent() || bucket.get(key) == null) {
                bucket.set(key, set.pairs().get(i + 1));
            }
        }
        return new Reply.Amount(bucket.size() - before);
    }

    private static Reply add(Edit bucket, Command.Add add) {
        Bytes old = bucket.get(add.key());
        OptionalLong number = old == null ? OptionalLong.of(0) : old.wholeNumber();
        if (number.isEmpty()) {
            return new Reply.Failed(Reason.NOT_AN_INTEGER);
        }
        long sum = number.getAsLong() + add.amount();
        if (((number.getAsLong() ^ sum) & (add.amount() ^ sum)) < 0) {
            return new Reply.Failed(Reason.SUM_OVERFLOWS);
        }
        bucket.set(add.key(), Bytes.of(Long.toString(sum)));
        return new Reply.Amount(sum);
    }

    private static Reply addDecimal(Edit bucket, Command.AddDecimal add, ReplyRoom room) {
        Bytes old = bucket.get(add.key());
        Optional<BigDecimal> number = old == null ? Optional.of(BigDecimal.ZERO) : LongDouble.parse(old);
        if (number.isEmpty() && !LongDouble.isInfinity(old)) {
            return new Reply.Failed(Reason.NOT_A_NUMBER);
        }
        Optional<BigDecimal> sum = number.flatMap(value -> LongDouble.add(value, add.amount()));
        if (sum.isEmpty()) {
            return new Reply.Failed(Reason.SUM_NOT_FINITE);
        }
        Bytes value = LongDouble.text(sum.get());
        room.take(value);
        bucket.set(add.key(), value);
        return new Reply.Value(value);
    }
}
