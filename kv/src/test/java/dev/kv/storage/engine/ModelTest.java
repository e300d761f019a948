package dev.kv.storage.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Reply;
import dev.kv.storage.format.Layout;
import dev.kv.storage.log.Refused;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.Function;

/** Buckets and values that do not expire. */
class ModelTest extends RandomCommands {
    private static final int BUCKETS = 24;

    /** Of the first half of the buckets; the others have two at most, and most of the time one. */
    private static final int KEYS = 400;

    /** The expected content of a bucket, or a value under an empty key. */
    private static final class Expected {
        private final Map<Bytes, Bytes> values = new TreeMap<>();
        private boolean isKept;
        private boolean isValue;

        static Expected ofValue(Bytes value) {
            Expected expected = new Expected();
            expected.isValue = true;
            expected.values.put(Bytes.EMPTY, value);
            return expected;
        }

        /** The name in its records, and the bytes of the records that gave it another one; null if there are none. */
        private Bytes recordName;

        private long leftCost;
        private long publishedCost;

        boolean exists() {
            return isKept || !values.isEmpty();
        }

        void published(Bytes name, Bytes nameInRecords, boolean leaves) {
            recordName = nameInRecords;
            long cost = Layout.recordCost(name.size()) + Layout.fieldLength(recordName.size(), 0);
            if (leaves) {
                leftCost = cost;
            } else {
                publishedCost = cost;
            }
        }
    }

    private final Map<Bytes, Expected> model = new TreeMap<>();

    @Override
    void forget() {
        model.clear();
    }

    @Override
    void change() throws Refused {
        model.values().removeIf(expected -> !expected.exists());
        Bytes name = Bytes.of("bucket-" + random.nextInt(BUCKETS));
        Expected expected = model.computeIfAbsent(name, _ -> new Expected());
        int what = random.nextInt(1000);
        if (what == 0) {
            edit(name, Edit::drop);
            model.remove(name);
        } else if (what < 100 && random.nextInt(3) > 0) {
            changeValue(name, expected);
        } else if (expected.isValue) {
            useValue(name, expected);
        } else if (what < 20) {
            edit(name, Edit::keep);
            expected.isKept = true;
        } else if (what < 60) {
            // In one change, sometimes with a new bucket in the place of the old one.
            boolean drops = random.nextInt(20) == 0;
            Map<Bytes, Bytes> sets = new TreeMap<>();
            List<Bytes> deletes = new ArrayList<>();
            for (int i = random.nextInt(20); i >= 0; i--) {
                sets.put(key(name), value());
                deletes.add(key(name));
            }
            edit(name, bucket -> {
                if (drops) {
                    bucket.drop();
                }
                deletes.forEach(bucket::delete);
                sets.forEach(bucket::set);
            });
            if (drops) {
                expected = new Expected();
                model.put(name, expected);
            }
            deletes.forEach(expected.values::remove);
            expected.values.putAll(sets);
        } else if (what < 65) {
            rename(name, Bytes.of("bucket-" + random.nextInt(BUCKETS)));
        } else if (what < 70) {
            fillAndPublish(name);
        } else if (what < 500) {
            Bytes key = key(name);
            Bytes value = value();
            edit(name, bucket -> bucket.set(key, value));
            expected.values.put(key, value);
        } else if (what < 750) {
            Bytes key = key(name);
            edit(name, bucket -> bucket.delete(key));
            expected.values.remove(key);
        } else {
            Bytes key = key(name);
            Bytes value = expected.values.get(key);
            Reply reply = get(name, key);
            assertThat(reply)
                    .isEqualTo(
                            value != null
                                    ? new Reply.Value(value)
                                    : expected.exists() ? Reply.ABSENT : Reply.NOT_FOUND);
        }
    }

