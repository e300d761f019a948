package dev.kv.storage.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Command.Part;
import dev.kv.router.NameSpace;
import dev.kv.router.Reply;
import dev.kv.router.metrics.Metrics;
import dev.kv.storage.DataFolder;
import dev.kv.storage.OpenStorage;
import dev.kv.storage.log.Sync;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What each command reads and changes. */
final class CommandsTest {
    private static final Bytes B = Bytes.of("b");
    private static final Bytes ANYTHING = Bytes.of("*");
    private static final int REPLY_MAX_BYTES = 64 * 1024;

    @TempDir
    private Path folder;

    private OpenStorage storage;

    @BeforeEach
    void open() throws IOException {
        storage = open("data", 0);
    }

    private OpenStorage open(String data, long maxBytes) throws IOException {
        return OpenStorage.open(
                DataFolder.settings(
                        folder.resolve(data), new Sync(false, Optional.empty()), maxBytes, 64L << 20, DataFolder.PINS),
                DataFolder.limits(REPLY_MAX_BYTES),
                _ -> {});
    }

    @AfterEach
    void close() {
        storage.stop(Duration.ZERO);
    }

    private Reply run(Command command) {
        return DataFolder.run(storage, command);
    }

    private static List<Bytes> words(String... words) {
        return List.of(words).stream().map(Bytes::of).toList();
    }

    private Reply set(String... pairs) {
        return run(new Command.SetAll(B, words(pairs), false));
    }

    private List<Bytes> content(Part part) {
        return ((Reply.Values) run(new Command.Content(B, part))).values();
    }

    private static Reply amount(long amount) {
        return new Reply.Amount(amount);
    }

    @Test
    void writesMakeABucketThatIsRemovedWithItsLastKey() {
        assertThat(set("a", "1", "b", "2", "a", "3")).isEqualTo(amount(2));
        assertThat(run(new Command.Get(B, Bytes.of("a")))).isEqualTo(new Reply.Value(Bytes.of("3")));
        assertThat(run(new Command.DeleteAll(B, words("a", "b", "c", "a")))).isEqualTo(amount(2));
        assertThat(run(new Command.Get(B, Bytes.of("a")))).isEqualTo(Reply.NOT_FOUND);
        assertThat(Metrics.texts(storage.metrics()))
                .containsEntry("buckets", "0")
                .containsEntry("bytes", "0");
    }

    @Test
    void aBucketThatWasCreatedStaysUntilItIsDropped() {
        set("a", "1");
        assertThat(run(new Command.Create(B))).isEqualTo(Reply.OK);
        run(new Command.DeleteAll(B, words("a")));
        assertThat(run(new Command.Get(B, Bytes.of("a")))).isEqualTo(Reply.ABSENT);
        assertThat(run(new Command.Size(B))).isEqualTo(amount(0));

        assertThat(run(new Command.Drop(B))).isEqualTo(amount(0));
        assertThat(run(new Command.Get(B, Bytes.of("a")))).isEqualTo(Reply.NOT_FOUND);
        set("a", "1");
        assertThat(run(new Command.Drop(B))).isEqualTo(amount(1));
        assertThat(Metrics.texts(storage.metrics())).containsEntry("buckets", "0");
    }

    @Test
    void aBatchSeesItsOwnChangesAndGoesOnBehindAFailure() {
        Reply reply = run(new Command.Batch(
                B,
                List.of(
                        new Command.SetAll(B, words("n", "x"), true),
                        new Command.Add(B, Bytes.of("n"), 1),
                        new Command.AddDecimal(B, Bytes.of("m"), new BigDecimal("0.5")),
                        new Command.Size(B),
                        new Command.Measure(B, Bytes.of("m")),
                        new Command.Drop(B),
                        new Command.Get(B, Bytes.of("n")))));

        assertThat(reply)
                .isEqualTo(new Reply.Many(List.of(
                        amount(1),
                        new Reply.Failed(Reply.Reason.NOT_AN_INTEGER),
                        new Reply.Value(Bytes.of("0.5")),
                        amount(2),
                        amount(3),
                        amount(1),
                        Reply.NOT_FOUND)));
        assertThat(Metrics.texts(storage.metrics())).containsEntry("buckets", "0");
    }

