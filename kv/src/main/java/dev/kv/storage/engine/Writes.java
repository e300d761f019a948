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
                boolean _ = bucket.delete(delete.key());
                yield Reply.OK;
            }
            case Command.SetAll set -> setAll(bucket, set);
            case Command.DeleteAll delete -> {
                long deleted = 0;
                for (Bytes key : delete.keys()) {
                    deleted += bucket.delete(key) ? 1 : 0;
                }
                yield new Reply.Amount(deleted);
            }
            case Command.Add add ->
                Sums.add(
                        bucket.get(add.key()),
                        add.amount(),
                        Reason.NOT_AN_INTEGER,
                        sum -> keepingTime(bucket, add.key(), sum));
            case Command.AddDecimal add -> {
                ReplyRoom ofSum = room.get();
                yield Sums.addDecimal(bucket.get(add.key()), add.amount(), Reason.NOT_A_NUMBER, sum -> {
                    ofSum.take(sum);
                    keepingTime(bucket, add.key(), sum);
                });
            }
            case Command.SetValue set -> Values.set(bucket, set, room);
            case Command.TakeValue _ -> Values.take(bucket, room.get());
            case Command.DropEqual drop -> Values.dropEqual(bucket, drop.value());
            case Command.AddToValue add -> Values.add(bucket, add.amount());
            case Command.AddDecimalToValue add -> Values.addDecimal(bucket, add, room.get());
            case Command.WriteRange write -> Values.write(bucket, write, limits);
            case Command.SetValueUntil set -> Values.set(bucket, set, room);
            case Command.GetValueAndExpire get -> ExpiryCommands.getAndExpire(bucket, get, room.get());
            case Command.Expire expire -> ExpiryCommands.expire(bucket, expire);
            case Command.ExpireKeys expire -> ExpiryCommands.expire(bucket, expire);
            case Command.GetAllAndExpire get -> ExpiryCommands.getAndExpire(bucket, get, room.get());
            case Command.SetAllUntil set -> ExpiryCommands.setAll(bucket, set);
            case Command.TakeAll take -> ExpiryCommands.takeAll(bucket, take.keys(), room.get());
            case Command.Drop _ -> {
                boolean counts = bucket.size() > 0;
                bucket.drop();
                yield counts ? ONE : NOTHING;
            }
        };
    }

    /** Sets a key that expires when the one before it did. */
    private static void keepingTime(Edit bucket, Bytes key, Bytes value) {
        boolean _ = bucket.set(key, value, bucket.until(key));
    }

    private static Reply setAll(Edit bucket, Command.SetAll set) {
        long added = 0;
        for (int i = 0; i < set.pairs().size(); i += 2) {
            Bytes key = set.pairs().get(i);
            if (!set.onlyAbsent() || bucket.get(key) == null) {
                added += bucket.set(key, set.pairs().get(i + 1), 0) ? 1 : 0;
            }
        }
        return new Reply.Amount(added);
    }
}
