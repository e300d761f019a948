package dev.kv.storage.log;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.metrics.Metrics;
import dev.kv.storage.DataFolder;
import dev.kv.storage.OpenStorage;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

/**
 * Pages of the log that cannot be read, since their file is truncated: compaction, hints and rescue go on with all other segments, and
 * the status names those that were set aside.
 */
@Timeout(120)
class UnreadableTest {
    private static final long MIB = 1L << 20;
    private static final int PAGE_BYTES = 4096;

    @TempDir
    private Path data;

    private OpenStorage storage;

    @BeforeEach
    void open() throws IOException {
        storage = opened();
    }

    private OpenStorage opened() throws IOException {
        return OpenStorage.open(
                DataFolder.settings(data, new Sync(false, Optional.of(Duration.ofMillis(10))), 0, MIB, DataFolder.PINS),
                DataFolder.limits(MIB),
                _ -> {});
    }

    @AfterEach
    void close() {
        storage.stop(Duration.ZERO);
    }

    /** Fills a bucket that is not kept, in a segment of its own. */
    private Segment filled(String bucket) throws Exception {
        DataFolder.create(storage, bucket);
        for (int i = 0; i < 100; i++) {
            DataFolder.put(storage, bucket, "key-" + i, "x".repeat(5_000));
        }
        return sealed(bucket);
    }

    /** Seals the active segment, which ends with the entries of the bucket. */
    private Segment sealed(String bucket) throws Exception {
        Segment segment = storage.log().segments().live().getLast();
        storage.log().tail().rollOver();
        DataFolder.create(storage, "end of " + bucket);
        DataFolder.await(() -> storage.log().tail().sealed().contains(segment));
        return segment;
    }

    private static void cutOff(Segment segment, long bytes) throws IOException {
        try (FileChannel file = FileChannel.open(segment.path(), WRITE)) {
            file.truncate(bytes);
        }
    }

    private void drop(String bucket) {
        run(new Command.Drop(Bytes.of(bucket)));
    }

    private void run(Command command) {
        assertThat(storage.run(command).toCompletableFuture().join()).isNotInstanceOf(Reply.Failed.class);
    }

    /** Compiled code meets an unreadable page in another way than interpreted code. */
    private void compileCounting() throws IOException {
        for (int round = 0; round < 100; round++) {
            DataFolder.create(storage, "many");
            for (int i = 0; i < 500; i++) {
                DataFolder.put(storage, "many", "key-" + i, "1");
            }
            drop("many");
            storage.buckets().liveEntries().countGone();
        }
        storage.compact();
    }

    private String state() {
        return Metrics.texts(storage.metrics()).get("state");
    }

    @Test
    void unreadableEntriesOfADroppedBucketBlockNeitherCompactionNorHints() throws Exception {
        assertThat(state()).isEqualTo("ok");
        compileCounting();
        Segment unreadable = filled("unreadable");
        Segment other = filled("other");
        cutOff(unreadable, PAGE_BYTES);
        drop("unreadable");
        drop("other");

        storage.compact();

        assertThat(state())
                .isEqualTo("set aside: " + unreadable.path() + " is damaged at byte 0: a part of it cannot be read");
        assertThat(unreadable.path()).exists();
        assertThat(other.path()).doesNotExist();
        Segment next = filled("next");
        DataFolder.await(next::hasHint);
        assertThat(Files.exists(storage.log().folder().hint(next.name()))).isTrue();
    }

    @Test
    void aDroppedBucketStaysDroppedWhenItsSegmentCannotBeRead() throws Exception {
        // Not by CREATE, whose record in the first page could be counted.
        for (int i = 0; i < 100; i++) {
            List<Bytes> pair = List.of(Bytes.of("key-" + i), Bytes.of("x".repeat(5_000)));
            run(new Command.SetAll(Bytes.of("dropped"), pair, false));
        }
        Segment unreadable = sealed("dropped");
        DataFolder.await(unreadable::hasHint);
        byte[] content = Files.readAllBytes(unreadable.path());
        cutOff(unreadable, PAGE_BYTES);
        drop("dropped");
        DataFolder.await(() -> {
            storage.buckets().liveEntries().countGone();
            return unreadable.isDamaged();
        });
        filled("later");

        storage.compact();
        storage.compact();

        close();
        Files.write(unreadable.path(), content);
        storage = opened();
        assertThat(DataFolder.content(storage)).doesNotContainKey("dropped").containsKey("later");
    }

    /** Compiled code that loads a length and extends its sign ended the JVM. */
    @Test
    void aWalkOverAnUnreadablePageIsAnError() throws Exception {
        DataFolder.create(storage, "b");
        for (int i = 0; i < 300; i++) {
            DataFolder.put(storage, "b", "key-" + i, "x".repeat(100));
        }
        Segment segment = sealed("b");
        Command content = new Command.Content(Bytes.of("b"), Command.Part.PAIRS);
        for (int i = 0; i < 3_000; i++) {
            run(content);
        }
        cutOff(segment, PAGE_BYTES);

        assertThat(storage.run(content).toCompletableFuture().join()).isInstanceOf(Reply.Failed.class);

        for (int i = 0; i < 300; i++) {
            Reply reply = DataFolder.get(storage, "b", "key-" + i);
            assertThat(reply instanceof Reply.Failed || reply.equals(new Reply.Value(Bytes.of("x".repeat(100)))))
                    .as("key-%d: %s", i, reply)
                    .isTrue();
        }
    }

