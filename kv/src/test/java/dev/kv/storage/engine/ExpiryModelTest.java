package dev.kv.storage.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Expiry;
import dev.kv.router.Kind;
import dev.kv.router.NameSpace;
import dev.kv.router.Reply;
import dev.kv.storage.format.Layout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * Names and keys that expire, at times that the test chooses: the clock goes on, and is sometimes set back. It is over 400 lines, as each
 * command stands here with what it does to the plain maps.
 */
class ExpiryModelTest extends RandomCommands {
    private static final int NAMES = 24;

    /** Of the first half of the names; the others have two at most. */
    private static final int KEYS = 100;

    /** Far behind the clock of the machine, by which the storage cleans. */
    private static final long START_MILLIS = 4_000_000_000_000L;

    private record Entry(Bytes value, long until) {}

    /** What a name holds; a value is under the empty key. */
    private static final class Expected {
        private final Map<Bytes, Entry> keys = new TreeMap<>();
        private boolean isKept;
        private boolean isValue;

        /** When the bucket expires; 0 if it does not, or is a value. */
        private long until;

        private boolean hasExpireRecord;

        /** The name in its records, and the bytes of the records that gave it another one; null if there are none. */
        private Bytes recordName;

        private long leftCost;
        private long publishedCost;

        boolean isVain() {
            return keys.isEmpty() && !isKept;
        }

        long until() {
            return isValue ? keys.get(Bytes.EMPTY).until() : until;
        }

        void published(Bytes name, Bytes nameInRecords) {
            boolean leaves = recordName == null;
            recordName = leaves ? nameInRecords : recordName;
            long cost = Layout.recordCost(name.size()) + Layout.fieldLength(recordName.size(), 0);
            if (leaves) {
                leftCost = cost;
            } else {
                publishedCost = cost;
            }
        }
    }

    private final Map<Bytes, Expected> model = new TreeMap<>();
    private long clock;

    /** The time by which the command runs that is run now. */
    private long now;

    @Override
    void forget() {
        model.clear();
        clock = START_MILLIS;
    }

    @Override
    void disturb() throws Exception {
        long seen = storage.log().seenTime().millis();
        switch (random.nextInt(8)) {
            case 0 -> storage.clean(clock);
            case 1 -> {
                // All that is gone is told as gone. What nobody was told of may be there again.
                check();
                clock -= random.nextInt(10_000);
            }
            case 2 -> clock += random.nextInt(5_000);
            default -> super.disturb();
        }
        assertThat(storage.log().seenTime().millis()).isGreaterThanOrEqualTo(seen);
    }

    private Reply run(Command command) {
        return storage.run(command, clock).toCompletableFuture().join();
    }

    /** What a name holds as the next command sees it; in the model from now on, if there is nothing yet. */
    private Expected touch(Bytes name) {
        now = Math.max(clock, storage.log().seenTime().millis());
        Expected expected = model.get(name);
        if (expected != null && isPast(expected.until)) {
            model.remove(name);
        } else if (expected != null) {
            expected.keys.values().removeIf(entry -> isPast(entry.until()));
            if (expected.isVain()) {
                model.remove(name);
            }
        }
        return model.computeIfAbsent(name, _ -> new Expected());
    }

    private boolean isPast(long until) {
        return until != 0 && until <= now;
    }

    @Override
    void change() {
        clock += random.nextInt(20) == 0 ? random.nextInt(100) : 0;
        model.values().removeIf(Expected::isVain);
        Bytes name = Bytes.of("name-" + random.nextInt(NAMES));
        Expected expected = touch(name);
        switch (random.nextInt(44)) {
            case 0 -> {
                assertThat(run(new Command.Drop(name))).isEqualTo(amount(expected.keys.isEmpty() ? 0 : 1));
                model.remove(name);
            }
            case 1 -> {
                Reply reply = run(new Command.Create(name));
                expected.isKept |= !expected.isValue;
                assertThat(reply).isEqualTo(expected.isValue ? Commands.WRONG_TYPE : Reply.OK);
            }
            case 2, 3, 4 -> {
                Bytes value = value();
                Command.SetValue set = new Command.SetValue(name, value, Command.Condition.ALWAYS, false);
                assertThat(run(set)).isEqualTo(Reply.OK);
                setValue(name, expected, value, 0);
            }
            case 5, 6, 7, 8, 9 -> setValueUntil(name, expected);
            case 10, 11, 12 -> expire(name, expected);
            case 13 -> rename(name, expected);
            case 14 -> append(name, expected);
            case 15 -> getAndExpire(name, expected);
            case 16 -> inOneBatch(name, expected);
            case 17, 18, 19, 20, 21, 22 -> setKeys(name, expected);
            case 23, 24, 25, 26, 27, 28 -> setKeysUntil(name, expected);
            case 29, 30, 31 -> expireKeys(name, expected);
            case 32, 33, 34, 35 -> deleteKeys(name, expected);
            case 36 -> takeKeys(name, expected);
            case 37 -> takeValue(name, expected);
            case 38, 39 -> copy(name, expected);
            default -> get(name, expected);
        }
    }

