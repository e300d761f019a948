package dev.kv.storage.log;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.OperatorError;
import dev.kv.router.Reply;
import dev.kv.router.spi.Engine.Damage;
import dev.kv.storage.DataFolder;
import dev.kv.storage.OpenStorage;
import dev.kv.storage.engine.Frozen;
import dev.kv.storage.engine.View;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Folders in which a random file is missing, is an older one, has the name of another one, or is that of another folder: they are
 * refused, or hold what they held before.
 */
@Timeout(600)
class RandomMisplacementsTest {
    @TempDir
    private Path site;

    private static final int BUCKETS = 4;
    private static final int KEYS = 30;

    /** Far behind the clock of the machine, by which the storage cleans. */
    private static final long NOW = 4_000_000_000_000L;

    private static final int TIMES = 100;

    private int number;

    /**
     * A key, or a value, for which the key is empty.
     *
     * @param until when the name expires; 0 if it does not
     * @param keyUntil when the key does
     */
    private record Entry(String name, long until, String key, String value, long keyUntil) {
        boolean isThere(long millis) {
            return (until == 0 || until > millis) && (keyUntil == 0 || keyUntil > millis);
        }
    }

    /**
     * What a folder holds.
     *
     * @param clock the latest time of expiry that was seen to pass: what expires by then may be there or not
     */
    private record Content(Set<Entry> entries, long clock) {
        static Content of(OpenStorage storage) {
            Set<Entry> entries = new HashSet<>();
            storage.forEachBucket((name, _) -> {
                try (Frozen frozen = storage.buckets().frozen(0, name)) {
                    View view = frozen.view();
                    view.forEach(0, (_, key, value) -> {
                        entries.add(new Entry(name.text(), view.until(), key.text(), value.text(), view.until(key)));
                        return true;
                    });
                }
                return true;
            });
            return new Content(entries, storage.log().seenTime().millis());
        }

        void assertIs(Content expected) {
            long later = Math.max(clock, expected.clock);
            assertThat(at(later)).isEqualTo(expected.at(later));
        }

        private Set<Entry> at(long millis) {
            return entries.stream().filter(entry -> entry.isThere(millis)).collect(Collectors.toSet());
        }
    }

    /** A folder with random changes, and copies of it at several moments. */
    private final class History {
        private final Path data;
        private final Random random;
        private final List<Path> earlier = new ArrayList<>();
        private Content content;
        private Path stopped;
        private Path killed;
        private Content killedContent;

        /** Each value that was ever written. */
        private final Set<String> written = new HashSet<>();

        private OpenStorage storage;

        History(String name, long seed) {
            this.data = site.resolve(name);
            this.random = new Random(seed);
        }

        private void open() throws IOException {
            storage = OpenStorage.open(
                    DataFolder.settings(
                            data, new Sync(false, Optional.of(Duration.ofMillis(10))), 0, 32 << 10, DataFolder.PINS),
                    DataFolder.limits(1 << 20),
                    _ -> {});
        }

        void write() throws Exception {
            open();
            for (int part = 0; part < 6; part++) {
                for (int i = 0; i < 150; i++) {
                    change();
                }
                switch (random.nextInt(3)) {
                    case 0 -> {
                        storage.stop(Duration.ZERO);
                        open();
                    }
                    case 1 -> storage.compact(random.nextBoolean());
                    default -> {}
                }
                DataFolder.awaitSynced(storage);
                Path image = site.resolve(data.getFileName() + "-earlier-" + part);
                DataFolder.image(data, image);
                earlier.add(image);
            }
            for (int i = 0; i < 150; i++) {
                change();
            }
            DataFolder.awaitSynced(storage);
            killed = site.resolve(data.getFileName() + "-killed");
            DataFolder.image(data, killed);
            killedContent = Content.of(storage);
            for (int i = 0; i < 50; i++) {
                change();
            }
            content = Content.of(storage);
            storage.stop(Duration.ZERO);
            stopped = data;
        }

        private void change() throws Refused {
            boolean isValue = random.nextInt(4) == 0;
            Bytes name = name(isValue);
            Bytes key = Bytes.of("key-" + random.nextInt(KEYS));
            int what = random.nextInt(100);
            if (what < 2) {
                storage.buckets().publisher().rename(0, name, name(isValue), (from, _) -> from.exists());
                return;
            }
            if (what < 4) {
                // It has passed for all that expires by then and is looked at.
                long millis = NOW + random.nextInt(TIMES / 2);
                storage.run(new Command.ExpiryOf(name), millis)
                        .toCompletableFuture()
                        .join();
                return;
            }
            storage.buckets().edit(0, name, edit -> {
                if (what < 6) {
                    edit.drop();
                } else if (what < 10) {
                    if (edit.size() > 0) {
                        edit.expire(until());
                    }
                } else if (isValue) {
                    edit.setValue(value(), until());
                } else if (what < 40) {
                    edit.delete(key);
                } else {
                    boolean _ = edit.set(key, value(), until());
                }
                return Reply.OK;
            });
        }

        private Bytes name(boolean isValue) {
            return Bytes.of((isValue ? "value-" : "bucket-") + random.nextInt(BUCKETS));
        }

        private long until() {
            return random.nextInt(3) == 0 ? NOW + random.nextInt(TIMES) : 0;
        }

