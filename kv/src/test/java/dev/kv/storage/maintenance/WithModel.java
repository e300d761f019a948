package dev.kv.storage.maintenance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Expiry;
import dev.kv.router.Held;
import dev.kv.router.Reply;
import dev.kv.storage.DataFolder;
import dev.kv.storage.OpenStorage;
import dev.kv.storage.engine.Bucket;
import dev.kv.storage.engine.Edit;
import dev.kv.storage.format.Folder;
import dev.kv.storage.format.SegmentName;
import dev.kv.storage.log.Refused;
import dev.kv.storage.log.SeenTime;
import dev.kv.storage.log.Sync;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** A storage, and plain maps with the content that it should have at a time that goes on when the test says so. */
abstract class WithModel {
    static final long MIB = 1L << 20;
    static final int BUCKETS = 3;
    static final int KEYS = 40;
    static final int VALUES = 4;

    /** As {@code kv.router.reply-max} has it. */
    static final long REPLY_MAX_BYTES = 256L << 20;

    @TempDir
    Path folder;

    Path data;
    OpenStorage storage;
    final Map<String, Map<String, String>> model = new HashMap<>();

    /** What names hold that have a value or nothing, {@code value-0} and so on. */
    final Map<String, String> values = new HashMap<>();

    /** Buckets that are not kept: they are removed with their last key. */
    final Set<String> unkept = new HashSet<>();

    /** When buckets expire as a whole, those that do. */
    final Map<String, Long> untils = new HashMap<>();

    /** Far behind the clock of the machine, by which the storage cleans. */
    private long now = 4_000_000_000_000L;

    /** In a value, what stands before the time at which it expires. */
    private static final char UNTIL = '@';

    int number;

    @BeforeEach
    void open() throws IOException {
        data = folder.resolve("data");
        storage = open(data);
    }

    @AfterEach
    void close() {
        storage.stop(Duration.ZERO);
    }

    static OpenStorage open(Path data) throws IOException {
        return OpenStorage.open(
                DataFolder.settings(data, new Sync(false, Optional.of(Duration.ofMillis(10))), 0, MIB, DataFolder.PINS),
                DataFolder.limits(REPLY_MAX_BYTES),
                _ -> {});
    }

    void reopen(Path at) throws IOException {
        storage.stop(Duration.ZERO);
        data = at;
        storage = open(at);
    }

    /** A value, which may expire. */
    private String value(Random random) {
        String value = ++number + "x".repeat(random.nextInt(4_000));
        return random.nextInt(4) == 0 ? value + UNTIL + (now + random.nextInt(1, 2_000)) : value;
    }

    private static Expiry expiry(String value) {
        int at = value.indexOf(UNTIL);
        return at < 0 ? Expiry.NONE : new Expiry.At(Long.parseLong(value.substring(at + 1)));
    }

    private boolean hasExpired(String value) {
        return expiry(value) instanceof Expiry.At(long until) && until <= now;
    }

    /** Time goes on; what expires is removed at once or later. */
    private void passTime(Random random) {
        now += random.nextInt(500);
        model.keySet().removeIf(bucket -> untils.getOrDefault(bucket, Long.MAX_VALUE) <= now);
        model.values().forEach(values -> values.values().removeIf(this::hasExpired));
        model.entrySet().removeIf(each -> each.getValue().isEmpty() && unkept.contains(each.getKey()));
        values.values().removeIf(this::hasExpired);
        unkept.retainAll(model.keySet());
        untils.keySet().retainAll(model.keySet());
        if (random.nextBoolean()) {
            storage.clean(now);
        }
    }

    private void expire(String bucket, long until) {
        boolean hasKeys = model.containsKey(bucket) && !model.get(bucket).isEmpty();
        assertThat(run(new Command.Expire(Bytes.of(bucket), new Expiry.At(until), Expiry.Condition.ALWAYS)))
                .isEqualTo(new Reply.Amount(hasKeys ? 1 : 0));
        if (hasKeys) {
            untils.put(bucket, until);
        }
    }

    void put(String bucket, String key, String value) {
        assertThat(run(new Command.Create(Bytes.of(bucket)))).isEqualTo(Reply.OK);
        Expiry expiry = expiry(value);
        if (expiry.equals(Expiry.NONE)) {
            assertThat(run(new Command.Put(Bytes.of(bucket), Bytes.of(key), Bytes.of(value))))
                    .isEqualTo(Reply.OK);
        } else {
            List<Bytes> pair = List.of(Bytes.of(key), Bytes.of(value));
            assertThat(run(new Command.SetAllUntil(Bytes.of(bucket), pair, Command.KeysCondition.ALWAYS, expiry)))
                    .isEqualTo(new Reply.Amount(1));
        }
        model.computeIfAbsent(bucket, _ -> new HashMap<>()).put(key, value);
        unkept.remove(bucket);
    }

    void delete(String bucket, String key) {
        Map<String, String> values = model.get(bucket);
        Reply expected = values == null ? Reply.NOT_FOUND : Reply.OK;
        assertThat(run(new Command.Delete(Bytes.of(bucket), Bytes.of(key)))).isEqualTo(expected);
        if (values != null) {
            values.remove(key);
            if (values.isEmpty() && unkept.remove(bucket)) {
                model.remove(bucket);
                untils.remove(bucket);
            }
        }
    }

    void drop(String bucket) throws Refused {
        storage.buckets().edit(now, Bytes.of(bucket), edit -> {
            edit.drop();
            return Reply.OK;
        });
        model.remove(bucket);
        unkept.remove(bucket);
        untils.remove(bucket);
    }