    private static Reply amount(long amount) {
        return new Reply.Amount(amount);
    }

    /** What a time comes to in the model: 0 for none. */
    private long until(Expiry expiry, long before) {
        long millis = expiry.millis(now, before == 0 ? Expiry.NEVER : before);
        return millis == Expiry.NEVER ? 0 : Math.max(1, millis);
    }

    private Expiry expiry() {
        return switch (random.nextInt(8)) {
            case 0 -> Expiry.NONE;
            case 1 -> new Expiry.At(clock + random.nextInt(1_000));
            case 2 -> new Expiry.At(clock - random.nextInt(1_000));
            case 3 -> new Expiry.In(100_000);
            default -> new Expiry.In(random.nextInt(2_000));
        };
    }

    private void setValue(Bytes name, Expected before, Bytes value, long until) {
        if (isPast(until)) {
            model.remove(name);
            return;
        }
        Expected after = before;
        if (!before.isValue || before.recordName != null) {
            after = new Expected();
            after.isValue = true;
            model.put(name, after);
        }
        after.keys.put(Bytes.EMPTY, new Entry(value, until));
    }

    private void setValueUntil(Bytes name, Expected expected) {
        Bytes value = value();
        Expiry expiry = random.nextInt(3) == 0 ? Expiry.KEPT : expiry();
        long before = expected.keys.isEmpty() ? 0 : expected.until();
        Command.SetValue set = new Command.SetValue(name, value, Command.Condition.ALWAYS, false);
        assertThat(run(new Command.SetValueUntil(set, expiry))).isEqualTo(Reply.OK);
        setValue(name, expected, value, until(expiry, before));
    }

    private void expire(Bytes name, Expected expected) {
        Expiry expiry = expiry();
        Expiry.Condition[] all = Expiry.Condition.values();
        Expiry.Condition condition = all[random.nextInt(all.length)];
        boolean isDone = !expected.keys.isEmpty() && holds(condition, expected.until(), expiry);
        assertThat(run(new Command.Expire(name, expiry, condition))).isEqualTo(amount(isDone ? 1 : 0));
        if (isDone) {
            expire(name, expected, until(expiry, expected.until()));
        }
    }

    private boolean holds(Expiry.Condition condition, long before, Expiry expiry) {
        long told = before == 0 ? Expiry.NEVER : before;
        return condition.holds(told, expiry.millis(now, told));
    }

    private void expire(Bytes name, Expected expected, long until) {
        if (isPast(until)) {
            model.remove(name);
        } else if (expected.isValue) {
            expected.keys.compute(Bytes.EMPTY, (_, entry) -> new Entry(entry.value(), until));
        } else if (until != expected.until) {
            expected.until = until;
            expected.hasExpireRecord = true;
        }
    }

    private void getAndExpire(Bytes name, Expected expected) {
        Expiry expiry = expiry();
        Reply reply = run(new Command.GetValueAndExpire(name, expiry));
        if (!expected.isValue) {
            assertThat(reply).isEqualTo(expected.keys.isEmpty() ? Reply.ABSENT : Commands.WRONG_TYPE);
            return;
        }
        assertThat(reply)
                .isEqualTo(new Reply.Value(expected.keys.get(Bytes.EMPTY).value()));
        expire(name, expected, until(expiry, expected.until()));
    }

    private void append(Bytes name, Expected expected) {
        Reply reply = run(new Command.WriteRange(name, Command.WriteRange.END, Bytes.of("more")));
        if (!expected.isValue && !expected.keys.isEmpty()) {
            assertThat(reply).isEqualTo(Commands.WRONG_TYPE);
            return;
        }
        Entry before = expected.isValue ? expected.keys.get(Bytes.EMPTY) : new Entry(Bytes.EMPTY, 0);
        byte[] value = Arrays.copyOf(before.value().array(), before.value().size() + 4);
        System.arraycopy(Bytes.of("more").array(), 0, value, before.value().size(), 4);
        assertThat(reply).isEqualTo(amount(value.length));
        setValue(name, expected, Bytes.owning(value), before.until());
    }