        private Bytes value() {
            String value = ++number + "x".repeat(random.nextInt(600));
            written.add(value);
            return Bytes.of(value);
        }
    }

    @Test
    void aMisplacedFileIsRefusedOrIgnored() throws Exception {
        run(new Random().nextLong(), 2, 60);
    }

    @Test
    @Tag("soak")
    void aMisplacedFileIsRefusedOrIgnoredForMinutes() throws Exception {
        run(new Random().nextLong(), 20, 150);
    }

    private void run(long seed, int folders, int times) throws Exception {
        Random random = new Random(seed);
        for (int n = 0; n < folders; n++) {
            History history = new History("data-" + n, random.nextLong());
            History foreign = new History("foreign-" + n, random.nextLong());
            history.write();
            foreign.write();
            for (int i = 0; i < times; i++) {
                boolean isKilled = random.nextBoolean();
                Path image = site.resolve("image-" + n + "-" + i);
                DataFolder.image(isKilled ? history.killed : history.stopped, image);
                String what = "seed %d, folder %d, %s: ".formatted(seed, n, isKilled ? "killed" : "stopped")
                        + misplace(image, history, foreign, random);
                try {
                    check(new DataFolder(image), history, isKilled ? history.killedContent : history.content);
                } catch (AssertionError | RuntimeException e) {
                    throw new AssertionError(what, e);
                }
            }
        }
    }

    private static String misplace(Path image, History history, History foreign, Random random) throws IOException {
        List<Path> files = files(image);
        Path file = files.get(random.nextInt(files.size()));
        String name = file.getFileName().toString();
        return switch (random.nextInt(5)) {
            case 0 -> {
                Files.delete(file);
                yield "without " + name;
            }
            case 1 -> {
                String kind = name.contains(".") ? name.substring(name.indexOf('.')) : name;
                List<Path> same = files.stream()
                        .filter(each -> each.toString().endsWith(kind))
                        .toList();
                Path other = same.get(random.nextInt(same.size()));
                swap(file, other);
                yield name + " swapped with " + other.getFileName();
            }
            case 2 -> {
                Path earlier = history.earlier.get(random.nextInt(history.earlier.size()));
                Path older = files(earlier).get(random.nextInt(files(earlier).size()));
                Files.copy(older, image.resolve(older.getFileName()), StandardCopyOption.REPLACE_EXISTING);
                yield "with " + older;
            }
            case 3 -> {
                Path other = random.nextBoolean() ? foreign.stopped : foreign.killed;
                Path strange = files(other).get(random.nextInt(files(other).size()));
                Files.copy(strange, image.resolve(strange.getFileName()), StandardCopyOption.REPLACE_EXISTING);
                yield "with " + strange;
            }
            default -> {
                // A foreign file, of the same kind if there is one, under the name of this one.
                String kind = name.contains(".") ? name.substring(name.indexOf('.')) : name;
                List<Path> same = files(foreign.stopped).stream()
                        .filter(each -> each.toString().endsWith(kind))
                        .toList();
                List<Path> all = same.isEmpty() ? files(foreign.stopped) : same;
                Path strange = all.get(random.nextInt(all.size()));
                Files.copy(strange, file, StandardCopyOption.REPLACE_EXISTING);
                yield "with " + strange + " as " + name;
            }
        };
    }

    private static void swap(Path file, Path other) throws IOException {
        byte[] content = Files.readAllBytes(file);
        byte[] otherContent = Files.readAllBytes(other);
        Files.write(file, otherContent);
        Files.write(other, content);
    }

    private static List<Path> files(Path of) throws IOException {
        try (Stream<Path> files = Files.list(of)) {
            return files.filter(file -> file.getFileName().toString().matches("mark|segments|clock|.*[.](log|hint)"))
                    .sorted()
                    .toList();
        }
    }

    private static void check(DataFolder folder, History history, Content content) throws Exception {
        List<Damage> damages = folder.damages();
        Optional<Content> opened = opened(folder);
        if (opened.isPresent()) {
            opened.get().assertIs(content);
            return;
        }
        assertThat(damages).as("refused by the start").isNotEmpty();
        List<Damage> repaired;
        try {
            repaired = folder.repair();
        } catch (OperatorError refused) {
            assertThat(refused).hasMessageContaining(folder.path() + "/");
            assertThat(folder.damages()).as("left as it is").isNotEmpty();
            return;
        }
        assertThat(repaired).isNotEmpty();
        assertThat(folder.damages()).isEmpty();
        Content after = opened(folder).orElseThrow();
        if (repaired.stream().noneMatch(damage -> damage.what().contains("records are missing here"))) {
            after.assertIs(content);
        } else {
            // Without them an older value may be there, but none of another folder.
            assertThat(after.entries()).allMatch(entry -> history.written.contains(entry.value()));
        }
    }

    /** What the folder holds; empty if it does not open. */
    private static Optional<Content> opened(DataFolder folder) throws Exception {
        OpenStorage storage;
        try {
            storage = folder.open();
        } catch (OperatorError refused) {
            assertThat(refused).hasMessageContaining(folder.path() + "/");
            return Optional.empty();
        }
        try {
            return Optional.of(Content.of(storage));
        } finally {
            storage.stop(Duration.ZERO);
        }
    }
}
