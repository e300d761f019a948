package dev.kv.storage.log;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.Bytes;
import dev.kv.router.OperatorError;
import dev.kv.storage.DataFolder;
import dev.kv.storage.format.Draft;
import dev.kv.storage.format.Format;
import dev.kv.storage.format.Layout;
import dev.kv.storage.format.SegmentName;
import dev.kv.storage.tools.StoredBackup;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Folders with a file that is missing, is an older one, has the name of another one, or is that of another folder: they are refused,
 * or hold what they held before.
 */
@Timeout(600)
class MisplacedFilesTest {
    @TempDir
    private Path site;

    /** A folder with several segments, after a stop in order. */
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

    /** As a repair leaves it that is killed after it took the wrong names away, and before it gave all right ones. */
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
                        .set(Bytes.of("key-1"), Bytes.of("old"), 0)
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
     * As a process leaves it that is killed after a rescue has written the list, and before it has truncated anything; and while a new
     * segment has no header yet.
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

    /** Both folders write segments of the same names; their headers differ. */
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