    /** Sets a value, in the place of what there is; sometimes a bucket in the place of a value, or the other way round, in one change. */
    private void changeValue(Bytes name, Expected expected) throws Refused {
        Bytes value = value();
        boolean becomesBucket = random.nextInt(4) == 0;
        edit(name, bucket -> {
            if (random.nextInt(4) == 0) {
                // Nothing is left of it.
                bucket.setValue(Bytes.of("before"));
            } else if (!expected.isValue && random.nextInt(4) == 0) {
                expected.values.keySet().forEach(bucket::delete);
            }
            if (becomesBucket) {
                bucket.drop();
                bucket.set(Bytes.of("key-0"), value);
            } else {
                bucket.setValue(value);
            }
        });
        if (becomesBucket) {
            Expected bucket = new Expected();
            bucket.values.put(Bytes.of("key-0"), value);
            model.put(name, bucket);
        } else {
            model.put(name, Expected.ofValue(value));
        }
    }

    private void useValue(Bytes name, Expected expected) throws Refused {
        switch (random.nextInt(20)) {
            case 0 -> {
                edit(name, Edit::drop);
                model.remove(name);
            }
            case 1 -> rename(name, Bytes.of("bucket-" + random.nextInt(BUCKETS)));
            case 2 -> fillAndPublish(name);
            default -> {
                assertThat(get(name, key(name))).isEqualTo(Commands.WRONG_TYPE);
                assertThat(getValue(name)).isEqualTo(expected.values.get(Bytes.EMPTY));
            }
        }
    }

    private Bytes getValue(Bytes name) throws Refused {
        Reply reply;
        try {
            reply = storage.buckets().get(0, name);
        } catch (Turn.TooMuch large) {
            reply = read(name, value -> new Reply.Value(value.get(View.VALUE)));
        }
        return ((Reply.Value) reply).value();
    }

    private void rename(Bytes name, Bytes other) throws Refused {
        Expected expected = model.get(name);
        boolean isRenamed = storage.buckets().publisher().rename(0, name, other, (from, to) -> {
            assertThat(from.size()).isEqualTo(expected.values.size());
            assertThat(to.exists())
                    .isEqualTo(model.getOrDefault(other, new Expected()).exists());
            return from.exists();
        });
        assertThat(isRenamed).isEqualTo(expected.exists() && !name.equals(other));
        if (isRenamed) {
            boolean leaves = expected.recordName == null;
            if (!leaves || !expected.isValue) {
                expected.published(other, leaves ? name : expected.recordName, leaves);
            }
            model.put(other, expected);
            model.remove(name);
        }
    }

    /** A hidden bucket is filled and takes the place of the old one, or is abandoned half-way. */
    private void fillAndPublish(Bytes name) throws Refused {
        Bucket hidden = storage.buckets().publisher().hidden(name);
        Expected filled = new Expected();
        if (random.nextInt(3) == 0) {
            filled = Expected.ofValue(value());
            Bytes value = filled.values.get(Bytes.EMPTY);
            storage.buckets().publisher().fill(hidden, bucket -> bucket.setValue(value));
        } else {
            fill(hidden, filled, name);
        }
        switch (random.nextInt(4)) {
            case 0 -> storage.buckets().publisher().abandon(hidden);
            case 1 -> {
                assertThat(storage.buckets().publisher().publish(0, hidden, _ -> false))
                        .isFalse();
                storage.buckets().publisher().abandon(hidden);
            }
            default -> {
                assertThat(storage.buckets().publisher().publish(0, hidden, _ -> true))
                        .isTrue();
                if (filled.exists()) {
                    filled.published(name, name, false);
                }
                model.put(name, filled);
            }
        }
    }

    private void fill(Bucket hidden, Expected filled, Bytes name) throws Refused {
        for (int turn = random.nextInt(4); turn > 0; turn--) {
            Map<Bytes, Bytes> sets = new TreeMap<>();
            for (int i = 0; i < 5; i++) {
                sets.put(key(name), value());
            }
            storage.buckets().publisher().fill(hidden, bucket -> sets.forEach(bucket::set));
            filled.values.putAll(sets);
        }
        if (random.nextInt(3) == 0) {
            storage.buckets().publisher().fill(hidden, Edit::keep);
            filled.isKept = true;
        }
    }

