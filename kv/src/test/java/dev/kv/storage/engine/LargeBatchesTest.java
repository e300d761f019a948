package dev.kv.storage.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Command.Part;
import dev.kv.router.Reply;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Batches in which draws, scans and reads follow many changes of the batch itself. They run as large commands, in bounded time. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class LargeBatchesTest extends WithLargeCommands {
    private static Command.DeleteAll deleteAbsent(int count) {
        return new Command.DeleteAll(
                B,
                IntStream.range(0, count).mapToObj(i -> Bytes.of("absent-" + i)).toList());
    }

    @Test
    void drawsOfChangedKeysCountInTheTurn() {
        assertIsLarge(new Command.Batch(
                B, List.of(set(B, K), deleteAbsent(900), new Command.Sample(B, -100_000, Part.KEYS))));
    }

    @Test
    @Timeout(value = 5, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void drawsTakeNoLongerBehindManyDeletes() {
        Command batch = new Command.Batch(
                B, List.of(set(B, K), deleteAbsent(100_000), new Command.Sample(B, -100_000, Part.KEYS)));

        Reply.Many replies = (Reply.Many) runLarge(batch);

        assertThat(((Reply.Values) replies.replies().getLast()).values())
                .hasSize(100_000)
                .containsOnly(K);
    }

    @Test
    @Timeout(value = 10, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void drawsOfFewThatAreLeftOfManyTakeNoLonger() {
        List<Bytes> keys =
                IntStream.range(0, 50_000).mapToObj(i -> Bytes.of("key-" + i)).toList();
        List<Bytes> pairs = new ArrayList<>();
        keys.forEach(key -> {
            pairs.add(key);
            pairs.add(K);
        });
        runLarge(new Command.SetAll(Bytes.of("many"), pairs, false));
        Bytes many = Bytes.of("many");
        Command batch = new Command.Batch(
                many,
                List.of(
                        new Command.DeleteAll(many, keys.subList(2, keys.size())),
                        new Command.Sample(many, -10_000, Part.KEYS)));

        Reply.Many replies = (Reply.Many) runLarge(batch);

        assertThat(new ArrayList<>(((Reply.Values) replies.replies().getLast()).values()))
                .hasSize(10_000)
                .contains(keys.get(0), keys.get(1))
                .doesNotContain(keys.get(2));
    }

    private static List<Command> repeated(int times, Command... commands) {
        List<Command> all = new ArrayList<>();
        for (int i = 0; i < times; i++) {
            all.addAll(List.of(commands));
        }
        return all;
    }

    @Test
    @Timeout(value = 20, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void drawsBetweenChangesTakeNoLongerInALongBatch() {
        List<Bytes> keys =
                IntStream.range(0, 100_000).mapToObj(i -> Bytes.of("key-" + i)).toList();
        List<Bytes> pairs = new ArrayList<>();
        keys.forEach(key -> pairs.addAll(List.of(key, K)));
        runLarge(new Command.SetAll(B, pairs, false));
        List<Command> commands = new ArrayList<>(List.of(new Command.DeleteAll(B, keys.subList(0, 60_000))));
        for (int i = 0; i < 100_000; i++) {
            commands.add(set(B, K));
            commands.add(new Command.SetAll(B, List.of(Bytes.of("new-" + i), K), false));
            commands.add(new Command.Sample(B, 1, Part.KEYS));
            commands.add(new Command.Scan(B, 0, Bytes.of("*"), 1, Part.KEYS));
        }

        Reply.Many replies = (Reply.Many) runLarge(new Command.Batch(B, commands));

        assertThat(replies.replies()).hasSize(400_001).noneMatch(Reply.Failed.class::isInstance);
    }

    @Test
    @Timeout(value = 10, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void scansTakeNoLongerBehindManyDeletes() {
        List<Bytes> keys =
                IntStream.range(0, 10_000).mapToObj(i -> Bytes.of("key-" + i)).toList();
        List<Bytes> pairs = new ArrayList<>();
        keys.forEach(key -> pairs.addAll(List.of(key, K)));
        runLarge(new Command.SetAll(B, pairs, false));
        List<Command> batch = repeated(10_000, new Command.Scan(B, 0, Bytes.of("*"), 10, Part.KEYS));
        batch.addFirst(new Command.DeleteAll(B, keys.subList(1, keys.size())));

        Reply.Many replies = (Reply.Many) runLarge(new Command.Batch(B, batch));

        assertThat(replies.replies()).hasSize(10_001).noneMatch(Reply.Failed.class::isInstance);
    }

    @Test
    @Timeout(value = 10, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void walksTakeNoLongerBehindManyDeletes() {
        List<Bytes> keys =
                IntStream.range(0, 20_000).mapToObj(i -> Bytes.of("key-" + i)).toList();
        List<Bytes> pairs = new ArrayList<>();
        keys.forEach(key -> pairs.addAll(List.of(key, K)));
        runLarge(new Command.SetAll(B, pairs, false));
        int left = 20;
        List<Command> batch = new ArrayList<>(List.of(new Command.DeleteAll(B, keys.subList(left, keys.size()))));
        for (int i = 0; i < 10_000; i++) {
            batch.add(new Command.Content(B, Part.KEYS));
            batch.add(new Command.Scan(B, 0, Bytes.of("*"), 100_000, Part.KEYS));
        }
        batch.add(new Command.DeleteAll(B, keys.subList(1, left)));
        batch.add(set(B, K));
        batch.add(new Command.Content(B, Part.KEYS));

        List<Reply> replies = ((Reply.Many) runLarge(new Command.Batch(B, batch))).replies();

        assertThat(((Reply.Values) replies.get(19_999)).values())
                .containsExactlyInAnyOrderElementsOf(keys.subList(0, left));
        assertThat(((Reply.Page) replies.get(20_000)).values())
                .containsExactlyInAnyOrderElementsOf(keys.subList(0, left));
        assertThat(((Reply.Values) replies.getLast()).values()).containsExactlyInAnyOrder(keys.getFirst(), K);
    }

    @Test
    void aScanBehindManyDeletesFindsEachKeyThatIsLeftOnce() {
        List<Bytes> keys =
                IntStream.range(0, 100).mapToObj(i -> Bytes.of("key-" + i)).toList();
        List<Bytes> pairs = new ArrayList<>();
        keys.forEach(key -> pairs.addAll(List.of(key, K)));
        List<Bytes> found = new ArrayList<>();
        long position = 0;
        int pages = 0;
        do {
            // In a bucket of its own, each page finds all keys before the deletes; they have the same positions in
            // each.
            Bytes bucket = Bytes.of("b" + pages);
            runLarge(new Command.SetAll(bucket, pairs, false));
            Command delete = new Command.DeleteAll(bucket, keys.subList(30, keys.size()));
            Command scan = new Command.Scan(bucket, position, Bytes.of("*"), 10, Part.KEYS);
            Reply.Many replies = (Reply.Many) runLarge(new Command.Batch(bucket, List.of(delete, scan)));
            Reply.Page page = (Reply.Page) replies.replies().getLast();
            found.addAll(page.values());
            position = page.next();
            pages++;
        } while (position != 0);

        assertThat(found).containsExactlyInAnyOrderElementsOf(keys.subList(0, 30));
        assertThat(pages).isBetween(3, 4);
    }

    @Test
    void aDrawShowsNoKeyThatWasDeletedAfterTheDrawBefore() {
        List<Bytes> keys =
                IntStream.range(0, 100).mapToObj(i -> Bytes.of("key-" + i)).toList();
        List<Bytes> pairs = new ArrayList<>();
        keys.forEach(key -> pairs.addAll(List.of(key, K)));
        runLarge(new Command.SetAll(B, pairs, false));
        List<Command> batch = new ArrayList<>(List.of(new Command.DeleteAll(B, keys.subList(0, 60))));
        for (int i = 60; i < 99; i++) {
            batch.add(new Command.Sample(B, 1, Part.KEYS));
            batch.add(new Command.DeleteAll(B, keys.subList(i, i + 1)));
        }
        batch.add(new Command.Sample(B, -100, Part.KEYS));

        Reply.Many replies = (Reply.Many) runLarge(new Command.Batch(B, batch));

        assertThat(((Reply.Values) replies.replies().getLast()).values())
                .hasSize(100)
                .containsOnly(keys.getLast());
    }

    @Test
    void whatABatchReadsOfItsOwnChangesCountsInTheTurn() {
        List<Bytes> pairs = new ArrayList<>();
        for (int i = 0; i < 400; i++) {
            pairs.addAll(List.of(Bytes.of("key-" + i), K));
        }
        Command.SetAll set = new Command.SetAll(B, pairs, false);
        for (Command read : List.of(
                new Command.Content(B, Part.KEYS),
                new Command.Get(B, Bytes.of("key-1")),
                new Command.Measure(B, Bytes.of("key-1")),
                new Command.Scan(B, 0, Bytes.of("*"), 10, Part.KEYS))) {
            List<Command> commands = repeated(1_000, read);
            commands.addFirst(set);
            assertIsLarge(new Command.Batch(B, commands));
        }
        List<Command> empty = repeated(100_000, new Command.Scan(B, (1L << 32) - 1, Bytes.of("*"), 10, Part.KEYS));
        empty.addFirst(set);
        assertIsLarge(new Command.Batch(B, empty));

        List<Command> commands = repeated(3, new Command.Content(B, Part.KEYS));
        commands.addFirst(set);
        Reply.Many replies = (Reply.Many) runLarge(new Command.Batch(B, commands));
        assertThat(((Reply.Values) replies.replies().getLast()).values()).hasSize(400);
    }
}
