package dev.kv.storage.log;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.Bytes;
import dev.kv.router.OperatorError;
import dev.kv.router.Reply;
import dev.kv.router.spi.Engine.Damage;
import dev.kv.storage.DataFolder;
import dev.kv.storage.OpenStorage;
import dev.kv.storage.format.Draft;
import dev.kv.storage.format.Format;
import dev.kv.storage.format.Layout;
import dev.kv.storage.format.SegmentName;
import dev.kv.storage.tools.StoredBackup;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
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
 * Folders with a file that is missing, is an older one, has the name of another one, or is that of another folder: they are refused,
 * or answer as they should.
 */
@Timeout(600)
class MisplacedFilesTest {
    private static final int BUCKETS = 4;
    private static final int KEYS = 30;

    @TempDir
    private Path site;

    private int number;

    /** A folder with a history, and what it was like at some moments of that. */
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
                    1 << 20,
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
                storage.buckets().publisher().rename(bucket, to, (from, _) -> from.exists());
                return;
            }
            storage.buckets().edit(bucket, edit -> {
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
                // One of the same kind, under the name of this one.
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

    /** Whether it is opened, with the content that it has to have. */
    private static boolean opens(DataFolder folder, Map<String, Map<String, String>> content) throws Exception {
        try {
            assertThat(folder.content()).isEqualTo(content);
            return true;
        } catch (OperatorError refused) {
            assertThat(refused).hasMessageContaining(folder.path() + "/");
            return false;
        }
    }

    /** A folder of several segments that was stopped in order; its files by name. */
    private DataFolder several() throws Exception {
        DataFolder data = new DataFolder(site.resolve("data"));
        data.open(storage -> {
            DataFolder.create(storage, "a");
            for (int i = 0; i < 4_000; i++) {
                DataFolder.put(storage, "a", "key-" + i % 300, i + "x".repeat(1_000));
            }
        });
        assertThat(data.files(".log")).hasSizeGreaterThan(2);
        return data;
    }

    @Test
    void aSegmentThatIsMissingIsRefusedByAll() throws Exception {
        DataFolder data = several();
        for (Path segment : data.files(".log")) {
            DataFolder copy =
                    new DataFolder(DataFolder.copy(data.path(), site.resolve("without-" + segment.getFileName())));
            Path missing = copy.path().resolve(segment.getFileName());
            Files.delete(missing);

            assertThat(copy.damages()).singleElement().satisfies(damage -> {
                assertThat(damage.file()).isEqualTo(missing);
                assertThat(damage.what()).isEqualTo("it is missing");
            });
            String why = missing
                    + ": it is missing; without it the other segments give wrong answers: put it back, or restore a backup";
            assertThatThrownBy(copy::open).isInstanceOf(OperatorError.class).hasMessage(why);
            assertThatThrownBy(copy::repair).isInstanceOf(OperatorError.class).hasMessage(why);
            assertThatThrownBy(() -> copy.backup(site.resolve("backup")))
                    .isInstanceOf(OperatorError.class)
                    .hasMessage(why);
            Files.copy(segment, missing);
            assertThat(copy.content()).isEqualTo(data.content());
        }
    }

    @Test
    void segmentsThatWereSwappedGetTheirNamesAgain() throws Exception {
        DataFolder data = several();
        Map<String, Map<String, String>> content = data.content();
        List<Path> segments = data.files(".log");
        List<byte[]> before = new ArrayList<>();
        for (Path segment : segments) {
            before.add(Files.readAllBytes(segment));
        }
        for (int i = 0; i < segments.size(); i++) {
            Files.write(segments.get(i), before.get((i + 1) % segments.size()));
        }

        assertThat(data.damages()).hasSizeGreaterThanOrEqualTo(segments.size());
        assertThatThrownBy(data::open)
                .isInstanceOf(OperatorError.class)
                .hasMessageContaining("its header is that of another segment")
                .hasMessageEndingWith("`kv repair` gives it its own name again");
        assertThat(data.repair()).hasSize(segments.size());

        assertThat(data.damages()).isEmpty();
        for (int i = 0; i < segments.size(); i++) {
            assertThat(segments.get(i)).hasBinaryContent(before.get(i));
        }
        assertThat(data.content()).isEqualTo(content);
    }

    /** Killed after the segments lost the wrong names, and before they all had the right ones. */
    @Test
    void aRepairThatEndsDuringRenamesIsCompletedByTheNextOne() throws Exception {
        DataFolder data = several();
        Map<String, Map<String, String>> content = data.content();
        for (Path segment : data.files(".log").subList(0, 2)) {
            String name = segment.getFileName().toString().replace(".log", ".putback");
            Files.move(segment, segment.resolveSibling(name));
        }

        assertThatThrownBy(data::open).isInstanceOf(OperatorError.class);
        assertThat(data.repair()).isEmpty();
        assertThat(data.content()).isEqualTo(content);
    }

    @Test
    void aSegmentWithTheNameOfAnExistingOneIsIgnored() throws Exception {
        DataFolder data = several();
        List<Path> segments = data.files(".log");
        Files.copy(segments.get(1), segments.get(0), StandardCopyOption.REPLACE_EXISTING);

        assertThatThrownBy(data::open).isInstanceOf(OperatorError.class).hasMessageContaining(segments.get(0) + ": ");
        assertThatThrownBy(data::repair).isInstanceOf(OperatorError.class).hasMessageContaining(segments.get(0) + ": ");
    }

    @Test
    void unfinishedFilesOfCompactionAreRemoved() throws Exception {
        DataFolder data = several();
        Map<String, Map<String, String>> content = data.content();
        Path last = data.files(".log").getLast();
        SegmentName name = SegmentName.of(last.getFileName().toString());
        List<SegmentName> leftovers = List.of(
                new SegmentName(name.number(), 7), new SegmentName(name.number() + 1, 1), new SegmentName(0, 3));
        for (SegmentName leftover : leftovers) {
            Path file = data.path().resolve(leftover.log());
            try (Segment segment = Segment.create(file, leftover, 4096)) {
                segment.begin(Format.read(data.path()).id(), 0, 0);
                segment.append(new Draft()
                        .begin(Layout.WRITE, 0, 1, Bytes.of("a").array())
                        .set(Bytes.of("key-1"), Bytes.of("old"))
                        .end());
            }
        }

        assertThat(data.damages()).isEmpty();
        assertThat(data.content()).isEqualTo(content);
        assertThat(leftovers)
                .allSatisfy(leftover ->
                        assertThat(data.path().resolve(leftover.log())).doesNotExist());
    }

    /**
     * What a process leaves that is killed when a rescue has written the list, and nothing was cut off yet; and when a new segment
     * has its file, and no header.
     */
    @Test
    void bytesBehindTheListedEndAndSegmentsWithoutHeaderAreIgnored() throws Exception {
        DataFolder data = several();
        Map<String, Map<String, String>> content = data.content();
        Path last = data.files(".log").getLast();
        byte[] listed = Files.readAllBytes(last);
        byte[] longer = Arrays.copyOf(listed, listed.length + 8_000);
        Arrays.fill(longer, listed.length, longer.length, (byte) 7);
        Files.write(last, longer);
        SegmentName name = SegmentName.of(last.getFileName().toString());
        Path next = data.path().resolve(new SegmentName(name.number() + 1, 0).log());
        Files.write(next, new byte[8_192]);

        assertThat(data.damages()).isEmpty();
        assertThat(data.content()).isEqualTo(content);
        assertThat(last).hasBinaryContent(listed);
        assertThat(next).doesNotExist();
    }

    @Test
    void aListThatIsDamagedOrMissingIsMadeAnew() throws Exception {
        DataFolder data = several();
        Map<String, Map<String, String>> content = data.content();
        Path list = data.path().resolve("segments");
        for (boolean isMissing : new boolean[] {true, false}) {
            if (isMissing) {
                Files.delete(list);
            } else {
                DataFolder.flip(list, Files.size(list) / 2);
            }
            assertThatThrownBy(data::open).isInstanceOf(OperatorError.class).hasMessageStartingWith(list + ": ");
            assertThat(data.damages())
                    .singleElement()
                    .satisfies(damage -> assertThat(damage.file()).isEqualTo(list));
            assertThat(data.repair()).hasSize(1);
            assertThat(data.content()).isEqualTo(content);
        }
    }

    /** Copies of one folder go their own ways under one id, but a header is not that of another segment of the same name. */
    @Test
    void aRestoredFolderRefusesFilesOfThePreviousFolder() throws Exception {
        DataFolder data = several();
        data.backup(site.resolve("backup"));
        DataFolder restored = new DataFolder(site.resolve("restored"));
        StoredBackup.restore(site.resolve("backup"), restored.path());
        for (DataFolder folder : Arrays.asList(data, restored)) {
            folder.open(storage -> {
                for (int i = 0; i < 600; i++) {
                    DataFolder.put(storage, "a", "key-" + i % 300, folder.path().toString() + i);
                }
                storage.compact();
            });
        }
        Map<String, Map<String, String>> content = restored.content();
        for (Path theirs : data.files(".log")) {
            Path ours = restored.path().resolve(theirs.getFileName());
            byte[] before = Files.exists(ours) ? Files.readAllBytes(ours) : new byte[0];
            if (Arrays.equals(before, Files.readAllBytes(theirs))) {
                continue;
            }
            Files.copy(theirs, ours, StandardCopyOption.REPLACE_EXISTING);
            assertThatThrownBy(restored::open).isInstanceOf(OperatorError.class).hasMessageContaining(ours.toString());
            if (before.length == 0) {
                Files.delete(ours);
            } else {
                Files.write(ours, before);
            }
        }
        assertThat(restored.content()).isEqualTo(content);
    }
}
