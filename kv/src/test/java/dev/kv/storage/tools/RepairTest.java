package dev.kv.storage.tools;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import dev.kv.router.Bytes;
import dev.kv.router.OperatorError;
import dev.kv.router.metrics.Metrics;
import dev.kv.router.spi.Engine.Damage;
import dev.kv.storage.DataFolder;
import dev.kv.storage.format.Folder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Damaged data folders: what `kv verify` reports and `kv repair` does. */
class RepairTest extends WithSmallFolder {
    private Path segment() throws IOException {
        List<Path> segments = data.files(".log");
        assertThat(segments).hasSize(1);
        return segments.getFirst();
    }

    @Test
    void aRepairLeavesASoundFolderUnchanged() throws Exception {
        byte[] before = Files.readAllBytes(segment());

        assertThat(data.damages()).isEmpty();
        assertThat(data.repair()).isEmpty();

        assertThat(segment()).hasBinaryContent(before);
        assertThat(data.path().resolve("damaged")).doesNotExist();
    }

    @Test
    void aDamagedValueCostsItsChangeAndNoOther() throws Exception {
        Path segment = segment();
        long value = find(segment, "the fourth");
        byte[] before = Files.readAllBytes(segment);
        DataFolder.flip(segment, value);
        Files.delete(data.files(".hint").getFirst());
        assertThatThrownBy(data::open)
                .isInstanceOf(OperatorError.class)
                .hasMessageContaining(segment.toString())
                .hasMessageContaining("`kv repair` sets aside what is damaged");

        List<Damage> damages = data.damages();
        assertThat(damages).hasSize(2).allMatch(damage -> damage.file().equals(segment));
        assertThat(damages).extracting(damage -> damage.bucket().orElseThrow()).containsOnly(Bytes.of("b"));
        assertThat(damages)
                .extracting(damage -> damage.key().orElseThrow().text(), Damage::what)
                .containsExactly(
                        tuple("three", "the record of this change is damaged"),
                        tuple("four", "the checksum of the field is wrong"));
        Damage four = damages.getLast();
        assertThat(value).isBetween(four.offset(), four.offset() + four.bytes());

        assertThat(data.repair()).isEqualTo(damages);

        assertThat(data.damages()).isEmpty();
        assertThat(data.content()).isEqualTo(Map.of("a", Map.of("one", "1", "two", "2", "five", "5")));
        List<Path> aside = DataFolder.files(data.path().resolve("damaged"), "");
        long from = damages.getFirst().offset();
        byte[] range = Arrays.copyOfRange(
                before, (int) from, (int) (from + damages.getFirst().bytes()));
        range[(int) (value - from)] ^= 0x10;
        assertThat(aside).singleElement().satisfies(file -> {
            assertThat(file).hasFileName("0000000000000001-0-" + from).hasBinaryContent(range);
        });
    }

    @Test
    void theNameOfADamagedValueIsTold() throws Exception {
        DataFolder values = new DataFolder(site.resolve("values"));
        values.open(storage -> {
            DataFolder.setValue(storage, "session", "the-value");
            DataFolder.setValue(storage, "other", "sound");
        });
        Path segment = values.files(".log").getLast();
        DataFolder.flip(segment, find(segment, "the-value"));

        List<Damage> damages = values.damages();

        assertThat(damages).singleElement().satisfies(damage -> {
            assertThat(damage.what()).isEqualTo("the checksum of the value is wrong");
            assertThat(damage.bucket()).contains(Bytes.of("session"));
            assertThat(damage.key()).isEmpty();
        });
        assertThat(values.repair()).isEqualTo(damages);
        assertThat(values.damages()).isEmpty();
        assertThat(values.content()).isEqualTo(Map.of("other", Map.of("", "sound")));
    }

    private DataFolder fourValues() throws Exception {
        DataFolder values = new DataFolder(site.resolve("values"));
        values.open(storage -> {
            for (String name : List.of("first", "second", "third", "fourth")) {
                DataFolder.setValue(storage, name, "the-value-of-" + name);
            }
        });
        return values;
    }

