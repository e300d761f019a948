package dev.kv.storage.tools;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.OperatorError;
import dev.kv.router.Reply;
import dev.kv.router.metrics.Metrics;
import dev.kv.router.spi.Engine.Damage;
import dev.kv.storage.DataFolder;
import dev.kv.storage.engine.Bucket;
import dev.kv.storage.format.Draft;
import dev.kv.storage.format.Folder;
import dev.kv.storage.format.Format;
import dev.kv.storage.format.Layout;
import dev.kv.storage.format.Mark;
import dev.kv.storage.format.SegmentHeader;
import dev.kv.storage.format.SegmentName;
import dev.kv.storage.log.Segment;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Data folders that something has damaged, as `kv verify` and `kv repair` treat them. */
class RepairTest {
    /** For some 64 MiB, many times what that takes on a busy machine; what is not linear takes hours. */
    private static final Duration LINEAR_MAX = Duration.ofSeconds(60);

    @TempDir
    private Path site;

    private DataFolder data;

    @BeforeEach
    void write() throws Exception {
        data = new DataFolder(site.resolve("data"));
        data.open(storage -> {
            DataFolder.create(storage, "a");
            DataFolder.put(storage, "a", "one", "1");
            DataFolder.put(storage, "a", "two", "2");
            storage.buckets().edit(Bytes.of("b"), bucket -> {
                bucket.set(Bytes.of("three"), Bytes.of("3"));
                bucket.set(Bytes.of("four"), Bytes.of("the fourth"));
                return Reply.OK;
            });
            DataFolder.put(storage, "a", "five", "5");
        });
    }

    private Path segment() throws IOException {
        List<Path> segments = data.files(".log");
        assertThat(segments).hasSize(1);
        return segments.getFirst();
    }

