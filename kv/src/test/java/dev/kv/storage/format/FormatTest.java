package dev.kv.storage.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.OperatorError;
import dev.kv.router.spi.Engine.Copied;
import dev.kv.router.spi.Engine.Damage;
import dev.kv.storage.DataFolder;
import dev.kv.storage.ExpiringContent;
import dev.kv.storage.tools.StoredBackup;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Folders that earlier releases wrote. Those of format 1 are of the last release before format 2: with deletes, drops, buckets that took the
 * place of others, rewritten segments, hints and a mark; one was stopped in order, the other one killed. That of format 2 has values, buckets
 * and keys that expire.
 */
class FormatTest {
    @TempDir
    private Path site;

    private static Path resource(String name) {
        try {
            return Path.of(FormatTest.class.getResource("/" + name).toURI());
        } catch (URISyntaxException e) {
            throw new AssertionError(e);
        }
    }

    private DataFolder copy(String name) throws IOException {
        return new DataFolder(DataFolder.copy(resource("format-1/" + name), site.resolve(name)));
    }

    /** The content of the folder as its release read it: a line for each bucket, and one that begins with a tab for each pair. */
    private static Map<String, Map<String, String>> expected(String name) throws IOException {
        Map<String, Map<String, String>> content = new TreeMap<>();
        Map<String, String> values = new TreeMap<>();
        for (String line : Files.readAllLines(resource("format-1/" + name + ".tsv"))) {
            int value = line.lastIndexOf('\t');
            if (value < 0) {
                values = new TreeMap<>();
                content.put(line, values);
            } else {
                values.put(line.substring(1, value), line.substring(value + 1));
            }
        }
        return content;
    }

    private static int version(DataFolder folder) throws IOException {
        return Format.read(folder.path()).version();
    }

    @ParameterizedTest
    @ValueSource(strings = {"stopped", "killed"})
    void aFolderOfFormat1IsReadAndWrittenOnInFormat2(String name) throws Exception {
        DataFolder folder = copy(name);
        Map<String, Map<String, String>> content = expected(name);
        assertThat(folder.damages()).isEmpty();
        assertThat(folder.repair()).isEmpty();
        assertThat(version(folder)).as("looked at alone").isOne();

        assertThat(folder.content()).isEqualTo(content);
        assertThat(version(folder)).isEqualTo(2);
        assertThat(folder.damages()).isEmpty();

        folder.open(storage -> {
            DataFolder.put(storage, "b1", "new", "value");
            storage.compact();
        });
        content.get("b1").put("new", "value");
        assertThat(folder.content()).isEqualTo(content);
        assertThat(folder.damages()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"stopped", "killed"})
    void aFolderOfFormat1WithoutItsHintsHoldsTheSame(String name) throws Exception {
        DataFolder folder = copy(name);
        for (Path hint : folder.files(".hint")) {
            Files.delete(hint);
        }
        assertThat(folder.content()).isEqualTo(expected(name));
    }

    /** The steps of the upgrade: the list, the mark, and {@code format} last. */
    @Test
    void aStartThatBreaksOffOnTheWayToFormat2IsDoneAgain() throws Exception {
        DataFolder folder = copy("killed");
        byte[] format = Files.readAllBytes(folder.path().resolve("format"));
        byte[] mark = Files.readAllBytes(folder.path().resolve("mark"));
        folder.open(_ -> {});

        for (boolean hasOldMark : new boolean[] {true, false}) {
            DataFolder brokenOff =
                    new DataFolder(DataFolder.copy(folder.path(), site.resolve("broken-off-" + hasOldMark)));
            Files.write(brokenOff.path().resolve("format"), format);
            if (hasOldMark) {
                Files.write(brokenOff.path().resolve("mark"), mark);
            }
            assertThat(brokenOff.damages()).isEmpty();
            assertThat(brokenOff.content()).isEqualTo(expected("killed"));
            assertThat(version(brokenOff)).isEqualTo(2);
        }
    }

    @Test
    void aDamagedFolderOfFormat1IsRepaired() throws Exception {
        DataFolder folder = copy("stopped");
        Path segment = folder.files(".log").getFirst();
        DataFolder.flip(segment, 33);

        List<Damage> damages = folder.damages();
        assertThat(damages).isNotEmpty();
        assertThat(folder.repair()).isEqualTo(damages);
        assertThat(folder.damages()).isEmpty();
        assertThat(folder.content()).isEqualTo(expected("stopped"));
    }

    @Test
    void aBackupOfFormat1IsVerifiedAndRestored() throws Exception {
        Path backup = copy("backup").path();
        List<Damage> damages = new ArrayList<>();
        StoredBackup.verify(backup, _ -> {}, damages::add);
        assertThat(damages).isEmpty();

        DataFolder restored = new DataFolder(site.resolve("restored"));
        StoredBackup.restore(backup, restored.path());
        assertThat(version(restored)).isEqualTo(2);
        assertThat(restored.damages()).isEmpty();
        assertThat(restored.content()).isEqualTo(expected("backup"));
    }

    @Test
    void aBackupOfFormat1GoesOnWithTheFolderInFormat2() throws Exception {
        Path backup = copy("backup").path();
        DataFolder folder = copy("stopped");
        folder.open(storage -> DataFolder.put(storage, "b1", "new", "value"));

        Copied copied = folder.backup(backup);
        assertThat(copied.kept()).isPositive();
        DataFolder restored = new DataFolder(site.resolve("restored"));
        StoredBackup.restore(backup, restored.path());
        assertThat(restored.content()).isEqualTo(folder.content());
    }

    @Test
    void aSegmentOfFormat1IsNotTakenBehindTheListOfFormat2() throws Exception {
        DataFolder folder = copy("stopped");
        folder.open(_ -> {});
        Path first = resource("format-1/killed").resolve("0000000000000008-0.log");
        Files.copy(first, folder.path().resolve(first.getFileName()));

        assertThatThrownBy(folder::open)
                .isInstanceOf(OperatorError.class)
                .hasMessageContaining("0000000000000008-0.log")
                .hasMessageContaining("it is of another data folder");
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void timesThatAnEarlierReleaseWroteAreReadAsTheyWereWritten(boolean hasHints) throws Exception {
        DataFolder folder = new DataFolder(DataFolder.copy(resource("format-2/expiring"), site.resolve("expiring")));
        if (!hasHints) {
            for (Path hint : folder.files(".hint")) {
                Files.delete(hint);
            }
        }
        assertThat(folder.damages()).isEmpty();
        folder.open(storage -> storage.compact());
        folder.open(storage -> assertThat(ExpiringContent.differences(storage)).isEmpty());
    }
}
