package dev.kv.storage.log;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Held;
import dev.kv.router.Reply;
import dev.kv.storage.DataFolder;
import dev.kv.storage.OpenStorage;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class HeldFieldTest {
    private static final Bytes B = Bytes.of("b");
    private static final String LARGE = "0123456789abcdef".repeat(20_000);

    @TempDir
    private Path path;

    private DataFolder folder;
    private OpenStorage storage;

    @BeforeEach
    void open() throws Exception {
        folder = new DataFolder(path.resolve("data"));
        storage = folder.open();
        DataFolder.create(storage, "b");
    }

    @AfterEach
    void stop() {
        storage.stop(Duration.ZERO);
    }

    private Reply run(Command command) {
        return storage.run(command).toCompletableFuture().join();
    }

    private Held held(String key) {
        return ((Reply.LargeValue) run(new Command.Get(B, Bytes.of(key)))).value();
    }

    private static Reply checked(Held held) {
        Optional<Reply> checked = Optional.empty();
        while (checked.isEmpty()) {
            checked = held.check(100_000, Held.Seen.NOTHING);
        }
        return checked.get();
    }

    private static String text(Held held) {
        ByteBuffer bytes = held.bytes();
        byte[] copy = new byte[bytes.remaining()];
        bytes.get(copy);
        return new String(copy, UTF_8);
    }

    @Test
    void aValueIsHeldFromSixtyFourKibibytesOn() {
        DataFolder.put(storage, "b", "short", "v".repeat(65_535));
        DataFolder.put(storage, "b", "large", "v".repeat(65_536));

        assertThat(run(new Command.Get(B, Bytes.of("short")))).isInstanceOf(Reply.Value.class);
        Held held = held("large");
        assertThat(held.size()).isEqualTo(65_536);
        assertThat(held.bytes().isReadOnly()).isTrue();
        held.release();
    }

    @Test
    void aHeldValueStaysReadableWhenItsFileIsRemoved() throws Exception {
        DataFolder.put(storage, "b", "key", LARGE);
        Held held = held("key");
        Path file = folder.files(".log").getFirst();

        compactAway("key");
        assertThat(file).doesNotExist();
        assertThat(checked(held)).isEqualTo(Reply.OK);
        assertThat(text(held)).isEqualTo(LARGE);

        held.release();
        held.release();
        awaitUnpinned();
    }

    /** Deletes the key, and has compaction replace its segment. */
    private void compactAway(String key) throws Exception {
        run(new Command.Delete(B, Bytes.of(key)));
        for (int i = 0; i < 8; i++) {
            DataFolder.put(storage, "b", "other", LARGE);
        }
        DataFolder.awaitSynced(storage);
        storage.compact();
        storage.compact();
    }

    private void awaitUnpinned() {
        DataFolder.await(() -> storage.log().segments().pinnedBytes() == 0);
    }

    @Test
    void aDamagedHeldValueIsNoticedBeforeItIsSent() throws Exception {
        DataFolder.put(storage, "b", "key", LARGE);
        DataFolder.flip(folder.files(".log").getFirst(), LARGE.length() / 2);

        Held held = held("key");
        assertThat(checked(held))
                .isInstanceOfSatisfying(
                        Reply.Failed.class,
                        failed -> assertThat(failed.message()).contains("`kv verify` tells more"));
        held.release();
    }

    @Test
    void severalValuesAreHeldAtOnce() {
        DataFolder.put(storage, "b", "one", LARGE);
        DataFolder.put(storage, "b", "two", "2");
        List<Command> commands = List.of(new Command.Get(B, Bytes.of("one")), new Command.Get(B, Bytes.of("two")));
        List<Reply> values = List.of(new Reply.Value(Bytes.of(LARGE)), new Reply.Value(Bytes.of("2")));

        for (Command command : List.of(
                new Command.Batch(B, commands), new Command.GetAll(B, List.of(Bytes.of("one"), Bytes.of("two"))))) {
            Reply reply = run(command);
            assertThat(Held.isIn(reply)).isTrue();
            assertThat(Held.flat(reply)).isEqualTo(new Reply.Many(values));
        }
    }

    @Test
    void aFailedCommandReleasesItsHeldValues() throws Exception {
        DataFolder.put(storage, "b", "key", LARGE);
        Reply tooLarge =
                run(new Command.GetAll(B, List.of(Bytes.of("key"), Bytes.of("key"), Bytes.of("key"), Bytes.of("key"))));
        assertThat(tooLarge).isInstanceOf(Reply.Failed.class);
        Command get = new Command.Get(B, Bytes.of("key"));
        Command put = new Command.Put(B, Bytes.of("new"), Bytes.of("1"));
        assertThat(run(new Command.Batch(B, List.of(put, get, get, get, get)))).isInstanceOf(Reply.Failed.class);

        compactAway("key");
        awaitUnpinned();
    }

    @Test
    void theValueThatAWriteReplacesIsHeld() throws Exception {
        Bytes name = Bytes.of("value");
        Command set = new Command.SetValue(name, Bytes.of(LARGE), Command.Condition.ALWAYS, false);
        Command.SetValue replace = new Command.SetValue(name, Bytes.of("new"), Command.Condition.ALWAYS, true);
        List<Reply> replies = new ArrayList<>();
        for (Command command : List.of(
                replace,
                new Command.TakeValue(name),
                new Command.Batch(name, List.of(new Command.GetValue(name), replace)))) {
            run(set);
            replies.add(run(command));
        }
        compactAway("key");
        Reply old = new Reply.Value(Bytes.of(LARGE));

        assertThat(replies).allMatch(Held::isIn);
        assertThat(replies.stream().map(Held::flat)).containsExactly(old, old, new Reply.Many(List.of(old, old)));
        awaitUnpinned();
    }

    @Test
    void aChangeThatIsRefusedReleasesTheValueThatItReplaces() throws Exception {
        storage.stop(Duration.ZERO);
        storage = OpenStorage.open(
                DataFolder.settings(
                        folder.path(),
                        new Sync(false, Optional.of(Duration.ofMillis(10))),
                        800_000,
                        1 << 20,
                        DataFolder.PINS),
                DataFolder.limits(1 << 20),
                _ -> {});
        Bytes name = Bytes.of("value");
        run(new Command.SetValue(name, Bytes.of(LARGE), Command.Condition.ALWAYS, false));
        Bytes larger = Bytes.of(LARGE.repeat(3));
        assertThat(run(new Command.SetValue(name, larger, Command.Condition.ALWAYS, true)))
                .isInstanceOfSatisfying(
                        Reply.Failed.class, failed -> assertThat(failed.word()).isEqualTo(Reply.Word.NOSPACE));

        run(new Command.Drop(name));
        compactAway("key");
        awaitUnpinned();
    }

    /** The reply would say that the write has failed. */
    @Test
    void aDamagedValueIsNotReplacedByACommandThatReturnsIt() throws Exception {
        Bytes name = Bytes.of("value");
        run(new Command.SetValue(name, Bytes.of(LARGE), Command.Condition.ALWAYS, false));
        DataFolder.awaitSynced(storage);
        DataFolder.flip(folder.files(".log").getFirst(), LARGE.length() / 2);

        assertThat(run(new Command.SetValue(name, B, Command.Condition.ALWAYS, true)))
                .isInstanceOf(Reply.Failed.class);
        assertThat(run(new Command.MeasureValue(name))).isEqualTo(new Reply.Amount(LARGE.length()));
    }
}
