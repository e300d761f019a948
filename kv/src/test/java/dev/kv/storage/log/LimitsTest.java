package dev.kv.storage.log;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.OperatorError;
import dev.kv.router.Reply;
import dev.kv.storage.DataFolder;
import dev.kv.storage.OpenStorage;
import dev.kv.storage.format.Draft;
import dev.kv.storage.format.Folder;
import dev.kv.storage.format.Format;
import dev.kv.storage.format.Hint;
import dev.kv.storage.format.Layout;
import dev.kv.storage.format.Mark;
import dev.kv.storage.format.SegmentHeader;
import dev.kv.storage.format.SegmentList;
import dev.kv.storage.format.SegmentName;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Very long and very short names, keys and values, many files, interrupted threads, a stop under load, and files of a newer release. */
@Timeout(300)
class LimitsTest {
    private static final long MIB = 1L << 20;

    @TempDir
    private Path folder;

    private OpenStorage storage;

    @BeforeEach
    void open() throws IOException {
        storage = open(new Sync(false, Optional.of(Duration.ofMillis(10))), _ -> {});
    }

    @AfterEach
    void close() {
        storage.stop(Duration.ZERO);
    }

    private OpenStorage open(Sync sync, Consumer<String> doing) throws IOException {
        return OpenStorage.open(
                DataFolder.settings(folder.resolve("data"), sync, 0, MIB, DataFolder.PINS),
                DataFolder.limits(256 * MIB),
                doing);
    }

    private void reopen() throws IOException {
        close();
        open();
    }

    private Reply run(Command command) {
        return DataFolder.run(storage, command);
    }

    private Reply put(Bytes bucket, Bytes key, Bytes value) {
        return run(new Command.Put(bucket, key, value));
    }

    private Reply get(Bytes bucket, Bytes key) {
        return run(new Command.Get(bucket, key));
    }

    private static Bytes bytes(int length, int fill) {
        byte[] bytes = new byte[length];
        Arrays.fill(bytes, (byte) fill);
        return Bytes.owning(bytes);
    }

    @Test
    void namesKeysAndValuesOfAnyLengthStayThroughRestartsAndCompaction() throws Exception {
        Bytes large = bytes(64 << 20, 1);
        List<Bytes> names = List.of(Bytes.EMPTY, bytes(1, 0), bytes(64 << 10, 2), bytes(7, 3));
        List<Bytes> values = List.of(Bytes.EMPTY, bytes(1, 0), bytes(3 << 20, 0), bytes(1 << 20, 4));
        for (Bytes bucket : names) {
            assertThat(run(new Command.Create(bucket))).isEqualTo(Reply.OK);
            for (int i = 0; i < names.size(); i++) {
                assertThat(put(bucket, names.get(i), bytes(2 << 20, 9))).isEqualTo(Reply.OK);
                assertThat(put(bucket, names.get(i), values.get(i))).isEqualTo(Reply.OK);
            }
        }
        assertThat(put(Bytes.EMPTY, Bytes.of("large"), large)).isEqualTo(Reply.OK);
        for (int round = 0; round < 3; round++) {
            for (Bytes bucket : names) {
                for (int i = 0; i < names.size(); i++) {
                    assertThat(get(bucket, names.get(i)).equals(new Reply.Value(values.get(i))))
                            .isTrue();
                }
            }
            assertThat(get(Bytes.EMPTY, Bytes.of("large")).equals(new Reply.Value(large)))
                    .isTrue();
            if (round == 0) {
                storage.compact();
            }
            reopen();
        }
    }

    @ParameterizedTest(name = "{0} more than fit")
    @ValueSource(ints = {0, 1})
    void aSegmentOfTooManyBucketsForAHintHasNone(int more) throws Exception {
        try (Folder other = Folder.hold(folder.resolve("other"))) {
            SegmentName name = new SegmentName(1, 0);
            try (Segment segment = Segment.create(other.log(name), name, 64 * MIB)) {
                segment.begin(1, 0, 0);
                Draft record = new Draft();
                for (int i = 0; i < Hint.BUCKETS_MAX + more; i++) {
                    record.begin(Layout.DROP, 0, i, Bytes.of("b").array()).end();
                    segment.append(record);
                }
                segment.hint().write(other, segment.scan());
            }
            assertThat(Files.exists(other.hint(name))).isEqualTo(more == 0);
        }
    }

