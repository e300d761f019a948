package dev.kv.storage.log;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.OperatorError;
import dev.kv.router.Reply;
import dev.kv.router.spi.Engine.Damage;
import dev.kv.storage.DataFolder;
import dev.kv.storage.OpenStorage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
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

    private int number;

    /** A folder with random changes, and copies of it at several moments. */
    private final class History {
        private final Path data;
        private final Random random;
        private final List<Path> earlier = new ArrayList<>();
        private Map<String, Map<String, String>> content = new TreeMap<>();
        private Path stopped;
        private Path killed;
        private Map<String, Map<String, String>> killedContent;
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
            killedContent = DataFolder.content(storage);
            for (int i = 0; i < 50; i++) {
                change();
            }
            content = DataFolder.content(storage);
            storage.stop(Duration.ZERO);
            stopped = data;
        }

        private void change() throws Refused {
            Bytes bucket = Bytes.of("bucket-" + random.nextInt(BUCKETS));
            Bytes key = Bytes.of("key-" + random.nextInt(KEYS));
            int what = random.nextInt(100);
            if (what < 2) {
                Bytes to = Bytes.of("bucket-" + random.nextInt(BUCKETS));
                storage.buckets().publisher().rename(0, bucket, to, (from, _) -> from.exists());
                return;
            }
            storage.buckets().edit(0, bucket, edit -> {
                if (what < 4) {
                    edit.drop();
                } else if (what < 35) {
                    edit.delete(key);
                } else {
                    edit.set(key, Bytes.of(++number + "x".repeat(random.nextInt(600))));
                }
                return Reply.OK;
            });
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
                    check(new DataFolder(image), isKilled ? history.killedContent : history.content);
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
                // A foreign file of the same kind, under the name of this one.
                String kind = name.contains(".") ? name.substring(name.indexOf('.')) : name;
                List<Path> same = files(foreign.stopped).stream()
                        .filter(each -> each.toString().endsWith(kind))
                        .toList();
                Path strange = same.get(random.nextInt(same.size()));
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
            return files.filter(file -> file.getFileName().toString().matches("mark|segments|.*[.](log|hint)"))
                    .sorted()
                    .toList();
        }
    }

    private void check(DataFolder folder, Map<String, Map<String, String>> content) throws Exception {
        List<Damage> damages = folder.damages();
        boolean isOpened = opens(folder, content);
        if (isOpened) {
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
        if (repaired.stream().noneMatch(damage -> damage.what().contains("records are missing here"))) {
            assertThat(opens(folder, content)).as("after the repair").isTrue();
        }
    }

    /** Whether the folder opens; then it must have this content. */
    private static boolean opens(DataFolder folder, Map<String, Map<String, String>> content) throws Exception {
        try {
            assertThat(folder.content()).isEqualTo(content);
            return true;
        } catch (OperatorError refused) {
            assertThat(refused).hasMessageContaining(folder.path() + "/");
            return false;
        }
    }
}
