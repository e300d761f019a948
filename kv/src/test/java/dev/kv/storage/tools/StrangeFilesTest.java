package dev.kv.storage.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.Bytes;
import dev.kv.router.OperatorError;
import dev.kv.storage.DataFolder;
import dev.kv.storage.format.Damaged;
import dev.kv.storage.format.Draft;
import dev.kv.storage.format.Format;
import dev.kv.storage.format.Layout;
import dev.kv.storage.format.SegmentList;
import dev.kv.storage.format.SegmentName;
import dev.kv.storage.log.Segment;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Data folders and backups with files that are no regular files, are far too long, or of a newer release. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class StrangeFilesTest {
    private static final long TIB = 1L << 40;

    @TempDir
    private Path site;

    private DataFolder data;
    private Map<String, Map<String, String>> content;

    @BeforeEach
    void make() throws Exception {
        data = new DataFolder(site.resolve("data"));
        data.open(storage -> {
            DataFolder.create(storage, "a");
            for (int i = 0; i < 300; i++) {
                DataFolder.put(storage, "a", "key-" + i, i + "x".repeat(1_000));
            }
        });
        content = data.content();
    }

    private static void mkfifo(Path file) throws Exception {
        assertThat(new ProcessBuilder("mkfifo", file.toString()).start().waitFor())
                .isZero();
    }

    private Path file(String name) throws IOException {
        return name.startsWith(".") ? data.files(name).getLast() : data.path().resolve(name);
    }

    @ParameterizedTest
    @ValueSource(strings = {"format", "lock", "mark", "segments", "reserve", ".log", ".hint"})
    void anIrregularFileIsNamed(String name) throws Exception {
        Path file = file(name);
        List<Path> others = List.of(
                site.resolve("fifo"),
                Files.createDirectory(site.resolve("folder")),
                Files.createSymbolicLink(site.resolve("loop"), site.resolve("loop")),
                Files.createSymbolicLink(site.resolve("device"), Path.of("/dev/zero")));
        mkfifo(others.getFirst());
        for (Path other : others) {
            Files.delete(file);
            Files.move(other, file);
            String why =
                    file + " is no regular file: put back the file that was here, or remove it and have `kv verify`"
                            + " look at the rest";

            assertThatThrownBy(data::open).isInstanceOf(OperatorError.class).hasMessage(why);
            assertThatThrownBy(data::damages).isInstanceOf(OperatorError.class).hasMessage(why);
            assertThatThrownBy(data::repair).isInstanceOf(OperatorError.class).hasMessage(why);
        }
    }

    /** A mistyped kv.storage.dir may be a folder of anything: a start removes *.tmp and writes files such as reserve. */
    @ParameterizedTest
    @ValueSource(strings = {"report.tmp", "reserve", "mark", "notes"})
    void aFolderOfOthersIsNoNewDataFolder(String name) throws Exception {
        Path other = Files.createDirectory(site.resolve("other"));
        Files.writeString(other.resolve(name), "precious");

        assertThatThrownBy(() -> new DataFolder(other).open())
                .isInstanceOf(OperatorError.class)
                .hasMessage(other + " is no data folder, and is not empty (" + name
                        + "): choose an empty folder, or one that does not exist (kv.storage.dir)");
        assertThat(other.toFile().list()).containsExactly(name);
        assertThat(other.resolve(name)).hasContent("precious");
    }

    @ParameterizedTest
    @ValueSource(strings = {"lock", "segments", "segments.tmp", "format.tmp", "lost+found/", "node/"})
    void foldersAndWhatAFirstStartLeavesThatWasCutOffAreNoObstacle(String name) throws Exception {
        Path cut = Files.createDirectory(site.resolve("cut"));
        if (name.endsWith("/")) {
            Files.createDirectory(cut.resolve(name));
        } else {
            Files.writeString(cut.resolve(name), "");
        }

        assertThat(new DataFolder(cut).content()).isEmpty();
    }

    @Test
    void aBackupWithAnIrregularFileIsRefused() throws Exception {
        Path backup = site.resolve("backup");
        data.backup(backup);
        Path log = DataFolder.files(backup, ".log").getLast();
        Files.delete(log);
        mkfifo(log);
        String why = log + " is no regular file: ";
        String another = "put back the file that was here, or use another backup";

        assertThatThrownBy(() -> StoredBackup.verify(backup, _ -> {}, _ -> {}))
                .isInstanceOf(OperatorError.class)
                .hasMessage(why + another);
        assertThatThrownBy(() -> StoredBackup.restore(backup, site.resolve("restored")))
                .isInstanceOf(OperatorError.class)
                .hasMessage(why + another);
        assertThatThrownBy(() -> data.backup(backup))
                .isInstanceOf(OperatorError.class)
                .hasMessage(why + "choose another folder for the backup");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "x"})
    void aRepairReplacesNoExistingSegment(String prefix) throws Exception {
        Path log = data.files(".log").getLast();
        byte[] before = Files.readAllBytes(log);
        String own = prefix + log.getFileName();
        Path strange = log.resolveSibling(own.replace(".log", ".putback"));
        Files.write(strange, new byte[100]);

        assertThatThrownBy(data::repair)
                .isInstanceOf(OperatorError.class)
                .hasMessage(strange + ": it is not from a repair, since " + own
                        + " is not a free name of a segment; move it away");
        assertThat(log).hasBinaryContent(before);
        assertThat(data.content()).isEqualTo(content);
    }

    /** A field that expires, in a hint of a version that has no times. */
    @Test
    void aHintWithAnEntryOfAnUnknownKindIsRefused() throws Exception {
        Path hint = data.files(".hint").getLast();
        DataFolder.makeKindUnknown(hint);

        assertThatThrownBy(data::open)
                .isInstanceOf(OperatorError.class)
                .hasMessage(
                        hint
                                + " holds an entry of kind 1 that this release does not know: a newer one wrote it, use that one");
    }

    private static Draft record(int flags) {
        return new Draft().begin(Layout.WRITE, flags, 1_000, Bytes.of("a").array());
    }

    /** The type of a record, and what it has beside that. */
    private static Stream<Arguments> recordsOfLaterReleases() {
        Bytes one = Bytes.of("1");
        return Stream.of(
                Arguments.of(6, record(0)),
                Arguments.of(Layout.VALUE, record(0)),
                Arguments.of(Layout.VALUE, record(0).set(Bytes.of("key"), one, 0)),
                Arguments.of(Layout.VALUE, record(0).delete(Bytes.EMPTY)),
                Arguments.of(Layout.VALUE, record(0).set(Bytes.EMPTY, one, 0).set(Bytes.EMPTY, one, 0)),
                Arguments.of(Layout.VALUE, record(64).set(Bytes.EMPTY, one, 0)));
    }

    /** Gives a record at the beginning of a segment, whose name has one byte, another type. */
    private static void retype(Path log, int type) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(log)).order(ByteOrder.LITTLE_ENDIAN);
        int record = 64;
        int end = record + bytes.getInt(record + 4);
        bytes.put(record + 16, (byte) type);
        CRC32C crc = new CRC32C();
        crc.update(bytes.slice(record + 4, 28));
        for (int field = record + 32; field < end; ) {
            crc.update(bytes.slice(field, 16));
            field += 16 + (bytes.getInt(field + 4) + bytes.getInt(field + 8) + 7) / 8 * 8;
        }
        bytes.putInt(record, (int) crc.getValue());
        Files.write(log, bytes.array());
    }

    @ParameterizedTest(name = "type {0}")
    @MethodSource("recordsOfLaterReleases")
    void aRecordOfALaterReleaseIsRefused(int type, Draft record) throws Exception {
        Path last = data.files(".log").getLast();
        SegmentName before = SegmentName.of(last.getFileName().toString());
        SegmentName name = new SegmentName(before.number() + 1, 0);
        Path log = data.path().resolve(name.log());
        try (Segment segment = Segment.create(log, name, 4096)) {
            segment.begin(Format.read(data.path()).id(), before.number(), Files.size(last));
            segment.append(record.end());
        }
        retype(log, type);

        assertThatThrownBy(data::open)
                .isInstanceOf(OperatorError.class)
                .hasMessage(
                        log
                                + " holds a record at byte 64 that this release does not know: a newer one wrote it, use that one");
    }

    private static void extend(Path file) throws IOException {
        try (RandomAccessFile sparse = new RandomAccessFile(file.toFile(), "rw")) {
            sparse.setLength(TIB);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"mark", "reserve", ".log", ".hint"})
    void aFileThatIsTooLongIsReadUpToABound(String name) throws Exception {
        extend(file(name));

        assertThat(data.damages().stream().map(damage -> damage.what()))
                .hasSize(name.equals(".hint") ? 1 : 0)
                .allMatch(what -> what.equals("it is no sound hint of its segment"));
        assertThat(data.content()).isEqualTo(content);
    }

    @Test
    void aSegmentBehindTheListThatIsLongerThanAnySegmentIsRefused() throws Exception {
        long last = SegmentName.of(data.files(".log").getLast().getFileName().toString())
                .number();
        Path next = data.path().resolve(new SegmentName(last + 1, 0).log());
        try (Segment segment = Segment.create(next, new SegmentName(last + 1, 0), 4096)) {
            segment.begin(
                    Format.read(data.path()).id(),
                    last,
                    Files.size(data.files(".log").getFirst()));
        }
        extend(next);
        String what = "it has 1099511627776 bytes, and no segment has more than 1879048256";

        assertThat(data.damages().getFirst().what()).isEqualTo(what);
        assertThatThrownBy(data::open)
                .isInstanceOf(OperatorError.class)
                .hasMessageStartingWith(next + ": " + what + "; put back the one that was written here");
        assertThatThrownBy(data::repair).isInstanceOf(OperatorError.class).hasMessageStartingWith(next + ": " + what);
    }

    @Test
    void aFileOfABackupThatIsTooLongIsReported() throws Exception {
        Path backup = site.resolve("backup");
        data.backup(backup);
        Path log = DataFolder.files(backup, ".log").getLast();
        String what = "it has 1099511627776 bytes, and " + Files.size(log) + " were copied";
        extend(log);

        assertThat(StoredBackup.verify(
                                backup,
                                _ -> {},
                                damage -> assertThat(damage.what()).isEqualTo(what))
                        .damages())
                .isEqualTo(1);
        assertThatThrownBy(() -> StoredBackup.restore(backup, site.resolve("restored")))
                .isInstanceOf(OperatorError.class)
                .hasMessageContaining(what);
    }

    @Test
    void aListThatIsMuchLongerIsNoList() throws Exception {
        Path list = data.path().resolve("segments");
        extend(list);

        assertThat(data.damages()).singleElement().satisfies(damage -> {
            assertThat(damage.file()).isEqualTo(list);
            assertThat(damage.what()).isEqualTo("it is no sound list of segments");
        });
        assertThat(data.repair()).hasSize(1);
        assertThat(data.content()).isEqualTo(content);
    }

    /** A part that was known to be on the disk is missing: verify reports it once, and repair goes on without it. */
    @ParameterizedTest
    @ValueSource(ints = {0, 40, 64, 100, 4_096, 100_001})
    void aSegmentThatIsShorterThanTheMarkSaysIsRepaired(int bytes) throws Exception {
        DataFolder killed = new DataFolder(site.resolve("killed"));
        data.open(storage -> {
            for (int i = 0; i < 300; i++) {
                DataFolder.put(storage, "a", "more-" + i, "x".repeat(1_000));
            }
            DataFolder.awaitSynced(storage);
            DataFolder.image(data.path(), killed.path());
        });
        Path last = killed.files(".log").getLast();
        try (RandomAccessFile shorter = new RandomAccessFile(last.toFile(), "rw")) {
            shorter.setLength(bytes);
        }

        assertThat(killed.damages())
                .hasSizeBetween(1, 3)
                .allSatisfy(damage -> assertThat(damage.bytes()).isNotNegative());
        assertThatThrownBy(killed::open).isInstanceOf(OperatorError.class).hasMessageStartingWith(last.toString());
        assertThat(killed.repair()).isNotEmpty();
        assertThat(killed.damages()).isEmpty();
        assertThat(killed.content().get("a")).containsAllEntriesOf(content.get("a"));
    }

    @Test
    void aFolderWithNothingButTheFormatFileIsRefused() throws Exception {
        for (Path file : DataFolder.files(data.path(), "")) {
            if (!file.endsWith("format")) {
                Files.delete(file);
            }
        }

        assertThat(data.damages()).isNotEmpty();
        assertThatThrownBy(data::open)
                .isInstanceOf(OperatorError.class)
                .hasMessageStartingWith(data.path().resolve("segments") + ": it is missing");
    }

    @Test
    void aListInWhichSegmentsAreOutOfOrderIsNoList() throws Exception {
        SegmentList.Entry first = new SegmentList.Entry(new SegmentName(1, 0), 100, 1);
        SegmentList.Entry second = new SegmentList.Entry(new SegmentName(2, 0), 100, 1);
        SegmentList.Entry empty = new SegmentList.Entry(new SegmentName(2, 0), 64, 1);
        List<SegmentList> wrong = List.of(
                new SegmentList(7, 2, List.of(second, first)),
                new SegmentList(7, 2, List.of(first, first)),
                new SegmentList(7, 2, List.of(first, empty)),
                new SegmentList(7, 1, List.of(first, second)));
        for (SegmentList list : wrong) {
            list.write(site);
            assertThatThrownBy(() -> SegmentList.read(site)).isInstanceOf(Damaged.class);
        }
    }

    @Test
    void aListOfManySegmentsIsRead() throws Exception {
        List<SegmentList.Entry> entries = LongStream.rangeClosed(1, 50_000)
                .mapToObj(number -> new SegmentList.Entry(new SegmentName(number, 1), 64L << 20, (int) number))
                .toList();
        SegmentList list = new SegmentList(7, 50_000, entries);

        list.write(site);

        assertThat(SegmentList.read(site)).contains(list);
    }

    @Test
    void filesWhoseNamesAreNoneOfASegmentAreLeftAlone() throws Exception {
        List<String> names = List.of(
                "7fffffffffffffff-0.log",
                "ffffffffffffffff-0.log",
                "0000000000000001-00.log",
                "0000000000000001-0.LOG");
        for (String name : names) {
            Files.write(data.path().resolve(name), new byte[100]);
        }

        assertThat(data.damages()).isEmpty();
        assertThat(data.content()).isEqualTo(content);
        assertThat(data.content()).isEqualTo(content);
        assertThat(names)
                .allSatisfy(name -> assertThat(data.path().resolve(name)).exists());
    }
}