    @Test
    void aChangeAboveMaxBytesChangesNothing() throws Exception {
        OpenStorage small = open("small", 500);
        small.run(new Command.SetAll(B, words("a", "1"), false));
        String before = Metrics.texts(small.metrics()).get("bytes");

        for (Command command : List.of(
                new Command.SetAll(B, words("a", "2", "b", "v".repeat(1000)), false),
                new Command.Batch(
                        B, List.of(new Command.Drop(B), new Command.SetAll(B, words("b", "v".repeat(1000)), false))),
                new Command.Rename(B, Bytes.of("n".repeat(900))))) {
            Reply reply = small.run(command).toCompletableFuture().join();
            assertThat(reply).isInstanceOf(Reply.Failed.class);
            assertThat(((Reply.Failed) reply).word()).isEqualTo(Reply.Word.NOSPACE);
            assertThat(small.run(new Command.Content(B, Part.PAIRS))
                            .toCompletableFuture()
                            .join())
                    .isEqualTo(new Reply.Values(words("a", "1")));
            assertThat(Metrics.texts(small.metrics()))
                    .containsEntry("bytes", before)
                    .containsEntry("buckets", "1");
        }
        small.stop(Duration.ZERO);
    }

    @Test
    void aBatchWhoseReplyIsTooLargeChangesNothing() {
        set("large", "v".repeat(REPLY_MAX_BYTES - 1000), "other", "v".repeat(2000));
        Reply tooLarge = new Reply.Failed(Reply.Reason.CONTENT_TOO_LARGE);

        assertThat(run(new Command.Content(B, Part.PAIRS))).isEqualTo(tooLarge);
        assertThat(run(new Command.GetAll(B, words("large", "other")))).isEqualTo(tooLarge);
        assertThat(run(new Command.Batch(
                        B,
                        List.of(
                                new Command.DeleteAll(B, words("other")),
                                new Command.Get(B, Bytes.of("large")),
                                new Command.Get(B, Bytes.of("large"))))))
                .isEqualTo(tooLarge);
        assertThat(run(new Command.Size(B))).isEqualTo(amount(2));
    }

    @Test
    void pagesShowEachKeyOnceAlsoWhileOthersAreWritten() {
        for (int i = 0; i < 1000; i++) {
            set("stays" + i, "" + i, "goes" + i, "");
        }
        Map<Bytes, Bytes> told = new HashMap<>();
        long position = 0;
        int pages = 0;
        do {
            Reply.Page page = (Reply.Page) run(new Command.Scan(B, position, Bytes.of("stays*"), 20, Part.PAIRS));
            for (int i = 0; i < page.values().size(); i += 2) {
                assertThat(told.put(page.values().get(i), page.values().get(i + 1)))
                        .isNull();
            }
            position = page.next();
            run(new Command.DeleteAll(B, words("goes" + pages)));
            set("comes" + pages, "");
            pages++;
        } while (position != 0);

        assertThat(told).hasSize(1000);
        assertThat(told).containsEntry(Bytes.of("stays7"), Bytes.of("7"));
        assertThat(pages).isBetween(90, 120);
    }

    @Test
    void aPageBehindTheLastPositionIsEmpty() {
        for (int i = 0; i < 100; i++) {
            set("k" + i, "v");
        }
        for (long position : new long[] {1L << 32, 1L << 40, Long.MAX_VALUE}) {
            assertThat(run(new Command.Scan(B, position, ANYTHING, 10, Part.KEYS)))
                    .isEqualTo(new Reply.Page(0, List.of()));
            assertThat(run(new Command.Names(NameSpace.ALL, position, ANYTHING, 10)))
                    .isEqualTo(new Reply.Names(List.of(), 0, List.of()));
        }
    }

    @Test
    void samplesAreKeysOfTheBucketWithEqualProbability() {
        for (int i = 0; i < 200; i++) {
            set("k" + i, "v" + i);
        }
        List<Bytes> keys = content(Part.KEYS);

        Reply.Values different = (Reply.Values) run(new Command.Sample(B, 150, Part.KEYS));
        assertThat(different.values()).hasSize(150).doesNotHaveDuplicates().isSubsetOf(keys);
        assertThat(((Reply.Values) run(new Command.Sample(B, 1000, Part.KEYS))).values())
                .containsExactlyInAnyOrderElementsOf(keys);
        assertThat(((Reply.Values) run(new Command.Sample(B, -1000, Part.PAIRS))).values())
                .hasSize(2000);
        Set<Bytes> drawn = new HashSet<>();
        for (int i = 0; i < 10_000; i++) {
            drawn.addAll(((Reply.Values) run(new Command.Sample(B, 1, Part.KEYS))).values());
        }
        assertThat(drawn).containsExactlyInAnyOrderElementsOf(keys);
    }

