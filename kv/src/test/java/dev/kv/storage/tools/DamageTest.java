package dev.kv.storage.tools;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Held;
import dev.kv.router.OperatorError;
import dev.kv.router.Reply;
import dev.kv.router.Reply.Word;
import dev.kv.storage.DataFolder;
import dev.kv.storage.OpenStorage;
import dev.kv.storage.engine.Edit;
import dev.kv.storage.log.Refused;
import dev.kv.storage.log.Segment;
import dev.kv.storage.log.Sync;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Folders with truncated files or flipped bits. A start reads the changes up to some point after the mark, or refuses with the damage; no
 * value is read that was not written.
 */
@Timeout(600)
class DamageTest {
    private static final long MIB = 1L << 20;
    private static final int BUCKETS = 4;
    private static final int KEYS = 60;
    private static final int STEPS = 1_500;
    private static final Reply WRONG_TYPE = new Reply.Failed(Reply.Reason.WRONG_TYPE);

    /** The number of changes after the mark. */
    private static final int UNSYNCED_STEPS = 40;

    @TempDir
    private Path folder;

    private Path written;
    private final Random random = new Random(4);
    private OpenStorage storage;

    /** The content of each bucket now; a bucket without keys is kept. A value is that of an empty key. */
    private final Map<Bytes, Map<Bytes, Bytes>> now = new TreeMap<>();

    /** The content after each change from the mark on, by the end of the last segment. */
    private final TreeMap<Long, Map<Bytes, Map<Bytes, Bytes>>> states = new TreeMap<>();

    private Segment last;

    @BeforeEach
    void write() throws Exception {
        Path data = folder.resolve("data");
        storage = open(data);
        for (int step = 0; step < STEPS; step++) {
            change();
            if (step == STEPS / 3) {
                storage.compact();
            }
            if (step == STEPS / 2 || step == STEPS * 3 / 4) {
                storage.stop(Duration.ZERO);
                storage = open(data);
            }
        }
        DataFolder.awaitSynced(storage);
        byte[] mark = Files.readAllBytes(data.resolve("mark"));
        last = storage.log().segments().live().getLast();
        states.put(last.end(), copy());
        for (int step = 0; step < UNSYNCED_STEPS; step++) {
            change();
            states.put(last.end(), copy());
        }
        assertThat(storage.log().segments().live()).hasSizeGreaterThan(2).last().isSameAs(last);
        DataFolder.awaitSynced(storage);
        written = image(data, "written");
        Files.write(written.resolve("mark"), mark);
        storage.stop(Duration.ZERO);
    }

    private static OpenStorage open(Path data) throws IOException {
        return OpenStorage.open(
                DataFolder.settings(data, new Sync(false, Optional.of(Duration.ofMillis(10))), 0, MIB, DataFolder.PINS),
                DataFolder.limits(1 << 20),
                _ -> {});
    }

    private void change() throws Refused {
        Bytes name = Bytes.of("bucket-" + random.nextInt(BUCKETS));
        int what = random.nextInt(100);
        if (what >= 95 || isValue(now, name)) {
            changeValue(name, what);
        } else if (what < 2) {
            edit(name, Edit::drop);
            now.remove(name);
        } else if (what < 12) {
            edit(name, Edit::keep);
            now.computeIfAbsent(name, _ -> new TreeMap<>());
        } else if (now.containsKey(name)) {
            Map<Bytes, Bytes> values = now.get(name);
            for (int i = what < 80 ? 0 : random.nextInt(6); i >= 0; i--) {
                if (random.nextInt(4) == 0) {
                    values.remove(key());
                } else {
                    values.put(key(), value());
                }
            }
            Map<Bytes, Bytes> after = new TreeMap<>(values);
            edit(name, bucket -> {
                for (int i = 0; i < KEYS; i++) {
                    Bytes key = Bytes.of("key-" + i);
                    Bytes value = after.get(key);
                    if (value == null) {
                        bucket.delete(key);
                    } else if (!value.equals(bucket.get(key))) {
                        bucket.set(key, value);
                    }
                }
            });
        }
    }

    private static boolean isValue(Map<Bytes, Map<Bytes, Bytes>> state, Bytes name) {
        return state.containsKey(name) && state.get(name).containsKey(Bytes.EMPTY);
    }

    private void changeValue(Bytes name, int what) throws Refused {
        if (what < 10) {
            edit(name, Edit::drop);
            now.remove(name);
        } else {
            Bytes value = value();
            edit(name, bucket -> bucket.setValue(value));
            now.put(name, new TreeMap<>(Map.of(Bytes.EMPTY, value)));
        }
    }