    private void rename(Bytes name, Expected expected) {
        Bytes to = Bytes.of("name-" + random.nextInt(NAMES));
        boolean isDone = !expected.keys.isEmpty();
        assertThat(run(new Command.Rename(name, to))).isEqualTo(isDone ? Reply.OK : Reply.NOT_FOUND);
        if (!isDone || to.equals(name)) {
            return;
        }
        if (!expected.isValue || expected.recordName != null) {
            expected.published(to, name);
        }
        model.remove(name);
        model.put(to, expected);
    }

    private void copy(Bytes name, Expected expected) {
        Bytes to = Bytes.of("name-" + random.nextInt(NAMES));
        if (to.equals(name)) {
            return;
        }
        Expected before = touch(to);
        boolean replaces = random.nextBoolean();
        boolean isDone = !expected.keys.isEmpty() && (replaces || before.keys.isEmpty());
        assertThat(run(new Command.Copy(name, to, replaces))).isEqualTo(amount(isDone ? 1 : 0));
        if (isDone && expected.isValue) {
            Entry value = expected.keys.get(Bytes.EMPTY);
            setValue(to, before, value.value(), value.until());
        } else if (isDone) {
            Expected copy = new Expected();
            copy.keys.putAll(expected.keys);
            copy.isKept = expected.isKept;
            copy.until = expected.until;
            copy.hasExpireRecord = expected.until != 0;
            model.put(to, copy);
        }
        if (isDone && wasHidden(to)) {
            model.get(to).recordName = to;
            model.get(to).published(to, to);
        }
    }

    /** Whether a copy was large: then it was filled as a hidden bucket. */
    private boolean wasHidden(Bytes copy) {
        int hash = storage.buckets().table().hash(copy);
        Shard shard = storage.buckets().table().shard(hash);
        long stamp = shard.lock.readLock();
        try {
            return shard.names.find(hash, copy.array()).publication != null;
        } finally {
            shard.lock.unlockRead(stamp);
        }
    }

    /** It is deleted, set and expires in one change. */
    private void inOneBatch(Bytes name, Expected expected) {
        Bytes key = key(name);
        Bytes value = value();
        Expiry expiry = expiry();
        Command.SetAll set = new Command.SetAll(name, List.of(key, value), false);
        Command.Expire expire = new Command.Expire(name, expiry, Expiry.Condition.ALWAYS);
        boolean drops = random.nextBoolean() || expected.isValue;
        Command.Batch batch =
                new Command.Batch(name, drops ? List.of(new Command.Drop(name), set, expire) : List.of(set, expire));
        Reply.Many replies = (Reply.Many) run(batch);
        assertThat(replies.replies()).doesNotContain(Commands.WRONG_TYPE);
        Expected after = drops ? new Expected() : expected;
        model.put(name, after);
        after.keys.put(key, new Entry(value, 0));
        expire(name, after, until(expiry, after.until));
    }

    private void setKeys(Bytes name, Expected expected) {
        Map<Bytes, Bytes> pairs = pairs(name);
        Reply reply = run(new Command.SetAll(name, flat(pairs), false));
        if (expected.isValue) {
            assertThat(reply).isEqualTo(Commands.WRONG_TYPE);
            return;
        }
        assertThat(reply)
                .isEqualTo(amount(pairs.keySet().stream()
                        .filter(key -> !expected.keys.containsKey(key))
                        .count()));
        pairs.forEach((key, value) -> expected.keys.put(key, new Entry(value, 0)));
    }

    private void setKeysUntil(Bytes name, Expected expected) {
        Map<Bytes, Bytes> pairs = pairs(name);
        Expiry expiry = random.nextInt(4) == 0 ? Expiry.KEPT : expiry();
        Command.KeysCondition[] all = Command.KeysCondition.values();
        Command.KeysCondition condition = all[random.nextInt(all.length)];
        boolean holds = switch (condition) {
            case ALWAYS -> true;
            case ALL_ABSENT -> pairs.keySet().stream().noneMatch(expected.keys::containsKey);
            case ALL_PRESENT -> expected.keys.keySet().containsAll(pairs.keySet());
        };
        Reply reply = run(new Command.SetAllUntil(name, flat(pairs), condition, expiry));
        if (expected.isValue) {
            assertThat(reply).isEqualTo(Commands.WRONG_TYPE);
            return;
        }
        assertThat(reply).isEqualTo(amount(holds ? 1 : 0));
        if (holds) {
            pairs.forEach((key, value) -> {
                Entry before = expected.keys.get(key);
                put(expected, key, value, until(expiry, before == null ? 0 : before.until()));
            });
        }
    }