    private static long find(Path file, String text) throws IOException {
        return new String(Files.readAllBytes(file), ISO_8859_1).indexOf(text);
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

    /** As a repair leaves it that ended before the list was written, or a compaction. */
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

    /** The file is cut off behind its first page while it is read: as with a bad sector, no page behind that can be read. */
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

    /** Every byte of the segment, one after the other: verified as damaged, repaired, and never anything that was not written. */
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

    /** How many pairs are missing; all others must be as they were. */
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

    /** A crash of the host left a torn record behind the mark, and a segment after that; something damaged what is before. */
    @Test
    void aRepairDoesNotReviveRecordsBehindATornOne() throws Exception {
        DataFolder crashed = new DataFolder(site.resolve("crashed"));
        data.open(storage -> {
            storage.backup(site.resolve("so that the mark is set"));
            DataFolder.put(storage, "a", "six", "6");
            DataFolder.copy(data.path(), crashed.path());
        });
        Path torn = crashed.files(".log").getLast();
        byte[] bytes = Files.readAllBytes(torn);
        int end = (int) Layout.padded(find(torn, "six") + "six".length() + 1);
        bytes[end + 4] = 64;
        Files.write(torn, bytes);
        SegmentName next =
                new SegmentName(SegmentName.of(torn.getFileName().toString()).number() + 1, 0);
        try (Segment following = Segment.create(crashed.path().resolve(next.log()), next, 4096)) {
            following.begin(Format.read(crashed.path()).id(), next.number() - 1, end + 64);
            following.append(new Draft()
                    .begin(Layout.WRITE, 0, 1, "a".getBytes(UTF_8))
                    .set(Bytes.of("seven"), Bytes.of("7"))
                    .end());
        }
        assertThat(crashed.damages()).as("nobody was promised what is torn").isEmpty();

        DataFolder both = new DataFolder(DataFolder.copy(crashed.path(), site.resolve("both")));
        assertThat(both.repair()).isEmpty();
        Map<String, String> whole = Map.of("one", "1", "two", "2", "five", "5", "six", "6");
        assertThat(both.content().get("a")).isEqualTo(whole);

        DataFolder.flip(torn, 33);
        Mark.Position marked = new Mark.Position(next.number() - 1, end, 100);
        Mark.open(crashed.path(), Format.read(crashed.path()).id(), Optional.of(marked))
                .close();
        assertThat(crashed.repair())
                .extracting(damage -> damage.file().getFileName().toString())
                .containsExactly(torn.getFileName().toString(), next.log());
        assertThat(crashed.content().get("a")).isEqualTo(whole);
    }

    /** Of the bucket that has the other name then nothing is lost but that. */
    @Test
    void aBucketWhoseRenameIsDamagedGetsItsOldNameBack() throws Exception {
        data.open(storage -> {
            storage.buckets().publisher().rename(Bytes.of("a"), Bytes.of("renamed"), (_, _) -> true);
            DataFolder.put(storage, "renamed", "six", "6");
        });
        Path last = data.files(".log").getLast();
        DataFolder.flip(last, find(last, "renamed"));
        Files.delete(data.files(".hint").getLast());

        assertThat(data.damages())
                .singleElement()
                .satisfies(damage -> assertThat(damage.bucket()).isPresent());
        assertThat(data.repair()).hasSize(1);
        assertThat(data.content().get("a")).containsEntry("one", "1").containsEntry("six", "6");
        assertThat(data.content()).doesNotContainKey("renamed");
    }

    @Test
    void aBucketWhosePublishRecordIsDamagedIsReportedAndDropped() throws Exception {
        data.open(storage -> {
            Bucket hidden = storage.buckets().publisher().hidden(Bytes.of("imported"));
            storage.buckets().publisher().fill(hidden, bucket -> bucket.set(Bytes.of("k"), Bytes.of("v")));
            storage.buckets().publisher().publish(hidden, _ -> true);
        });
        assertThat(data.content()).containsKey("imported");
        Path segment = data.files(".log").get(1);
        long record = new String(Files.readAllBytes(segment), ISO_8859_1).lastIndexOf("imported");
        DataFolder.flip(segment, record - Layout.FIELD_KEY);
        Files.delete(data.files(".hint").get(1));

        assertThat(data.damages())
                .singleElement()
                .satisfies(damage -> assertThat(damage.bucket()).contains(Bytes.of("imported")));
        assertThat(data.repair()).hasSize(1);
        assertThat(data.content()).doesNotContainKey("imported").containsKey("a");
    }

    /** What a process leaves that is killed, in a segment of so many bytes. */
    private DataFolder killed(long segmentBytes) throws Exception {
        DataFolder killed = new DataFolder(site.resolve("killed"));
        data.open(storage -> {
            DataFolder.put(storage, "a", "six", "6");
            DataFolder.image(data.path(), killed.path());
        });
        try (FileChannel last = FileChannel.open(killed.files(".log").getLast(), StandardOpenOption.WRITE)) {
            assertThat(last.size()).isLessThan(segmentBytes);
            last.write(ByteBuffer.wrap(new byte[1]), segmentBytes - 1);
        }
        return killed;
    }

    @Test
    void theZerosBehindTheLogAreItsEndThoughTheMarkIsLost() throws Exception {
        DataFolder killed = killed(64 << 20);
        Path mark = killed.path().resolve("mark");
        Files.delete(mark);

        assertTimeoutPreemptively(LINEAR_MAX, () -> {
            assertThat(killed.damages())
                    .singleElement()
                    .satisfies(damage -> assertThat(damage.file()).isEqualTo(mark));
            assertThat(killed.repair()).hasSize(1);
            assertThat(killed.damages()).isEmpty();
        });
        assertThat(killed.content().get("a")).containsEntry("six", "6").hasSize(4);
    }

    @Test
    void zerosBeforeARecordAreOneDamage() throws Exception {
        DataFolder killed = killed(64 << 20);
        Path last = killed.files(".log").getLast();
        DataFolder.flip(last, (64 << 20) - 16);
        Files.delete(killed.path().resolve("mark"));

        assertTimeoutPreemptively(LINEAR_MAX, () -> {
            assertThat(killed.damages())
                    .extracting(Damage::file)
                    .containsExactlyInAnyOrder(killed.path().resolve("mark"), last);
            assertThat(killed.repair()).hasSize(2);
        });
        assertThat(killed.content().get("a")).containsEntry("six", "6").hasSize(4);
    }

    /** Each of many bytes looks like the beginning of a record with a name of a mebibyte. */
    @Test
    void valuesThatLookLikeRecordsAreSearchedInLinearTime() throws Exception {
        byte[] value = new byte[16 << 20];
        ByteBuffer numbers = ByteBuffer.wrap(value).order(ByteOrder.LITTLE_ENDIAN);
        for (int at = 0; at < value.length; at += 32) {
            numbers.putInt(at + Layout.RECORD_LENGTH, 2 << 20).putInt(at + Layout.RECORD_NAME_BYTES, 1 << 20);
        }
        data.open(storage -> assertThat(
                        storage.run(new Command.Put(Bytes.of("a"), Bytes.of("large"), Bytes.owning(value)))
                                .toCompletableFuture()
                                .join())
                .isEqualTo(Reply.OK));
        Path last = data.files(".log").getLast();
        DataFolder.flip(last, SegmentHeader.BYTES + Layout.RECORD_LENGTH + 3);

        assertTimeoutPreemptively(LINEAR_MAX, () -> {
            assertThat(data.damages()).hasSize(1);
            assertThat(data.repair()).isNotEmpty();
        });
        assertThat(data.content().get("a")).containsEntry("one", "1").doesNotContainKey("large");
    }

    /** Damage in several segments, of which some were rewritten, and a node that goes on after the repair. */
    @Test
    void aNodeGoesOnWithWhatSeveralSegmentsHaveLeft() throws Exception {
        data.open(storage -> {
            for (int i = 0; i < 20_000; i++) {
                DataFolder.put(storage, "a", "key-" + i % 5_000, "value-" + i);
            }
            storage.compact();
            for (int i = 0; i < 20_000; i++) {
                DataFolder.put(storage, "a", "more-" + i, "value-" + i);
            }
        });
        Map<String, Map<String, String>> written = data.content();
        List<Path> segments = data.files(".log");
        assertThat(segments).hasSizeGreaterThan(2);
        for (Path segment : segments) {
            DataFolder.flip(segment, Files.size(segment) / 2);
        }
        for (Path hint : data.files(".hint")) {
            Files.delete(hint);
        }

        List<Damage> damages = data.damages();
        assertThat(damages).hasSameSizeAs(segments);
        assertThat(data.repair()).isEqualTo(damages);
        data.open(storage -> DataFolder.put(storage, "a", "new", "value"));
        data.open(storage -> {
            assertThat(DataFolder.get(storage, "a", "new")).isEqualTo(new Reply.Value(Bytes.of("value")));
            storage.compact();
        });
        Map<String, String> left = new TreeMap<>(data.content().get("a"));
        assertThat(left.remove("new")).isEqualTo("value");
        assertThat(written.get("a")).containsAllEntriesOf(left);
        assertThat(written.get("a")).hasSizeLessThanOrEqualTo(left.size() + damages.size());
    }
}