    private void edit(Bytes name, Consumer<Edit> change) throws Refused {
        storage.buckets().edit(0, name, bucket -> {
            change.accept(bucket);
            return Reply.OK;
        });
    }

    private Bytes key() {
        return Bytes.of("key-" + random.nextInt(KEYS));
    }

    private Bytes value() {
        byte[] value = new byte[random.nextInt(20) == 0 ? 8_000 : random.nextInt(1_500)];
        random.nextBytes(value);
        return Bytes.owning(value);
    }

    private Map<Bytes, Map<Bytes, Bytes>> copy() {
        Map<Bytes, Map<Bytes, Bytes>> copy = new TreeMap<>();
        now.forEach((name, values) -> copy.put(name, new TreeMap<>(values)));
        return copy;
    }

    private Path image(Path of, String name) throws IOException {
        Path image = Files.createDirectory(folder.resolve(name));
        for (Path file : files(of)) {
            Files.copy(file, image.resolve(file.getFileName()));
        }
        return image;
    }

    private static List<Path> files(Path of) throws IOException {
        try (Stream<Path> files = Files.list(of)) {
            return files.filter(file -> !file.endsWith("lock")
                            && !file.toString().endsWith(".tmp")
                            && !file.getFileName().toString().startsWith("reserve"))
                    .sorted()
                    .toList();
        }
    }