    private void put(Expected expected, Bytes key, Bytes value, long until) {
        if (isPast(until)) {
            expected.keys.remove(key);
        } else {
            expected.keys.put(key, new Entry(value, until));
        }
    }

    private void expireKeys(Bytes name, Expected expected) {
        List<Bytes> keys = List.copyOf(pairs(name).keySet());
        Expiry expiry = expiry();
        Expiry.Condition[] all = Expiry.Condition.values();
        Expiry.Condition condition = all[random.nextInt(all.length)];
        Reply reply = run(new Command.ExpireKeys(name, keys, expiry, condition));
        if (expected.isValue) {
            assertThat(reply).isEqualTo(Commands.WRONG_TYPE);
            return;
        }
        List<Reply> replies = new ArrayList<>();
        for (Bytes key : keys) {
            Entry before = expected.keys.get(key);
            if (before == null) {
                replies.add(amount(Command.ExpiryOf.NOTHING));
            } else if (!holds(condition, before.until(), expiry)) {
                replies.add(amount(0));
            } else {
                put(expected, key, before.value(), until(expiry, before.until()));
                replies.add(amount(expected.keys.containsKey(key) ? 1 : Command.ExpireKeys.REMOVED));
            }
        }
        assertThat(reply).isEqualTo(new Reply.Many(replies));
    }

    private void deleteKeys(Bytes name, Expected expected) {
        List<Bytes> keys = List.copyOf(pairs(name).keySet());
        Reply reply = run(new Command.DeleteAll(name, keys));
        if (expected.isValue) {
            assertThat(reply).isEqualTo(Commands.WRONG_TYPE);
            return;
        }
        assertThat(reply)
                .isEqualTo(
                        amount(keys.stream().filter(expected.keys::containsKey).count()));
        keys.forEach(expected.keys::remove);
    }

    private void takeKeys(Bytes name, Expected expected) {
        List<Bytes> keys = List.copyOf(pairs(name).keySet());
        Reply reply = run(new Command.TakeAll(name, keys));
        if (expected.isValue) {
            assertThat(reply).isEqualTo(Commands.WRONG_TYPE);
            return;
        }
        List<Reply> replies = new ArrayList<>();
        for (Bytes key : keys) {
            Entry before = expected.keys.remove(key);
            replies.add(before == null ? Reply.ABSENT : new Reply.Value(before.value()));
        }
        assertThat(reply).isEqualTo(new Reply.Many(replies));
    }

    private void takeValue(Bytes name, Expected expected) {
        Reply reply = run(new Command.TakeValue(name));
        if (expected.isValue) {
            assertThat(reply)
                    .isEqualTo(new Reply.Value(expected.keys.get(Bytes.EMPTY).value()));
            model.remove(name);
        } else {
            assertThat(reply).isEqualTo(expected.keys.isEmpty() ? Reply.ABSENT : Commands.WRONG_TYPE);
        }
    }

    private void get(Bytes name, Expected expected) {
        Bytes key = key(name);
        Entry entry = expected.keys.get(key);
        Reply ofKey =
                entry != null ? new Reply.Value(entry.value()) : expected.isVain() ? Reply.NOT_FOUND : Reply.ABSENT;
        assertThat(run(new Command.Get(name, key))).isEqualTo(expected.isValue ? Commands.WRONG_TYPE : ofKey);
        Reply ofValue = expected.keys.isEmpty() ? Reply.ABSENT : Commands.WRONG_TYPE;
        assertThat(run(new Command.GetValue(name)))
                .isEqualTo(
                        expected.isValue
                                ? new Reply.Value(expected.keys.get(Bytes.EMPTY).value())
                                : ofValue);
        assertThat(run(new Command.ExpiryOf(name)))
                .isEqualTo(amount(
                        expected.keys.isEmpty()
                                ? Command.ExpiryOf.NOTHING
                                : expected.until() == 0 ? Expiry.NEVER : expected.until()));
    }