    @Test
    void samplesInABatchSeeItsChanges() {
        for (int i = 0; i < 100; i++) {
            set("k" + i, "v");
        }
        List<Command> batch = new ArrayList<>();
        Set<Bytes> expected = new HashSet<>();
        for (int left : new int[] {80, 20}) {
            for (int i = left; i < 100; i++) {
                batch.add(new Command.DeleteAll(B, words("k" + i)));
            }
            batch.add(new Command.SetAll(B, words("k1", "changed", "new" + left, "v"), false));
            batch.add(new Command.Sample(B, -20L * left, Part.KEYS));
            batch.add(new Command.Sample(B, 5, Part.KEYS));
        }
        List<Reply> replies = ((Reply.Many) run(new Command.Batch(B, batch)))
                .replies().stream().filter(Reply.Values.class::isInstance).toList();
        for (int i = 0; i < 80; i++) {
            expected.add(Bytes.of("k" + i));
        }
        expected.add(Bytes.of("new80"));
        assertThat(new HashSet<>(((Reply.Values) replies.get(0)).values())).isEqualTo(expected);
        assertThat(((Reply.Values) replies.get(1)).values())
                .hasSize(5)
                .doesNotHaveDuplicates()
                .isSubsetOf(expected);
        for (int i = 20; i < 80; i++) {
            expected.remove(Bytes.of("k" + i));
        }
        expected.add(Bytes.of("new20"));
        assertThat(new HashSet<>(((Reply.Values) replies.get(2)).values())).isEqualTo(expected);
        assertThat(((Reply.Values) replies.get(3)).values())
                .hasSize(5)
                .doesNotHaveDuplicates()
                .isSubsetOf(expected);
    }

    @Test
    void aRenameDropsTheTargetAndKeepsTheFlag() {
        Bytes other = Bytes.of("other");
        set("a", "1");
        run(new Command.Create(B));
        run(new Command.SetAll(other, words("x", "y"), false));

        assertThat(run(new Command.Rename(B, other))).isEqualTo(Reply.OK);
        assertThat(run(new Command.Get(B, Bytes.of("a")))).isEqualTo(Reply.NOT_FOUND);
        assertThat(run(new Command.Content(other, Part.PAIRS))).isEqualTo(new Reply.Values(words("a", "1")));
        run(new Command.DeleteAll(other, words("a")));
        assertThat(run(new Command.Get(other, Bytes.of("a")))).isEqualTo(Reply.ABSENT);
        assertThat(run(new Command.Rename(other, B))).isEqualTo(Reply.NOT_FOUND);
    }

    @Test
    void aBucketLargerThanAnyReplyIsRenamed() {
        Bytes other = Bytes.of("other");
        String half = "v".repeat(REPLY_MAX_BYTES - 1000);
        set("a", half, "b", half);

        assertThat(run(new Command.Rename(B, other))).isEqualTo(Reply.OK);
        assertThat(run(new Command.Size(B))).isEqualTo(amount(0));
        assertThat(run(new Command.Get(other, Bytes.of("b")))).isEqualTo(new Reply.Value(Bytes.of(half)));
    }

    @Test
    void namesAndCountsAreOfBucketsWithKeys() {
        for (int i = 0; i < 300; i++) {
            run(new Command.SetAll(Bytes.of("full" + i), words("a", "1"), false));
            run(new Command.Create(Bytes.of("empty" + i)));
        }
        assertThat(run(new Command.Count(NameSpace.ALL))).isEqualTo(amount(300));
        Set<Bytes> told = new HashSet<>();
        long position = 0;
        do {
            Reply.Names page = (Reply.Names) run(new Command.Names(NameSpace.ALL, position, ANYTHING, 10));
            page.names().forEach(name -> assertThat(told.add(name.bucket())).isTrue());
            position = page.next();
        } while (position != 0);
        assertThat(told).hasSize(300).contains(Bytes.of("full7"));
    }

    @Test
    void threadsThatAddToOneNumberLoseNothing() throws Exception {
        List<Callable<Void>> clients = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            clients.add(() -> {
                for (int j = 0; j < 5_000; j++) {
                    run(new Command.Add(B, Bytes.of("n"), 1));
                }
                return null;
            });
        }
        try (ExecutorService threads = Executors.newFixedThreadPool(4)) {
            for (Future<Void> client : threads.invokeAll(clients)) {
                client.get();
            }
        }
        assertThat(run(new Command.Get(B, Bytes.of("n")))).isEqualTo(new Reply.Value(Bytes.of("20000")));
    }

    @Test
    void aBatchIsOnItsBucketAlone() {
        assertThatThrownBy(() -> new Command.Batch(B, List.of(new Command.Size(Bytes.of("c")))))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new Command.Batch(B, List.of(new Command.Rename(B, Bytes.of("c")))))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