    /** Writes zeros. */
    private static void overwrite(Path file, long from, int bytes) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.allocate(bytes), from);
        }
    }

    private static void assertTheFourthIsLeft(DataFolder values) throws Exception {
        List<Damage> damages = values.damages();

        assertThat(damages)
                .extracting(damage -> damage.bucket().map(Bytes::text).orElse(""))
                .containsExactly("first", "second", "third");
        assertThat(values.repair()).isEqualTo(damages);
        assertThat(values.damages()).isEmpty();
        assertThat(values.content()).isEqualTo(Map.of("fourth", Map.of("", "the-value-of-fourth")));
    }

    @Test
    void theNamesOfDamagedNeighboursAreTold() throws Exception {
        DataFolder values = fourValues();
        Path segment = values.files(".log").getLast();
        for (String damaged : List.of("first", "second", "third")) {
            DataFolder.flip(segment, find(segment, "the-value-of-" + damaged));
        }

        assertTheFourthIsLeft(values);
    }

    /** As a bad sector leaves it: no record can be told there, but the hint has the names. */
    @Test
    void theHintGivesTheNamesOfWhatIsOverwritten() throws Exception {
        DataFolder values = fourValues();
        Path segment = values.files(".log").getLast();
        long from = find(segment, "the-value-of-first");
        long to = find(segment, "the-value-of-third");
        overwrite(segment, from, (int) (to - from));

        assertTheFourthIsLeft(values);
    }

    @Test
    void aHintOfALaterReleaseGivesNoNamesAndEndsNoRepair() throws Exception {
        DataFolder values = fourValues();
        Path segment = values.files(".log").getLast();
        overwrite(segment, find(segment, "the-value-of-first") - 32, 32);
        DataFolder.makeKindUnknown(values.files(".hint").getLast());

        assertThat(values.repair()).isNotEmpty();

        assertThat(values.damages()).isEmpty();
        assertThat(values.content()).containsEntry("second", Map.of("", "the-value-of-second"));
    }

    /** The search behind a damaged length is bounded by what it has to check; this looks like a record with a field of gigabytes. */
    @Test
    void whatLooksLikeALargeRecordDoesNotEndTheSearchForSoundOnes() throws Exception {
        String like = "\0".repeat(4) + "0" + "\0".repeat(23) + "~".repeat(8) + "\0".repeat(24);
        DataFolder values = new DataFolder(site.resolve("values"));
        values.open(storage -> {
            DataFolder.setValue(storage, "first", like);
            DataFolder.setValue(storage, "second", "2");
        });
        Path segment = values.files(".log").getLast();
        DataFolder.flip(segment, 64 + 4);

        assertThat(values.repair())
                .singleElement()
                .satisfies(damage -> assertThat(damage.offset()).isEqualTo(64));

        assertThat(values.content()).isEqualTo(Map.of("second", Map.of("", "2")));
    }

    /** As a repair or a compaction leaves it that ends before it writes the list. */
    @Test
    void aFileThatHasTheNameOfTheRepairedSegmentIsReplaced() throws Exception {
        Path segment = segment();
        long value = find(segment, "the fourth");
        Path earlier = segment.resolveSibling("0000000000000001-1.log");
        Files.copy(segment, earlier);
        DataFolder.flip(segment, value);

        assertThat(data.repair()).isNotEmpty();

        assertThat(earlier).exists();
        assertThat(data.damages()).isEmpty();
        assertThat(data.content()).isEqualTo(Map.of("a", Map.of("one", "1", "two", "2", "five", "5")));
    }

    /** The file is truncated behind its first page while it is read: as with a bad sector, no later page can be read. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void unreadableRangesAreReportedAndSetAside(boolean isRepaired) throws Exception {
        DataFolder large = new DataFolder(site.resolve("large"));
        large.open(storage -> {
            DataFolder.create(storage, "a");
            DataFolder.put(storage, "a", "first", "the-first");
            for (int i = 0; i < 50; i++) {
                DataFolder.put(storage, "a", "key-" + i, "x".repeat(1_000));
            }
        });
        Path segment = large.files(".log").getFirst();
        long bytes = Files.size(segment);
        DataFolder.flip(segment, find(segment, "the-first"));
        List<Damage> damages = new ArrayList<>();
        Consumer<Damage> cutting = damage -> {
            damages.add(damage);
            try (FileChannel file = FileChannel.open(segment, StandardOpenOption.WRITE)) {
                file.truncate(4096);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        };

        if (isRepaired) {
            try (Folder folder = Folder.holdExisting(large.path())) {
                Repair.of(folder, _ -> {}, cutting);
            }
        } else {
            large.verify(cutting);
        }

        assertThat(damages).hasSizeGreaterThan(1);
        assertThat(damages.getFirst().key()).contains(Bytes.of("first"));
        Damage last = damages.getLast();
        assertThat(last.what()).isEqualTo("a part of it cannot be read");
        assertThat(last.offset()).isLessThan(4096);
        assertThat(last.offset() + last.bytes()).isEqualTo(bytes);
        if (isRepaired) {
            assertThat(large.damages()).isEmpty();
            assertThat(large.content().get("a")).containsKeys("key-0", "key-1").doesNotContainKeys("first", "key-49");
        }
    }

    /** Each byte of the segment in turn: the damage is reported and repaired, and no value is read that was not written. */
    @Test
    void anyDamagedByteIsFoundAndRepaired() throws Exception {
        Map<String, Map<String, String>> written = data.content();
        Path hint = data.files(".hint").getFirst();
        long bytes = Files.size(segment());
        for (long at = 0; at < bytes; at++) {
            Path copy = DataFolder.copy(data.path(), site.resolve("copy-" + at));
            DataFolder damaged = new DataFolder(copy);
            DataFolder.flip(damaged.files(".log").getFirst(), at);
            Files.delete(copy.resolve(hint.getFileName()));
            boolean isPadding = damaged.damages().isEmpty();
            if (isPadding) {
                assertThat(damaged.content()).as("byte %d", at).isEqualTo(written);
                continue;
            }
            assertThat(damaged.repair()).as("byte %d", at).isNotEmpty();
            assertThat(damaged.damages()).as("byte %d", at).isEmpty();
            Map<String, Map<String, String>> left = damaged.content();
            assertThat(lost(written, left)).as("byte %d", at).isLessThanOrEqualTo(2);
            assertThat(DataFolder.files(copy.resolve("damaged"), "")).hasSize(1);
        }
    }

    /** Number of missing pairs; all others must be unchanged. */
    private static int lost(Map<String, Map<String, String>> written, Map<String, Map<String, String>> left) {
        int lost = 0;
        for (Map.Entry<String, Map<String, String>> bucket : written.entrySet()) {
            Map<String, String> values = left.getOrDefault(bucket.getKey(), Map.of());
            Map<String, String> missing = new TreeMap<>(bucket.getValue());
            missing.keySet().removeAll(values.keySet());
            lost += missing.size();
            assertThat(bucket.getValue()).containsAllEntriesOf(values);
        }
        assertThat(written.keySet()).containsAll(left.keySet());
        return lost;
    }

    @Test
    void aHeaderThatIsDamagedCostsNoRecord() throws Exception {
        Map<String, Map<String, String>> written = data.content();
        DataFolder.flip(segment(), 33);

        assertThat(data.damages())
                .singleElement()
                .satisfies(damage -> assertThat(damage.what()).isEqualTo("the checksum of its header is wrong"));
        assertThat(data.repair()).hasSize(1);
        assertThat(data.content()).isEqualTo(written);
    }

    @Test
    void aSegmentOfNothingButGarbageIsSetAside() throws Exception {
        Path segment = segment();
        byte[] garbage = new byte[4096];
        new Random(1).nextBytes(garbage);
        Files.write(segment, garbage);

        assertThat(data.repair()).isNotEmpty();
        assertThat(data.content()).isEmpty();
        assertThat(DataFolder.files(data.path().resolve("damaged"), "")).hasSize(2);
    }

    @Test
    void aMarkThatIsMissingOrDamagedIsMadeAnew() throws Exception {
        Map<String, Map<String, String>> written = data.content();
        Path mark = data.path().resolve("mark");
        for (boolean isMissing : new boolean[] {true, false}) {
            if (isMissing) {
                Files.delete(mark);
            } else {
                DataFolder.flip(mark, 20);
                DataFolder.flip(mark, 68);
            }

            assertThat(data.damages())
                    .singleElement()
                    .satisfies(damage -> assertThat(damage.file()).isEqualTo(mark));
            assertThat(data.repair()).hasSize(1);
            assertThat(data.damages()).isEmpty();
            assertThat(data.content()).isEqualTo(written);
        }
    }

    @Test
    void aStartWithoutAMarkIsToldByTheState() throws Exception {
        Path mark = data.path().resolve("mark");
        Files.delete(mark);

        data.open(storage -> assertThat(Metrics.texts(storage.metrics()).get("state"))
                .isEqualTo(mark
                        + " was replaced: it is missing, so a loss at the end of the log is not noticed; if the host"
                        + " crashed, compare with a backup"));
        data.open(storage ->
                assertThat(Metrics.texts(storage.metrics()).get("state")).isEqualTo("ok"));
    }

    @Test
    void aHintThatIsDamagedIsRemoved() throws Exception {
        Path hint = data.files(".hint").getFirst();
        DataFolder.flip(hint, Files.size(hint) - 3);

        assertThat(data.damages())
                .singleElement()
                .satisfies(damage -> assertThat(damage.file()).isEqualTo(hint));
        assertThat(data.repair()).hasSize(1);
        assertThat(hint).doesNotExist();
        assertThat(data.damages()).isEmpty();
    }

    @Test
    void aFormatThatIsDamagedOrMissingComesFromABackup() throws Exception {
        Path format = data.path().resolve("format");
        Files.writeString(format, "kv storage fortmat 1\n", UTF_8);
        assertThatThrownBy(data::repair)
                .isInstanceOf(OperatorError.class)
                .hasMessage(format + " is damaged: restore it from a backup");
        assertThatThrownBy(data::damages).hasMessage(format + " is damaged: restore it from a backup");

        Files.delete(format);
        assertThatThrownBy(data::repair)
                .isInstanceOf(OperatorError.class)
                .hasMessage(format + " is missing, and there are segments: restore it from a backup");
    }

    @Test
    void aRepairMakesNoDataFolder() {
        DataFolder nothing = new DataFolder(site.resolve("nothing"));

        assertThatThrownBy(nothing::repair)
                .isInstanceOf(OperatorError.class)
                .hasMessage(nothing.path() + " holds no buckets: check kv.storage.dir");
        assertThat(nothing.path()).doesNotExist();
    }
}