    @Test
    void theStateNamesADamagedValueThatAClientRead() throws Exception {
        DataFolder.create(storage, "a");
        DataFolder.put(storage, "a", "key", "a-value-of-it");
        Segment segment = storage.log().segments().live().getLast();
        int value = new String(Files.readAllBytes(segment.path()), ISO_8859_1).indexOf("a-value-of-it");
        DataFolder.flip(segment.path(), value);

        assertThat(DataFolder.get(storage, "a", "key")).isInstanceOf(Reply.Failed.class);

        assertThat(state())
                .startsWith("met by a read: " + segment.path() + " is damaged at byte ")
                .endsWith(": the checksum of a field is wrong");
    }

    @Test
    void aFileThatCannotBeRemovedDoesNotBlockCompaction() throws Exception {
        Segment stuck = filled("stuck");
        Segment other = filled("other");
        DataFolder.await(stuck::hasHint);
        Path hint = storage.log().folder().hint(stuck.name());
        Files.delete(hint);
        Files.createDirectories(hint.resolve("in the way"));
        drop("stuck");
        drop("other");

        storage.compact();

        assertThat(other.path()).doesNotExist();
        DataFolder.await(() -> state().equals("compaction: " + hint + " cannot be removed: the folder is not empty"));
    }

    @Test
    void unreadableEntriesOfADroppedBucketDoNotBlockARescue() throws Exception {
        Segment unreadable = filled("unreadable");
        DataFolder.create(storage, "steady");
        cutOff(unreadable, PAGE_BYTES);
        drop("unreadable");
        Segment active = storage.log().segments().live().getLast();
        cutOff(active, (active.end() / PAGE_BYTES + 1) * PAGE_BYTES);

        DataFolder.await(() -> !isPut());
        DataFolder.await(this::isPut);

        DataFolder.await(() -> state().startsWith("set aside: " + unreadable.path()));
    }

    private boolean isPut() {
        Command put = new Command.Put(Bytes.of("steady"), Bytes.of("key"), Bytes.of("x".repeat(1_000)));
        return storage.run(put).toCompletableFuture().join().equals(Reply.OK);
    }

    @Test
    void aHintThatCannotBeWrittenDoesNotBlockOthers() throws Exception {
        Path obstacle = Files.createDirectories(data.resolve("0000000000000001-0.hint/obstacle"));

        Segment first = filled("first");
        Segment second = filled("second");

        DataFolder.await(second::hasHint);
        assertThat(first.hasHint()).isFalse();
        DataFolder.await(() -> state().startsWith("hints: ") && state().contains("0000000000000001-0.hint"));
        Files.delete(obstacle);
        Files.delete(obstacle.getParent());
    }

    /** Each hint takes another turn of the keeper, a quarter of a second. */
    @Test
    void aTroubleThatComesBackEachTurnIsLoggedOnce() throws Exception {
        Logger log = (Logger) LoggerFactory.getLogger(Troubles.class);
        ListAppender<ILoggingEvent> logged = new ListAppender<>();
        logged.start();
        log.addAppender(logged);
        try {
            Path obstacle = Files.createDirectories(data.resolve("0000000000000001-0.hint/obstacle"));
            filled("first");
            for (int i = 0; i < 5; i++) {
                DataFolder.await(filled("next-" + i)::hasHint);
            }
            assertThat(state()).startsWith("hints: ");
            Files.delete(obstacle);
            Files.delete(obstacle.getParent());
        } finally {
            log.detachAppender(logged);
        }
        assertThat(logged.list.stream().map(ILoggingEvent::getFormattedMessage))
                .singleElement()
                .asString()
                .startsWith("hints: ")
                .contains("0000000000000001-0.hint");
    }

    @Test
    void aSegmentThatCannotBeRewrittenDoesNotBlockOthers() throws Exception {
        Segment first = filled("first");
        Segment second = filled("second");
        Path obstacle = Files.createDirectories(data.resolve("0000000000000001-1.log/obstacle"));
        drop("first");
        drop("second");

        // Compaction rewrites both together, and after the failure the second one alone.
        for (int i = 0; i < 2; i++) {
            assertThatThrownBy(() -> storage.compact())
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("0000000000000001-1.log");
        }

        assertThat(first.path()).exists();
        assertThat(second.path()).doesNotExist();
        DataFolder.await(() -> state().startsWith("compaction: ") && state().contains("0000000000000001-1.log"));
        Files.delete(obstacle);
        Files.delete(obstacle.getParent());
    }
}