    private static void remove(Path image) throws IOException {
        try (Stream<Path> files = Files.list(image)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
        Files.delete(image);
    }

    private Reply get(Bytes bucket, Bytes key) {
        return Held.flat(
                storage.run(new Command.Get(bucket, key)).toCompletableFuture().join());
    }

    private static Reply expected(Map<Bytes, Map<Bytes, Bytes>> state, Bytes name, Bytes key) {
        Map<Bytes, Bytes> values = state.get(name);
        if (values == null) {
            return Reply.NOT_FOUND;
        }
        if (isValue(state, name)) {
            return WRONG_TYPE;
        }
        return values.containsKey(key) ? new Reply.Value(values.get(key)) : Reply.ABSENT;
    }

    private static Reply expectedValue(Map<Bytes, Map<Bytes, Bytes>> state, Bytes name) {
        if (isValue(state, name)) {
            return new Reply.Value(state.get(name).get(Bytes.EMPTY));
        }
        return state.containsKey(name) && !state.get(name).isEmpty() ? WRONG_TYPE : Reply.ABSENT;
    }

    /** The first read that differs from the state; errors do not count. */
    private Optional<String> contradiction(Map<Bytes, Map<Bytes, Bytes>> state) {
        for (int i = 0; i < BUCKETS; i++) {
            Bytes name = Bytes.of("bucket-" + i);
            Reply value = Held.flat(storage.run(new Command.GetValue(name))
                    .toCompletableFuture()
                    .join());
            if (!isError(value) && !value.equals(expectedValue(state, name))) {
                return Optional.of("value of " + name + " is " + value);
            }
            for (int k = 0; k < KEYS; k++) {
                Bytes key = Bytes.of("key-" + k);
                Reply reply = get(name, key);
                if (!isError(reply) && !reply.equals(expected(state, name, key))) {
                    return Optional.of(name + " " + key + " is " + reply);
                }
            }
        }
        return Optional.empty();
    }

    private static boolean isError(Reply reply) {
        return reply instanceof Reply.Failed failed && failed.word() == Word.ERR;
    }

    @Test
    void aLogCutBehindTheMarkEndsWithTheLastCompleteRecord() throws Exception {
        long marked = states.firstKey();
        for (long cut = last.end(); cut >= marked && cut > last.end() - 200; cut--) {
            for (boolean isShort : new boolean[] {true, false}) {
                Path image = image(written, "cut-" + cut + "-" + isShort);
                try (FileChannel log =
                        FileChannel.open(image.resolve(last.name().log()), StandardOpenOption.WRITE)) {
                    long size = log.size();
                    log.truncate(cut);
                    if (!isShort) {
                        log.write(ByteBuffer.wrap(new byte[1]), size - 1);
                    }
                }
                storage = open(image);
                // Zeros over zeros are no damage.
                long whole = isShort || !isZero(cut, states.ceilingKey(cut)) ? cut : states.ceilingKey(cut);
                assertThat(contradiction(states.floorEntry(whole).getValue()))
                        .as("cut at byte %d of %d", cut, last.end())
                        .isEmpty();
                storage.stop(Duration.ZERO);
                remove(image);
            }
        }
    }

    private boolean isZero(long from, long to) throws IOException {
        byte[] bytes = Files.readAllBytes(written.resolve(last.name().log()));
        return IntStream.range((int) from, (int) to).allMatch(at -> bytes[at] == 0);
    }

    @Test
    void aLogCutBeforeTheMarkIsRefused() throws Exception {
        long marked = states.firstKey();
        for (long cut = marked - 1; cut >= 0 && cut > marked - 200; cut--) {
            Path image = image(written, "cut-" + cut);
            Path log = image.resolve(last.name().log());
            try (FileChannel channel = FileChannel.open(log, StandardOpenOption.WRITE)) {
                channel.truncate(cut);
            }
            assertRefused(image, log + " is damaged at byte ", "cut at byte " + cut + " before " + marked);
            remove(image);
        }
    }

    private void assertRefused(Path image, String beginning, String what) throws IOException {
        try {
            open(image).stop(Duration.ZERO);
        } catch (OperatorError refused) {
            assertThat(refused).as(what).hasMessageStartingWith(beginning);
            return;
        }
        throw new AssertionError("opened: " + what);
    }

    @Test
    void flippedBitsAreNeverReadAsWhatWasWritten() throws Exception {
        flip(new Random().nextLong(), 400);
    }

    @Test
    @Tag("soak")
    void flippedBitsAreNeverReadAsWhatWasWrittenForMinutes() throws Exception {
        flip(new Random().nextLong(), 8_000);
    }

    private void flip(long seed, int times) throws Exception {
        for (int i = 0; i < times; i++) {
            Random flips = new Random(seed + i);
            Path image = image(written, "flipped-" + i);
            String what = "seed " + (seed + i) + ": " + damage(image, flips);
            try {
                openFlipped(image, what, flips.nextBoolean());
            } catch (RuntimeException | AssertionError e) {
                throw new AssertionError(what, e);
            }
            remove(image);
        }
    }

    private static String damage(Path image, Random flips) throws IOException {
        StringBuilder what = new StringBuilder();
        if (flips.nextBoolean()) {
            for (Path file : files(image)) {
                if (file.toString().endsWith(".hint") && flips.nextBoolean()) {
                    Files.delete(file);
                    what.append("without ").append(file.getFileName()).append(", ");
                }
            }
        }
        // With a damaged mark the older one counts: damage after that is taken for the effect of a power cut.
        boolean ofMark = flips.nextInt(10) == 0;
        List<Path> files = files(image).stream()
                .filter(file -> file.endsWith("mark") == ofMark)
                .toList();
        for (int n = ofMark ? 0 : flips.nextInt(3); n >= 0; n--) {
            Path file = files.get(flips.nextInt(files.size()));
            byte[] bytes = Files.readAllBytes(file);
            int at = flips.nextInt(flips.nextInt(4) == 0 ? Math.min(200, bytes.length) : bytes.length);
            int before = bytes[at];
            bytes[at] = (byte) (flips.nextBoolean() ? before ^ 1 << flips.nextInt(8) : flips.nextInt(256));
            Files.write(file, bytes);
            what.append("%s byte %d from %02x to %02x, ".formatted(file.getFileName(), at, before & 0xFF, bytes[at]));
        }
        return what.toString();
    }

    private void openFlipped(Path image, String what, boolean compacts) throws IOException {
        try {
            storage = open(image);
        } catch (OperatorError refused) {
            assertThat(refused).as(what).hasMessageContaining(image + "/");
            return;
        }
        try {
            assertExplained(what);
            if (compacts) {
                storage.compact();
                assertExplained(what + "compacted");
            }
        } finally {
            storage.stop(Duration.ZERO);
        }
        try {
            storage = open(image);
        } catch (OperatorError refused) {
            assertThat(refused).as(what).hasMessageContaining(image + "/");
            return;
        }
        assertExplained(what + "opened again");
        storage.stop(Duration.ZERO);
    }

    private void assertExplained(String what) {
        List<String> contradictions = new ArrayList<>();
        for (Map<Bytes, Map<Bytes, Bytes>> state : states.descendingMap().values()) {
            Optional<String> contradiction = contradiction(state);
            if (contradiction.isEmpty()) {
                return;
            }
            contradictions.add(contradiction.get());
        }
        throw new AssertionError(what + " contradicts every state: " + contradictions.getFirst());
    }
}
