package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Limits;
import dev.kv.router.Reply;
import dev.kv.router.Reply.Reason;
import java.util.function.Supplier;

/** What each command changes in its bucket. */
final class Writes {
    static final Reply NOTHING = new Reply.Amount(0);
    static final Reply ONE = new Reply.Amount(1);

    private Writes() {}

    /**
     * @param room gives what the reply may hold: a command that returns values takes them from it, and changes nothing if they do not
     *     fit
     * @param limits how large a value may become
     */
    static Reply change(Edit bucket, Command.Write command, Supplier<ReplyRoom> room, Limits limits) {
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
            case Command.Add add ->
                Sums.add(bucket.get(add.key()), add.amount(), Reason.NOT_AN_INTEGER, sum -> bucket.set(add.key(), sum));
            case Command.AddDecimal add -> {
                ReplyRoom ofSum = room.get();
                yield Sums.addDecimal(bucket.get(add.key()), add.amount(), Reason.NOT_A_NUMBER, sum -> {
                    ofSum.take(sum);
                    bucket.set(add.key(), sum);
                });
            }
            case Command.SetValue set -> Values.set(bucket, set, room);
            case Command.TakeValue _ -> Values.take(bucket, room.get());
            case Command.DropEqual drop -> Values.dropEqual(bucket, drop.value());
            case Command.AddToValue add -> Values.add(bucket, add.amount());
            case Command.AddDecimalToValue add -> Values.addDecimal(bucket, add, room.get());
            case Command.WriteRange write -> Values.write(bucket, write, limits);
            case Command.SetValueUntil _,
                    Command.GetValueAndExpire _,
                    Command.Expire _,
                    Command.ExpireKeys _,
                    Command.GetAllAndExpire _,
                    Command.SetAllUntil _,
                    Command.TakeAll _ -> throw new UnsupportedOperationException("expiry");
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
}
