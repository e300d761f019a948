package dev.kv.storage.log;

import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.Bytes;
import dev.kv.router.Reply;
import dev.kv.storage.DataFolder;
import dev.kv.storage.engine.Buckets;
import dev.kv.storage.engine.Edit;
import dev.kv.storage.engine.Turn;
import dev.kv.storage.format.Folder;
import dev.kv.storage.format.Mark;
import dev.kv.storage.format.Scan;
import dev.kv.storage.format.SegmentList;
import dev.kv.storage.format.SegmentName;
import dev.kv.storage.maintenance.Compaction;
import dev.kv.storage.maintenance.Keeper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Which segments the list names, and when. No thread syncs: the test does. */
@Timeout(60)
class ListingTest {
    private static final long MIB = 1L << 20;
    private static final int PAGE_BYTES = 4096;
    private static final SegmentName FIRST = new SegmentName(1, 0);

    @TempDir
    private Path site;

    private Path data;
    private Log log;
    private Buckets buckets;
    private Keeper keeper;
    private boolean isOpen;
    private final Map<String, Map<String, String>> model = new TreeMap<>();

    @BeforeEach
    void open() throws IOException {
        data = site.resolve("data");
        Folder folder = Folder.hold(data);
        log = new Log(folder, Mark.open(data, folder.format().id(), Optional.empty()), new Log.Limits(MIB, 4), false);
        buckets = new Buckets(log, folder.hash(), 0, new Turn.Limits(1_000, MIB));
        keeper = new Keeper(log, new Compaction(log, buckets.liveEntries()), DataFolder.PINS, new Troubles());
        isOpen = true;
    }

    private void close() throws IOException {
        isOpen = false;
        keeper.end();
        log.close();
        log.closeSegments();
    }

    @AfterEach
    void check() throws Exception {
        if (isOpen) {
            close();
        }
        assertThat(new DataFolder(data).content()).isEqualTo(model);
    }

    private void edit(String bucket, Consumer<Edit> change) throws Refused {
        buckets.edit(0, Bytes.of(bucket), edit -> {
            change.accept(edit);
            return Reply.OK;
        });
    }

    private void put(String bucket, String key, String value) throws Refused {
        edit(bucket, edit -> {
            edit.keep();
            edit.set(Bytes.of(key), Bytes.of(value));
        });
        model.computeIfAbsent(bucket, _ -> new TreeMap<>()).put(key, value);
    }

    private void drop(String bucket) throws Refused {
        edit(bucket, Edit::drop);
        model.remove(bucket);
    }

    private void seal() throws IOException {
        log.tail().rollOver();
        assertThat(log.sync()).isTrue();
    }

    private List<SegmentName> listed() throws IOException {
        return SegmentList.read(data).orElseThrow().segments().stream()
                .map(SegmentList.Entry::name)
                .toList();
    }

    /** Compacts up to the wait for a sync; the list is written meanwhile, as after the seal of another segment. */
    private void compactWhileTheListIsWritten() throws Exception {
        CountDownLatch waits = new CountDownLatch(1);
        log.tail().whenSyncDue(waits::countDown);
        try (ExecutorService executor = Executors.newSingleThreadExecutor()) {
            Future<?> compaction = executor.submit(() -> {
                keeper.compact(true);
                return null;
            });
            waits.await();
            log.listing().sealedMore();
            log.listing().writeNew();
            assertThat(listed()).contains(FIRST);

            assertThat(log.sync()).isTrue();
            compaction.get();
        }
        assertThat(listed()).doesNotContain(FIRST);
    }

    @Test
    void aValueIsLeftOutWhenTheNewerOneIsOnTheDisk() throws Exception {
        put("a", "key", "1");
        put("a", "other", "1");
        seal();
        put("a", "key", "2");

        compactWhileTheListIsWritten();
    }

    @Test
    void aNodeThatStopsCompactsNothingAnyMore() throws Exception {
        put("a", "key", "1");
        put("a", "key", "2");
        put("a", "other", "1");
        seal();

        keeper.end();
        keeper.compact(true);

        log.listing().sealedMore();
        log.listing().writeNew();
        assertThat(listed()).containsExactly(FIRST);
    }

    @Test
    void aDroppedBucketIsLeftOutWhenItsEndIsOnTheDisk() throws Exception {
        put("a", "key", "1");
        seal();
        drop("a");

        compactWhileTheListIsWritten();
    }

    @Test
    void aCompactionThatCannotReadWhatItWroteLeavesTheLogAsItWas() throws Exception {
        for (int i = 0; i < 50; i++) {
            put("a", "key-" + i, "x".repeat(1_000));
        }
        seal();
        put("a", "key-0", "2");
        Path rewritten = data.resolve(new SegmentName(1, 1).log());
        log.tail().whenSyncDue(() -> {
            cutOff(rewritten, PAGE_BYTES);
            sync();
        });

        keeper.compact(true);

        assertThat(rewritten).exists();
        assertThat(log.segments().live().getFirst().isDamaged()).isTrue();
        log.tail().whenSyncDue(() -> {});
        put("a", "key-1", "2");
        seal();
        log.listing().sealedMore();
        log.listing().writeNew();
        assertThat(listed()).startsWith(FIRST).extracting(SegmentName::number).doesNotHaveDuplicates();
    }

    private void sync() {
        try {
            assertThat(log.sync()).isTrue();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void cutOff(Path path, long bytes) {
        try (FileChannel file = FileChannel.open(path, WRITE)) {
            file.truncate(bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void aRescueThatFailsHalfWayIsCompletedByTheNextOne() throws Exception {
        for (int i = 0; i < 10; i++) {
            put("a", "key-" + i, "x".repeat(1_000));
        }
        Segment active = log.segments().live().getLast();
        cutOff(active.path(), (active.end() / PAGE_BYTES + 1) * PAGE_BYTES);
        while (log.tail().failure().isEmpty()) {
            try {
                put("a", "more", "x".repeat(1_000));
            } catch (Refused refused) {
                assertThat(log.tail().failure()).isNotEmpty();
            }
        }
        Rescue rescue = new Rescue(log, new FailingOnce(buckets.liveEntries()));

        assertThatThrownBy(rescue::run).isInstanceOf(InternalError.class);
        assertThat(log.tail().failure()).isNotEmpty();
        rescue.run();

        assertThat(log.tail().failure()).isEmpty();
        assertThat(log.sync()).isTrue();
        put("a", "key-0", "2");
        seal();
        keeper.compact(true);
    }

    /** Throws once, at the sixth entry. */
    private static final class FailingOnce implements Rescue.Moves {
        private final Rescue.Moves moves;
        private int moved;

        FailingOnce(Rescue.Moves moves) {
            this.moves = moves;
        }

        @Override
        public void settle() {
            moves.settle();
        }

        @Override
        public boolean move(Scan scan, Segment to, long fromLocation, long toLocation) {
            if (++moved == 6) {
                throw new InternalError("a page that cannot be read");
            }
            return moves.move(scan, to, fromLocation, toLocation);
        }
    }
}