    /** Drops a bucket and makes it anew in one change. */
    void renew(String bucket, String key, String value) throws Refused {
        storage.buckets().edit(now, Bytes.of(bucket), edit -> {
            edit.drop();
            edit.set(Bytes.of(key), Bytes.of(value));
            return Reply.OK;
        });
        model.put(bucket, new HashMap<>(Map.of(key, value)));
        unkept.add(bucket);
        untils.remove(bucket);
    }

    void rename(String bucket, String to) throws Refused {
        boolean isRenamed =
                storage.buckets().publisher().rename(now, Bytes.of(bucket), Bytes.of(to), (from, _) -> from.exists());
        assertThat(isRenamed).isEqualTo(model.containsKey(bucket) && !bucket.equals(to));
        if (isRenamed) {
            model.put(to, model.remove(bucket));
            untils.remove(to);
            if (untils.containsKey(bucket)) {
                untils.put(to, untils.remove(bucket));
            }
            unkept.remove(to);
            if (unkept.remove(bucket)) {
                unkept.add(to);
            }
        }
    }

    /** A hidden bucket is filled and takes the place of the existing one. */
    void replace(String bucket, Random random) throws Refused {
        Bucket hidden = storage.buckets().publisher().hidden(Bytes.of(bucket));
        Map<String, String> values = new HashMap<>();
        storage.buckets().publisher().fill(hidden, Edit::keep);
        for (int i = random.nextInt(6); i > 0; i--) {
            String key = "key-" + random.nextInt(KEYS);
            String value = ++number + "x".repeat(random.nextInt(4_000));
            storage.buckets().publisher().fill(hidden, edit -> edit.set(Bytes.of(key), Bytes.of(value)));
            values.put(key, value);
        }
        if (random.nextInt(4) == 0) {
            storage.buckets().publisher().abandon(hidden);
            return;
        }
        assertThat(storage.buckets().publisher().publish(now, hidden, _ -> true))
                .isTrue();
        model.put(bucket, values);
        unkept.remove(bucket);
        untils.remove(bucket);
    }

    /** Sets, removes or renames a value, sometimes with a bucket of the same name in between. */
    void changeValue(Random random) {
        String name = "value-" + random.nextInt(VALUES);
        String other = "value-" + random.nextInt(VALUES);
        int what = random.nextInt(8);
        if (what == 0) {
            Reply expected = new Reply.Amount(values.remove(name) == null ? 0 : 1);
            assertThat(run(new Command.Drop(Bytes.of(name)))).isEqualTo(expected);
        } else if (what == 1 && values.containsKey(name)) {
            assertThat(run(new Command.Rename(Bytes.of(name), Bytes.of(other)))).isEqualTo(Reply.OK);
            values.put(other, values.remove(name));
        } else {
            if (what == 2) {
                run(new Command.Drop(Bytes.of(name)));
                run(new Command.SetAll(Bytes.of(name), List.of(Bytes.of("key"), Bytes.of("value")), false));
            }
            String value = value(random);
            Command.SetValue set =
                    new Command.SetValue(Bytes.of(name), Bytes.of(value), Command.Condition.ALWAYS, false);
            assertThat(run(new Command.SetValueUntil(set, expiry(value)))).isEqualTo(Reply.OK);
            values.put(name, value);
        }
    }

    Reply run(Command command) {
        return Held.flat(storage.run(command, now).toCompletableFuture().join());
    }

    void check() {
        for (int v = 0; v < VALUES; v++) {
            String value = values.get("value-" + v);
            assertThat(run(new Command.GetValue(Bytes.of("value-" + v))))
                    .isEqualTo(value == null ? Reply.ABSENT : new Reply.Value(Bytes.of(value)));
        }
        for (int b = 0; b < BUCKETS; b++) {
            Map<String, String> values = model.get("bucket-" + b);
            for (int k = 0; k < KEYS; k++) {
                Reply expected = Reply.NOT_FOUND;
                if (values != null) {
                    String value = values.get("key-" + k);
                    expected = value == null ? Reply.ABSENT : new Reply.Value(Bytes.of(value));
                }
                assertThat(run(new Command.Get(Bytes.of("bucket-" + b), Bytes.of("key-" + k))))
                        .isEqualTo(expected);
            }
        }
    }

    void changeSomething(Random random) throws Refused {
        String bucket = "bucket-" + random.nextInt(BUCKETS);
        String key = "key-" + random.nextInt(KEYS);
        int what = random.nextInt(130);
        if (what >= 125) {
            passTime(random);
        } else if (what >= 120) {
            expire(bucket, now + random.nextInt(1, 2_000));
        } else if (what >= 100) {
            changeValue(random);
        } else if (what < 3) {
            drop(bucket);
        } else if (what < 7) {
            rename(bucket, "bucket-" + random.nextInt(BUCKETS));
        } else if (what < 10) {
            replace(bucket, random);
        } else if (what < 13) {
            renew(bucket, key, ++number + "");
        } else if (what < 50) {
            delete(bucket, key);
        } else {
            put(bucket, key, value(random));
        }
    }

    Path image() throws IOException {
        Path image = Files.createTempDirectory(folder, "image");
        for (Path file : files(data)) {
            Files.copy(file, image.resolve(file.getFileName()));
        }
        return image;
    }

    static List<Path> files(Path of) throws IOException {
        try (Stream<Path> files = Files.list(of)) {
            return files.filter(file -> file.getFileName()
                            .toString()
                            .matches("format|mark|segments|" + SeenTime.FILE + "|.*[.](log|hint)"))
                    .sorted()
                    .toList();
        }
    }

    static List<SegmentName> segments(Path of) throws IOException {
        return Folder.segments(of);
    }
}
