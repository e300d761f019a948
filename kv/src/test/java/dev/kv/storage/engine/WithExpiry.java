package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Expiry;
import dev.kv.router.Held;
import dev.kv.router.NameSpace;
import dev.kv.router.Reply;
import java.util.List;

/** For tests of what expires, at times that they choose: far behind the clock of the machine, by which the storage cleans. */
abstract class WithExpiry extends WithStorage {
    static final long NOW = 4_000_000_000_000L;
    static final Bytes B = Bytes.of("bucket");
    static final Bytes V = Bytes.of("value");
    static final Bytes K = Bytes.of("key");
    static final Bytes ONE = Bytes.of("1");

    final Reply runAt(long millis, Command command) {
        return Held.flat(storage.run(command, millis).toCompletableFuture().join());
    }

    static Command set(Bytes name, Bytes value, long until) {
        Command.SetValue set = new Command.SetValue(name, value, Command.Condition.ALWAYS, false);
        return until == 0 ? set : new Command.SetValueUntil(set, new Expiry.At(until));
    }

    static Command setKey(Bytes bucket, Bytes key, Bytes value, long until) {
        return until == 0
                ? new Command.SetAll(bucket, List.of(key, value), false)
                : new Command.SetAllUntil(
                        bucket, List.of(key, value), Command.KeysCondition.ALWAYS, new Expiry.At(until));
    }

    static Command expire(Bytes name, long until) {
        return new Command.Expire(name, new Expiry.At(until), Expiry.Condition.ALWAYS);
    }

    static Reply amount(long amount) {
        return new Reply.Amount(amount);
    }

    final List<Bytes> namesAt(long millis) {
        Reply names = runAt(millis, new Command.Names(NameSpace.ALL, 0, Bytes.of("*"), 1_000));
        return ((Reply.Names) names).names().stream().map(Reply.Name::bucket).toList();
    }
}
