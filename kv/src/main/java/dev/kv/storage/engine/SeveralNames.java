package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.storage.log.Refused;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;

/** Commands on several names of this node under the locks of all their shards: transactions, and copies. Any thread. */
final class SeveralNames {
    private final BucketTable table;
    private final Changes changes;
    private final Turn.Limits limits;

    /**
     * @param limits what a command may touch, all of its names together
     */
    SeveralNames(BucketTable table, Changes changes, Turn.Limits limits) {
        this.table = table;
        this.changes = changes;
        this.limits = limits;
    }

    /**
     * The number by which {@link #run} tells whether the name has changed since.
     *
     * @param takenMillis when the first node took the command, in milliseconds since 1970; so for all methods
     * @throws Lanes.Busy if a large change of it is under way
     */
    long watch(long takenMillis, Bytes name) {
        int hash = table.hash(name);
        Shard shard = table.shard(hash);
        long stamp = shard.lock.writeLock();
        try {
            shard.check(name);
            Bucket there = shard.names.find(hash, name.array());
            return shard.watches()
                    .watch(hash, name.array(), table.fields().live().isTaken(there, now(takenMillis)));
        } finally {
            shard.lock.unlockWrite(stamp);
        }
    }

    /**
     * Runs commands as one change, unless a watched name has changed.
     *
     * @param command runs one of them on its name
     * @throws Refused if the change could not be written: nothing is changed then
     * @throws dev.kv.storage.log.NoRoomYet if it deletes, and has to wait for room on the disk: nothing is changed then
     * @throws Turn.TooMuch if it touches more than a turn: nothing is changed then
     * @throws Lanes.Busy if a large change of one of the names is under way
     */
    Reply run(long takenMillis, Command.Together together, BiFunction<Edit, Command, Reply> command) throws Refused {
        List<Bytes> names = together.names();
        new Turn(limits, 0).check(names.size(), 0);
        Map<Bytes, Change> all = HashMap.newHashMap(names.size());
        BucketTable.Locks locks = locked(names);
        try {
            Turn turn = new Turn(limits, now(takenMillis));
            for (Bytes name : names) {
                all.put(name, begin(name, turn));
            }
            for (Command.Watched watched : together.watched()) {
                Change name = all.get(watched.name());
                Watches watches = table.shard(name.hash()).watches();
                if (!watches.isSame(name.hash(), name.name(), watched.number(), name.size() > 0)) {
                    return Reply.ABSENT;
                }
            }
            Reply reply = Reads.many(together.commands(), each -> command.apply(all.get(each.bucket()), each));
            changes.commit(new ArrayList<>(all.values()));
            return reply;
        } catch (Refused | RuntimeException | Error e) {
            all.values().forEach(Change::releaseHeld);
            throw e;
        } finally {
            locks.unlock();
        }
    }

    /**
     * Copies what a name has.
     *
     * @throws Refused if the change could not be written: nothing is changed then
     * @throws Turn.TooMuch if it touches more than a turn: nothing is changed then
     * @throws Lanes.Busy if a large change of one of the names is under way
     */
    Reply copy(long takenMillis, Command.Copy copy) throws Refused {
        BucketTable.Locks locks = locked(copy.names());
        try {
            Turn turn = new Turn(limits, now(takenMillis));
            Change from = begin(copy.bucket(), turn);
            Change to = begin(copy.to(), turn);
            Reply reply = copy(from, to, copy.replaces());
            changes.commit(to);
            return reply;
        } finally {
            locks.unlock();
        }
    }

    private static Reply copy(View from, Edit to, boolean replaces) {
        if (from.size() == 0 || (to.size() > 0 && !replaces)) {
            return Writes.NOTHING;
        }
        long until = from.until();
        if (from.isValue()) {
            to.setValue(from.get(View.VALUE), until);
            return Writes.ONE;
        }
        from.checkAll();
        to.drop();
        if (from.isKept()) {
            to.keep();
        }
        from.forEach(0, (_, key, value) -> {
            boolean _ = to.set(key, value, from.until(key));
            return true;
        });
        if (until != 0) {
            to.expire(until);
        }
        return Writes.ONE;
    }

    /** See {@link Buckets#now}. */
    private long now(long takenMillis) {
        return table.fields().live().now(takenMillis);
    }

    private BucketTable.Locks locked(List<Bytes> names) {
        return table.lock(names.stream().mapToInt(table::hash).toArray());
    }

    /** Begins the change of a name under the lock of its shard. All changes of a command take from one turn. */
    private Change begin(Bytes name, Turn turn) {
        int hash = table.hash(name);
        Shard shard = table.shard(hash);
        shard.check(name);
        Bucket there = shard.names.find(hash, name.array());
        return new Change(table.fields(), turn).of(name.array(), hash, there);
    }
}