    private void edit(Bytes name, Consumer<Edit> change) throws Refused {
        Function<Edit, Reply> command = bucket -> {
            change.accept(bucket);
            return Reply.OK;
        };
        try {
            storage.buckets().edit(0, name, command);
        } catch (Turn.TooMuch large) {
            try (LargeChange largeChange = storage.buckets().beginLarge(0, name)) {
                largeChange.lane().enter();
                largeChange.run(command, () -> false);
                assertThat(new Lanes(storage.buckets().table(), new WaitLimits(0).queue(0)).end(largeChange.lane()))
                        .isTrue();
            }
        }
    }

    private Reply read(Bytes name, Function<View, Reply> command) throws Refused {
        try {
            return storage.buckets().read(0, name, command);
        } catch (Turn.TooMuch large) {
            try (Frozen frozen = storage.buckets().frozen(0, name)) {
                return command.apply(frozen.view());
            }
        }
    }

    private Reply get(Bytes name, Bytes key) throws Refused {
        try {
            return storage.buckets().get(0, name, key);
        } catch (Turn.TooMuch large) {
            return read(name, bucket -> new Reply.Value(bucket.get(key)));
        }
    }

    private Bytes key(Bytes bucket) {
        boolean hasMany = Integer.parseInt(bucket.text().substring("bucket-".length())) < BUCKETS / 2;
        return Bytes.of("key-" + random.nextInt(hasMany ? KEYS : 2));
    }

    @Override
    void check() throws Refused {
        // A renamed bucket that went with its last key needs no publish record any more.
        model.values().removeIf(expected -> !expected.exists());
        long bytes = 0;
        for (int i = 0; i < BUCKETS; i++) {
            Bytes name = Bytes.of("bucket-" + i);
            Expected expected = model.getOrDefault(name, new Expected());
            Map<Bytes, Bytes> found = new TreeMap<>();
            List<Long> positions = new ArrayList<>();
            read(name, bucket -> {
                found.clear();
                positions.clear();
                assertThat(bucket.isKept()).isEqualTo(expected.isKept);
                assertThat(bucket.isValue()).isEqualTo(expected.isValue);
                assertThat(bucket.size()).isEqualTo(expected.values.size());
                bucket.forEach(0, (position, key, value) -> {
                    found.put(key, value);
                    positions.add(position);
                    return true;
                });
                return Reply.OK;
            });
            assertThat(found).isEqualTo(expected.values);
            assertThat(positions).isSorted().hasSameSizeAs(expected.values.keySet());
            int nameBytes = (expected.recordName == null ? name : expected.recordName).size();
            for (Map.Entry<Bytes, Bytes> entry : expected.values.entrySet()) {
                bytes += Layout.fieldCost(
                        nameBytes, entry.getKey().size(), entry.getValue().size());
            }
            bytes += expected.isKept ? Layout.recordCost(nameBytes) : 0;
            bytes += expected.leftCost + expected.publishedCost;
        }
        assertThat(storage.log().liveBytes().get()).isEqualTo(bytes);
        List<Bytes> names = new ArrayList<>();
        storage.forEachBucket((name, _) -> names.add(name));
        assertThat(names).containsExactlyInAnyOrderElementsOf(model.keySet());
        assertThat(storage.buckets().table().keys())
                .isEqualTo(model.values().stream()
                        .filter(expected -> !expected.isValue)
                        .mapToLong(expected -> expected.values.size())
                        .sum());
        assertThat(storage.buckets().table().filled())
                .isEqualTo(model.values().stream()
                        .filter(expected -> !expected.values.isEmpty())
                        .count());
    }
}
