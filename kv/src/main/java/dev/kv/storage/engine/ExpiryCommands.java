package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Expiry;
import dev.kv.router.Reply;
import java.util.ArrayList;
import java.util.List;

/** What the commands on times of expiry read and change, of names and of keys. */
final class ExpiryCommands {
    private static final Reply NOTHING = new Reply.Amount(Command.ExpiryOf.NOTHING);
    private static final Reply REMOVED = new Reply.Amount(Command.ExpireKeys.REMOVED);

    private ExpiryCommands() {}

    /**
     * The time that an expiry comes to, as {@link Edit#set} takes it.
     *
     * @param before the time before; 0 if there is none
     */
    static long until(Edit name, Expiry expiry, long before) {
        long millis = millis(name, expiry, before);
        return millis == Expiry.NEVER ? 0 : Math.max(1, millis);
    }

    private static long millis(Edit name, Expiry expiry, long before) {
        return expiry.millis(name.nowMillis(), told(before));
    }

    /** A time as commands and replies have it. */
    private static long told(long until) {
        return until == 0 ? Expiry.NEVER : until;
    }

    static Reply tell(View name) {
        return name.size() == 0 ? NOTHING : new Reply.Amount(told(name.until()));
    }

    static Reply tell(View bucket, List<Bytes> keys) {
        List<Reply> replies = new ArrayList<>(keys.size());
        for (Bytes key : keys) {
            replies.add(exists(bucket, key) ? new Reply.Amount(told(bucket.until(key))) : NOTHING);
        }
        return new Reply.Many(replies);
    }

    private static boolean exists(View bucket, Bytes key) {
        return bucket.valueBytes(key) != View.ABSENT;
    }

    static Reply expire(Edit name, Command.Expire expire) {
        if (name.size() == 0) {
            return Writes.NOTHING;
        }
        long before = name.until();
        if (!expire.condition().holds(told(before), millis(name, expire.expiry(), before))) {
            return Writes.NOTHING;
        }
        expire(name, expire.expiry(), before);
        return Writes.ONE;
    }

    private static void expire(Edit name, Expiry expiry, long before) {
        long after = until(name, expiry, before);
        if (after != before) {
            name.expire(after);
        }
    }

    static Reply expire(Edit bucket, Command.ExpireKeys expire) {
        List<Reply> replies = new ArrayList<>(expire.keys().size());
        for (Bytes key : expire.keys()) {
            replies.add(expire(bucket, key, expire));
        }
        return new Reply.Many(replies);
    }

    private static Reply expire(Edit bucket, Bytes key, Command.ExpireKeys expire) {
        if (!exists(bucket, key)) {
            return NOTHING;
        }
        long before = bucket.until(key);
        if (!expire.condition().holds(told(before), millis(bucket, expire.expiry(), before))) {
            return Writes.NOTHING;
        }
        return expire(bucket, key, expire.expiry(), before) ? Writes.ONE : REMOVED;
    }

    /** Changes when a key expires that exists; returns whether it still does. */
    private static boolean expire(Edit bucket, Bytes key, Expiry expiry, long before) {
        long after = until(bucket, expiry, before);
        if (after != before) {
            boolean _ = bucket.set(key, bucket.get(key), after);
        }
        return after == before || exists(bucket, key);
    }

    static Reply getAndExpire(Edit name, Command.GetValueAndExpire get, ReplyRoom room) {
        if (!name.isValue()) {
            return Reply.ABSENT;
        }
        Reply value = Reads.read(name, View.VALUE, room);
        expire(name, get.expiry(), name.until());
        return value;
    }

    static Reply getAndExpire(Edit bucket, Command.GetAllAndExpire get, ReplyRoom room) {
        return Reads.many(get.keys(), key -> {
            Reply value = Reads.read(bucket, key, room);
            if (!value.equals(Reply.ABSENT)) {
                boolean _ = expire(bucket, key, get.expiry(), bucket.until(key));
            }
            return value;
        });
    }

    static Reply setAll(Edit bucket, Command.SetAllUntil set) {
        for (int i = 0; i < set.pairs().size(); i += 2) {
            Bytes key = set.pairs().get(i);
            boolean holds = switch (set.condition()) {
                case ALWAYS -> true;
                case ALL_ABSENT -> !exists(bucket, key);
                case ALL_PRESENT -> exists(bucket, key);
            };
            if (!holds) {
                return Writes.NOTHING;
            }
        }
        for (int i = 0; i < set.pairs().size(); i += 2) {
            Bytes key = set.pairs().get(i);
            long before = set.expiry() instanceof Expiry.Kept ? bucket.until(key) : 0;
            boolean _ = bucket.set(key, set.pairs().get(i + 1), until(bucket, set.expiry(), before));
        }
        return Writes.ONE;
    }

    static Reply takeAll(Edit bucket, List<Bytes> keys, ReplyRoom room) {
        return Reads.many(keys, key -> {
            Reply value = Reads.read(bucket, key, room);
            boolean _ = bucket.delete(key);
            return value;
        });
    }
}