    private Map<Bytes, Bytes> pairs(Bytes name) {
        Map<Bytes, Bytes> pairs = new TreeMap<>();
        for (int i = random.nextInt(random.nextInt(10) == 0 ? 30 : 3); i >= 0; i--) {
            pairs.put(key(name), value());
        }
        return pairs;
    }

    private static List<Bytes> flat(Map<Bytes, Bytes> pairs) {
        return pairs.entrySet().stream()
                .flatMap(pair -> Stream.of(pair.getKey(), pair.getValue()))
                .toList();
    }

    private Bytes key(Bytes name) {
        boolean hasMany = Integer.parseInt(name.text().substring("name-".length())) < NAMES / 2;
        return Bytes.of("key-" + random.nextInt(hasMany ? KEYS : 2));
    }

    @Override
    void check() {
        List<Bytes> filled = new ArrayList<>();
        for (int i = 0; i < NAMES; i++) {
            Bytes name = Bytes.of("name-" + i);
            Expected expected = touch(name);
            check(name, expected);
            if (!expected.keys.isEmpty()) {
                filled.add(name);
            }
        }
        Reply.Names names = (Reply.Names) run(new Command.Names(NameSpace.ALL, 0, Bytes.of("*"), 1_000));
        assertThat(names.names().stream().map(Reply.Name::bucket).toList()).containsExactlyInAnyOrderElementsOf(filled);
        storage.clean(clock);
        model.values().removeIf(Expected::isVain);
        checkCounts(filled.size());
    }

    private void check(Bytes name, Expected expected) {
        get(name, expected);
        Reply kind =
                expected.keys.isEmpty() ? Reply.ABSENT : new Reply.OfKind(expected.isValue ? Kind.VALUE : Kind.BUCKET);
        assertThat(run(new Command.KindOf(name))).isEqualTo(kind);
        if (expected.isValue) {
            return;
        }
        long size = ((Reply.Amount) run(new Command.Size(name))).value();
        assertThat(size).isGreaterThanOrEqualTo(expected.keys.size());
        assertThat(size > 0).isEqualTo(!expected.keys.isEmpty());
        List<Bytes> drawn = ((Reply.Values) run(new Command.Sample(name, 10, Command.Part.KEYS))).values();
        assertThat(drawn).hasSize(Math.min(10, expected.keys.size())).isSubsetOf(expected.keys.keySet());
        Map<Bytes, Entry> found = new TreeMap<>();
        List<Bytes> pairs = ((Reply.Values) run(new Command.Content(name, Command.Part.PAIRS))).values();
        for (int i = 0; i < pairs.size(); i += 2) {
            Reply.Many until = (Reply.Many) run(new Command.ExpiriesOfKeys(name, List.of(pairs.get(i))));
            long millis = ((Reply.Amount) until.replies().getFirst()).value();
            found.put(pairs.get(i), new Entry(pairs.get(i + 1), millis == Expiry.NEVER ? 0 : millis));
        }
        assertThat(found).isEqualTo(expected.keys);
    }

    /** After all that has expired was removed. */
    private void checkCounts(int filled) {
        long bytes = 0;
        for (Map.Entry<Bytes, Expected> each : model.entrySet()) {
            Expected expected = each.getValue();
            int nameBytes = (expected.recordName == null ? each.getKey() : expected.recordName).size();
            for (Map.Entry<Bytes, Entry> key : expected.keys.entrySet()) {
                int time = key.getValue().until() == 0 ? 0 : Layout.TIME_BYTES;
                int valueBytes = key.getValue().value().size() + time;
                bytes += Layout.fieldCost(nameBytes, key.getKey().size(), valueBytes);
            }
            bytes += expected.isKept ? Layout.recordCost(nameBytes) : 0;
            bytes += expected.hasExpireRecord ? Layout.fieldCost(nameBytes, 0, Layout.TIME_BYTES) : 0;
            bytes += expected.leftCost + expected.publishedCost;
        }
        assertThat(storage.log().liveBytes().get()).isEqualTo(bytes);
        assertThat(run(new Command.Count(NameSpace.ALL))).isEqualTo(amount(filled));
        assertThat(storage.buckets().table().expiring())
                .isEqualTo(model.values().stream()
                        .filter(expected -> expected.until() != 0)
                        .count());
        assertThat(storage.buckets().table().keys())
                .isEqualTo(model.values().stream()
                        .filter(expected -> !expected.isValue)
                        .mapToLong(expected -> expected.keys.size())
                        .sum());
    }
}
