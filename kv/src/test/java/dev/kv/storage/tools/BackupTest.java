package dev.kv.storage.tools;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.Bytes;
import dev.kv.router.OperatorError;
import dev.kv.router.Reply;
import dev.kv.router.spi.Engine.Checked;
import dev.kv.router.spi.Engine.Copied;
import dev.kv.router.spi.Engine.Damage;
import dev.kv.storage.DataFolder;
import dev.kv.storage.ExpiringContent;
import dev.kv.storage.format.Folder;
import dev.kv.storage.format.Layout;
import dev.kv.storage.format.Mark;
import dev.kv.storage.format.SegmentName;
import dev.kv.storage.log.SeenTime;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BackupTest {
    @TempDir
    private Path site;

    private DataFolder data;
    private Path backup;
    private DataFolder restored;

    @BeforeEach
    void write() throws Exception {
        data = new DataFolder(site.resolve("data"));
        backup = site.resolve("backup");
        restored = new DataFolder(site.resolve("restored"));
        data.open(storage -> {
            DataFolder.create(storage, "a");
            DataFolder.put(storage, "a", "one", "1");
        });
    }

    private static List<Damage> damages(Path backup) throws IOException {
        List<Damage> damages = new ArrayList<>();
        Checked checked = StoredBackup.verify(backup, _ -> {}, damages::add);
        assertThat(checked.damages()).isEqualTo(damages.size());
        return damages;
    }

    @Test
    void aRestoredBackupEqualsTheDataFolder() throws Exception {
        data.open(storage -> {
            DataFolder.put(storage, "a", "two", "2");
            DataFolder.setValue(storage, "session", "foo");
            Copied copied = storage.backup(backup);
            assertThat(copied.records()).isEqualTo(4);
            assertThat(copied.linked()).isPositive();
            DataFolder.put(storage, "a", "three", "3");
        });

        Checked checked = StoredBackup.verify(backup, _ -> {}, _ -> {});
        assertThat(checked.damages()).isZero();
        assertThat(checked.records()).isEqualTo(4);
        Copied copied = StoredBackup.restore(backup, restored.path());
        assertThat(copied.files()).isEqualTo(checked.files());
        assertThat(restored.verify(_ -> {}).damages()).isZero();
        Map<String, String> value = Map.of("", "foo");
        assertThat(restored.content()).isEqualTo(Map.of("a", Map.of("one", "1", "two", "2"), "session", value));
        assertThat(data.content())
                .isEqualTo(Map.of("a", Map.of("one", "1", "two", "2", "three", "3"), "session", value));
    }

    @ParameterizedTest(name = "of a running node: {0}")
    @ValueSource(booleans = {true, false})
    void aRestoredBackupHasTimesAndBeginsWithoutAClock(boolean isRunning) throws Exception {
        data.open(storage -> {
            ExpiringContent.writeFirst(storage);
            ExpiringContent.writeSecond(storage);
            assertThat(ExpiringContent.differences(storage)).isEmpty();
            if (isRunning) {
                storage.backup(backup);
            }
        });
        if (!isRunning) {
            data.backup(backup);
        }
        assertThat(data.path().resolve(SeenTime.FILE)).exists();

        StoredBackup.restore(backup, restored.path());

        assertThat(restored.path().resolve(SeenTime.FILE)).doesNotExist();
        // Not before the time that was seen to pass: what had expired by then may have been removed before the backup.
        restored.open(storage -> assertThat(ExpiringContent.differences(storage, ExpiringContent.SOON))
                .isEmpty());
    }

    /** All of it was on the disk: a start must not take the missing end for the effect of a power cut. */
    @Test
    void aRestoredFolderWhoseLastSegmentIsCutOffIsReported() throws Exception {
        data.backup(backup);
        StoredBackup.restore(backup, restored.path());
        Path last = restored.files(".log").getLast();
        byte[] whole = Files.readAllBytes(last);
        Files.write(last, Arrays.copyOf(whole, whole.length - Layout.ALIGNMENT));

        assertThat(restored.verify(_ -> {}).damages()).isPositive();
        assertThatThrownBy(restored::content).isInstanceOf(OperatorError.class).hasMessageContaining(last.toString());

        Files.write(last, whole);
        Files.delete(restored.path().resolve(Mark.FILE));
        assertThat(restored.verify(_ -> {}).damages()).isOne();
    }

    @Test
    void aNodeThatDoesNotRunIsBackedUpToo() throws Exception {
        data.backup(backup);
        StoredBackup.restore(backup, restored.path());

        assertThat(restored.content()).isEqualTo(data.content());
    }

    /** As a killed process leaves it: the last segment is longer than its records, and its end may be torn. */
    @Test
    void afterACrashABackupEqualsWhatTheNextStartReads() throws Exception {
        DataFolder crashed = new DataFolder(site.resolve("crashed"));
        data.open(storage -> {
            DataFolder.put(storage, "a", "two", "2");
            storage.backup(site.resolve("so that the mark is set"));
            DataFolder.put(storage, "a", "three", "3");
            DataFolder.copy(data.path(), crashed.path());
        });
        Path last = crashed.files(".log").getLast();
        byte[] bytes = Files.readAllBytes(last);
        int end = bytes.length;
        while (bytes[end - 1] == 0) {
            end--;
        }
        bytes[end + 8] = 1;
        Files.write(last, bytes);

        assertThat(crashed.damages()).isEmpty();
        crashed.backup(backup);
        StoredBackup.restore(backup, restored.path());
        assertThat(restored.content()).isEqualTo(Map.of("a", Map.of("one", "1", "two", "2", "three", "3")));
        assertThat(crashed.content()).isEqualTo(restored.content());
        assertThat(crashed.backup(backup).copied())
                .as("the same after the start")
                .isZero();
    }

    @Test
    void theNextBackupCopiesNewFilesOnly() throws Exception {
        data.open(storage -> {
            Copied first = storage.backup(backup);
            assertThat(first.kept()).isZero();
            Copied again = storage.backup(backup);
            assertThat(again.linked() + again.copied()).isZero();
            assertThat(again.kept()).isEqualTo(first.files() - 1);
            DataFolder.put(storage, "a", "two", "2");
            assertThat(storage.backup(backup).records()).isOne();
        });
        StoredBackup.restore(backup, restored.path());

        assertThat(restored.content()).isEqualTo(data.content());
    }

    @Test
    void aBackupRemovesFilesThatNoBackupNeeds() throws Exception {
        data.open(storage -> {
            for (int i = 0; i < 40_000; i++) {
                DataFolder.put(storage, "a", "key-" + i % 100, "value-" + i);
            }
            storage.backup(backup);
            List<Path> before = DataFolder.files(backup, ".log");
            Files.writeString(backup.resolve("notes.txt"), "not ours", UTF_8);
            storage.compact();
            storage.backup(backup);
            assertThat(DataFolder.files(backup, ".log")).hasSizeLessThan(before.size());
            assertThat(backup.resolve("notes.txt")).exists();
        });
        StoredBackup.restore(backup, restored.path());

        assertThat(restored.content()).isEqualTo(data.content());
    }

    @Test
    void anIncompleteBackupLeavesThePreviousOne() throws Exception {
        Map<String, Map<String, String>> first = data.content();
        data.backup(backup);
        data.open(storage -> {
            DataFolder.put(storage, "a", "two", "2");
            storage.compact();
        });
        try (Folder _ = Folder.hold(data.path());
                Backup begun = Backup.begin(data.path(), backup)) {
            for (SegmentName name : Folder.segments(data.path())) {
                begun.take(name, Files.size(data.path().resolve(name.log())));
            }
        }
        Files.writeString(backup.resolve("0000000000000063-0.log.tmp"), "half of it", UTF_8);

        assertThat(damages(backup)).isEmpty();
        StoredBackup.restore(backup, restored.path());
        assertThat(restored.content()).isEqualTo(first);

        data.backup(backup);
        assertThat(DataFolder.files(backup, ".tmp")).isEmpty();
        DataFolder again = new DataFolder(site.resolve("again"));
        StoredBackup.restore(backup, again.path());
        assertThat(again.content()).isEqualTo(data.content());
    }

    @Test
    void aFolderWithSomethingElseIsRefused() throws Exception {
        Path taken = Files.createDirectory(site.resolve("taken"));
        Files.writeString(taken.resolve("notes.txt"), "not ours", UTF_8);
        assertRefused(taken, " is not empty, and holds no backup: choose another folder");
        assertThat(DataFolder.files(taken, "")).containsExactly(taken.resolve("notes.txt"));

        DataFolder other = new DataFolder(site.resolve("other"));
        other.open(storage -> DataFolder.create(storage, "b"));
        other.backup(backup);
        assertRefused(
                backup,
                " holds a backup of another data folder, or of this one before it was restored: choose another folder");

        Path copy = DataFolder.copy(data.path(), site.resolve("copy"));
        assertRefused(copy, " is a data folder: choose another folder for the backup");
        assertThat(taken).isDirectoryContaining("glob:**/notes.txt");
    }

    @Test
    void aFolderInsideTheDataIsRefused() throws Exception {
        Path link = Files.createSymbolicLink(site.resolve("link"), data.path());
        for (Path inside : List.of(data.path(), data.path().resolve("x"), link.resolve("x/y"))) {
            assertRefused(inside, " is inside the data folder: choose one outside, best on another disk");
        }
        assertThat(data.path().resolve("x")).doesNotExist();
    }

    private void assertRefused(Path folder, String why) {
        assertThatThrownBy(() -> data.backup(folder))
                .isInstanceOf(OperatorError.class)
                .hasMessage(folder + why);
    }

    /** The restored folder and the original may give the same name to different segments. */
    @Test
    void aRestoredFolderIsAnotherOneForBackups() throws Exception {
        data.backup(backup);
        StoredBackup.restore(backup, restored.path());

        assertThatThrownBy(() -> restored.backup(backup))
                .isInstanceOf(OperatorError.class)
                .hasMessageContaining("of this one before it was restored");
        Path another = site.resolve("another");
        restored.backup(another);
        DataFolder again = new DataFolder(site.resolve("again"));
        StoredBackup.restore(another, again.path());
        assertThat(again.content()).isEqualTo(data.content());
    }

    @Test
    void nothingIsRestoredIntoAFolderThatIsNotEmpty() throws Exception {
        data.backup(backup);

        assertThatThrownBy(() -> StoredBackup.restore(backup, data.path()))
                .isInstanceOf(OperatorError.class)
                .hasMessage(data.path() + " is not empty: move away what is there, or choose another kv.storage.dir");
        assertThatThrownBy(() -> StoredBackup.restore(site.resolve("nowhere"), restored.path()))
                .isInstanceOf(OperatorError.class)
                .hasMessage(site.resolve("nowhere") + " does not exist: choose the folder of a backup");
        assertThatThrownBy(() -> StoredBackup.restore(site, restored.path()))
                .isInstanceOf(OperatorError.class)
                .hasMessage(site + " holds no backup that was completed: choose another folder");
    }

    @Test
    void aNodeDoesNotStartWithWhatWasRestoredInPart() throws Exception {
        data.backup(backup);
        Files.createDirectory(restored.path());
        Folder.beginRestored(restored.path());

        assertThatThrownBy(restored::open)
                .isInstanceOf(OperatorError.class)
                .hasMessage(restored.path()
                        + ": a restore did not end: remove what is in the folder, and run kv restore again");
    }

    @Test
    void anyDamagedByteOfABackupIsFoundAndNothingRestored() throws Exception {
        data.backup(backup);
        for (Path file : DataFolder.files(backup, "")) {
            if (file.endsWith("lock")) {
                continue;
            }
            for (long at = 0; at < Files.size(file); at++) {
                DataFolder.flip(file, at);
                if (file.endsWith("manifest")) {
                    assertThatThrownBy(() -> damages(backup)).isInstanceOf(OperatorError.class);
                } else {
                    assertThat(damages(backup))
                            .as("%s, byte %d", file, at)
                            .isNotEmpty()
                            .allMatch(damage -> damage.file().equals(file));
                }
                assertThatThrownBy(() -> StoredBackup.restore(backup, restored.path()))
                        .as("%s, byte %d", file, at)
                        .isInstanceOf(OperatorError.class)
                        .hasMessageContaining(file.toString());
                assertThat(DataFolder.files(restored.path(), "")).allMatch(left -> left.endsWith("lock"));
                DataFolder.flip(file, at);
            }
        }
        assertThat(damages(backup)).isEmpty();
    }

    @Test
    void aFileThatABackupLacksIsFound() throws Exception {
        data.backup(backup);
        Path segment = DataFolder.files(backup, ".log").getFirst();
        Files.delete(segment);

        assertThat(damages(backup)).singleElement().satisfies(damage -> {
            assertThat(damage.file()).isEqualTo(segment);
            assertThat(damage.what()).isEqualTo("it is missing");
        });
        data.backup(backup);
        assertThat(damages(backup)).isEmpty();
    }

    @Test
    void damagedDataIsNotTakenForABackup() throws Exception {
        data.backup(backup);
        data.open(storage -> storage.buckets().edit(0, Bytes.of("b"), bucket -> {
            bucket.set(Bytes.of("k"), Bytes.of("the value"));
            return Reply.OK;
        }));
        Path segment = data.files(".log").getLast();
        DataFolder.flip(segment, Files.size(segment) - 8);

        assertThatThrownBy(() -> data.backup(backup))
                .isInstanceOf(OperatorError.class)
                .hasMessageContaining(segment.toString());
        StoredBackup.restore(backup, restored.path());
        assertThat(restored.content()).isEqualTo(Map.of("a", Map.of("one", "1")));
    }

    @Test
    void twoBackupsIntoOneFolderTakeTurns() throws Exception {
        data.backup(backup);
        try (Folder _ = Folder.hold(data.path());
                Backup _ = Backup.begin(data.path(), backup)) {
            assertThatThrownBy(() -> Backup.begin(data.path(), backup))
                    .isInstanceOf(OperatorError.class)
                    .hasMessageContaining("is in use by another process");
        }
    }
}