    @Test
    void aLogOfManyFilesTakesNoDescriptorForEach() throws Exception {
        run(new Command.Create(Bytes.of("b")));
        for (int i = 0; i < 120; i++) {
            assertThat(put(Bytes.of("b"), Bytes.of("key-" + i), bytes(900_000, i)))
                    .isEqualTo(Reply.OK);
        }
        close();
        AtomicInteger most = new AtomicInteger();
        storage = open(
                new Sync(false, Optional.of(Duration.ofMillis(10))),
                _ -> most.accumulateAndGet(descriptors(), Math::max));

        assertThat(storage.log().segments().live()).hasSizeGreaterThan(100);
        assertThat(most.get()).isBetween(1, 10);
        assertThat(descriptors()).isLessThan(10);
        for (int i = 0; i < 120; i++) {
            assertThat(get(Bytes.of("b"), Bytes.of("key-" + i)).equals(new Reply.Value(bytes(900_000, i))))
                    .isTrue();
        }
    }

    /** Number of open file descriptors of this process on files of the folder. */
    private int descriptors() {
        int count = 0;
        try (Stream<Path> all = Files.list(Path.of("/proc/self/fd"))) {
            for (Path descriptor : all.toList()) {
                try {
                    count += Files.readSymbolicLink(descriptor).startsWith(folder.resolve("data")) ? 1 : 0;
                } catch (NoSuchFileException closed) {
                    // It was closed meanwhile.
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return count;
    }

    @Test
    void anInterruptedThreadGetsAReplyAndAffectsNoOther() throws Exception {
        run(new Command.Create(Bytes.of("b")));
        for (int i = 0; i < 40; i++) {
            Thread.currentThread().interrupt();
            Reply reply = storage.run(new Command.Put(Bytes.of("b"), Bytes.of("key"), bytes(400_000, i)))
                    .toCompletableFuture()
                    .getNow(null);
            assertThat(Thread.interrupted()).isTrue();
            assertThat(reply).isInstanceOfAny(Reply.OK.getClass(), Reply.Failed.class);
        }
        long start = System.nanoTime();
        while (!put(Bytes.of("b"), Bytes.of("key"), bytes(400_000, 77)).equals(Reply.OK)) {
            assertThat(System.nanoTime() - start)
                    .isLessThan(Duration.ofSeconds(20).toNanos());
        }
        reopen();
        assertThat(get(Bytes.of("b"), Bytes.of("key")).equals(new Reply.Value(bytes(400_000, 77))))
                .isTrue();
    }

    @ParameterizedTest(name = "sync always: {0}")
    @ValueSource(booleans = {true, false})
    void stoppingWhileOthersWriteAnswersAllAndKeepsWhatWasAcknowledged(boolean isAlways) throws Exception {
        for (int round = 0; round < 5; round++) {
            close();
            storage = open(new Sync(isAlways, Optional.empty()), _ -> {});
            run(new Command.Create(Bytes.of("b")));
            ConcurrentLinkedQueue<String> acknowledged = new ConcurrentLinkedQueue<>();
            AtomicInteger written = new AtomicInteger();
            try (ExecutorService threads = Executors.newCachedThreadPool()) {
                List<Future<Void>> ends = new ArrayList<>();
                for (int writer = 0; writer < 4; writer++) {
                    String prefix = round + "-" + writer + "-";
                    ends.add(threads.submit(() -> {
                        for (int i = 0; ; i++) {
                            Reply reply;
                            try {
                                reply = put(Bytes.of("b"), Bytes.of(prefix + i), bytes(3_000, 1));
                            } catch (IllegalStateException closed) {
                                return null;
                            }
                            written.incrementAndGet();
                            if (!reply.equals(Reply.OK)) {
                                return null;
                            }
                            acknowledged.add(prefix + i);
                        }
                    }));
                }
                int enough = 50 + 300 * round;
                DataFolder.await(() -> written.get() >= enough);
                close();
                for (Future<Void> end : ends) {
                    end.get();
                }
            }
            open();
            for (String key : acknowledged) {
                assertThat(get(Bytes.of("b"), Bytes.of(key))).isInstanceOf(Reply.Value.class);
            }
        }
    }

    @Test
    void filesOfANewerReleaseAreRefusedAndUnchanged() throws Exception {
        run(new Command.Create(Bytes.of("b")));
        put(Bytes.of("b"), Bytes.of("key"), Bytes.of("value"));
        close();
        List<SegmentName> names = Folder.segments(folder.resolve("data"));
        Path log = folder.resolve("data").resolve(names.getLast().log());
        byte[] sound = Files.readAllBytes(log);
        Files.delete(folder.resolve("data").resolve(names.getLast().hint()));

        refusesAndLeaves(log, changed(sound, SegmentHeader.BYTES + 16, 77, SegmentHeader.BYTES), "byte 64");
        refusesAndLeaves(log, changed(sound, SegmentHeader.BYTES + 17, 4, SegmentHeader.BYTES), "byte 64");
        refusesAndLeaves(log, changed(sound, 8, 3, 0), "format 3");

        // Also after the list and the mark, where damage would be cut off.
        Path data = folder.resolve("data");
        long id = Format.read(data).id();
        new SegmentList(id, names.getLast().number() - 1, List.of()).write(data);
        Mark.open(data, id, Optional.of(new Mark.Position(0, 0, 0))).close();
        refusesAndLeaves(log, changed(sound, SegmentHeader.BYTES + 16, 77, SegmentHeader.BYTES), "byte 64");
        refusesAndLeaves(log, changed(sound, 8, 3, 0), "format 3");

        Files.write(log, sound);
        open();
        assertThat(get(Bytes.of("b"), Bytes.of("key"))).isEqualTo(new Reply.Value(Bytes.of("value")));
    }

    private void refusesAndLeaves(Path log, byte[] content, String what) throws IOException {
        Files.write(log, content);
        assertThatThrownBy(this::open)
                .isInstanceOf(OperatorError.class)
                .hasMessageContaining(log.toString())
                .hasMessageContaining(what);
        assertThat(log).hasBinaryContent(content);
    }

    /** Changes one byte, and corrects the checksum: of the header of the segment, or of a record of type BUCKET. */
    private static byte[] changed(byte[] sound, int at, int value, int of) {
        byte[] bytes = sound.clone();
        bytes[at] = (byte) value;
        ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        CRC32C crc = new CRC32C();
        if (of == 0) {
            buffer.putInt(12, 0);
            crc.update(bytes, 0, SegmentHeader.BYTES);
            buffer.putInt(12, (int) crc.getValue());
        } else {
            crc.update(bytes, of + 4, buffer.getInt(of + 4) - 4);
            buffer.putInt(of, (int) crc.getValue());
        }
        return bytes;
    }

    @Test
    void aSegmentIsUnmappedThoughAChecksumOfItIsBeingMade() throws Exception {
        Path file = folder.resolve("segment");
        Segment segment = Segment.create(file, new SegmentName(1, 0), 256 * MIB);
        try (ExecutorService threads = Executors.newCachedThreadPool()) {
            AtomicInteger begun = new AtomicInteger();
            Future<Void> reading = threads.submit(() -> {
                begun.incrementAndGet();
                segment.fields().checksum(new CRC32C(), 0, 256 << 20);
                return null;
            });
            while (begun.get() == 0) {
                Thread.onSpinWait();
            }
            segment.close();
            segment.close();
            try {
                reading.get();
            } catch (ExecutionException e) {
                assertThat(e).hasCauseInstanceOf(IllegalStateException.class);
            }
        }
    }
}
