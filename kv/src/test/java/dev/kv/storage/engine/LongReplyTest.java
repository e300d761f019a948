package dev.kv.storage.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Expiry;
import dev.kv.router.Kind;
import dev.kv.router.LongReply;
import dev.kv.router.NameSpace;
import dev.kv.router.Reply;
import dev.kv.storage.DataFolder;
import dev.kv.storage.OpenStorage;
import java.math.BigDecimal;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whether the reply to a command may be long, as both doors ask before they run it, against the storage's replies. */
class LongReplyTest {
    /** More values than an I/O loop encodes by itself. */
    private static final int MANY = 5_000;

    private static final Bytes B = Bytes.of("b");

    /** Large enough to be sent from the log. */
    private static final Bytes LARGE = Bytes.owning(new byte[2 << 20]);

    @TempDir
    Path site;

    private OpenStorage storage;

    @BeforeEach
    void open() throws Exception {
        storage = new DataFolder(site.resolve("data")).open(DataFolder.limits(16L << 20));
        for (int i = 0; i < MANY; i++) {
            run(new Command.SetAll(key(i), List.of(key(i), key(i)), false));
        }
    }

    @AfterEach
    void stop() {
        storage.stop(Duration.ZERO);
    }

    private Reply run(Command command) {
        return storage.run(command).toCompletableFuture().join();
    }

    private static Bytes key(int i) {
        return Bytes.of("key-" + i);
    }

    private static List<Bytes> keys() {
        return IntStream.range(0, MANY).mapToObj(LongReplyTest::key).toList();
    }

    /** Each command, with the longest reply that it can have; in an order in which each finds its keys. */
    private static List<Command> commands() {
        Bytes number = Bytes.of("number");
        Bytes large = Bytes.of("large");
        Bytes value = Bytes.of("value");
        List<Bytes> pairs = keys().stream().flatMap(key -> Stream.of(key, key)).toList();
        List<Command> gets = new ArrayList<>();
        keys().forEach(key -> gets.add(new Command.Get(B, key)));
        return List.of(
                new Command.Create(B),
                new Command.SetAll(B, pairs, false),
                new Command.GetAll(B, keys()),
                new Command.Content(B, Command.Part.PAIRS),
                new Command.Sample(B, -MANY, Command.Part.PAIRS),
                new Command.Scan(B, 0, Bytes.of("*"), MANY, Command.Part.PAIRS),
                new Command.Batch(B, gets),
                new Command.Each(gets),
                new Command.Watch(B),
                new Command.Weigh(B),
                new Command.Copy(number, Bytes.of("copy"), true),
                new Command.Names(NameSpace.ALL, 0, Bytes.of("*"), MANY),
                new Command.Size(B),
                new Command.Count(NameSpace.ALL),
                new Command.Put(B, large, LARGE),
                new Command.Get(B, large),
                new Command.Together(List.of(), List.of(new Command.Get(B, large))),
                new Command.Measure(B, large),
                new Command.Delete(B, large),
                new Command.ExpiriesOfKeys(B, keys()),
                new Command.ExpireKeys(B, keys(), Expiry.NONE, Expiry.Condition.ALWAYS),
                new Command.GetAllAndExpire(B, keys(), Expiry.NONE),
                new Command.SetAllUntil(B, pairs, Command.KeysCondition.ALWAYS, Expiry.NONE),
                new Command.ExpiryOf(B),
                new Command.Expire(B, Expiry.NONE, Expiry.Condition.ALWAYS),
                new Command.Add(B, number, Long.MAX_VALUE),
                new Command.AddDecimal(B, number, BigDecimal.TEN),
                new Command.TakeAll(B, keys()),
                new Command.DeleteAll(B, keys()),
                new Command.RenameAbsent(B, Bytes.of("d")),
                new Command.Rename(Bytes.of("d"), Bytes.of("c")),
                new Command.Drop(Bytes.of("c")),
                new Command.SetValue(value, LARGE, Command.Condition.ALWAYS, false),
                new Command.GetValue(value),
                new Command.SetValueUntil(
                        new Command.SetValue(value, LARGE, Command.Condition.ALWAYS, false), Expiry.KEPT),
                new Command.GetValueAndExpire(value, Expiry.NONE),
                new Command.MeasureValue(value),
                new Command.KindOf(value),
                new Command.NamesOfKind(new Command.Names(NameSpace.ALL, 0, Bytes.of("*"), MANY), Kind.BUCKET),
                new Command.WriteRange(value, Command.WriteRange.END, number),
                new Command.GetRange(value, 0, -1),
                new Command.DropEqual(value, number),
                new Command.TakeValue(value),
                new Command.AddToValue(value, 1),
                new Command.AddDecimalToValue(value, BigDecimal.TEN),
                new Command.SetAbsentValues(List.of(number, number)),
                new Command.Route(B));
    }

    private void assertIsLong(boolean isLong, Command command) {
        assertThat(LongReply.is(run(command))).as("%s", command).isEqualTo(isLong);
        assertThat(LongReply.mayFollow(command)).as("%s", command).isEqualTo(isLong);
    }

    @Test
    void aBatchMayHaveALongReplyIfItReturnsValues() {
        Bytes value = Bytes.of("value");
        Command set = new Command.SetValue(value, LARGE, Command.Condition.ALWAYS, false);
        assertIsLong(false, new Command.SetValue(value, B, Command.Condition.ALWAYS, true));
        assertIsLong(false, new Command.Batch(value, List.of(set, new Command.MeasureValue(value))));
        assertIsLong(false, new Command.SetValue(value, B, Command.Condition.ALWAYS, true));
        for (Command read : List.of(
                new Command.GetValue(value),
                new Command.GetRange(value, 0, -1),
                new Command.SetValue(value, B, Command.Condition.ALWAYS, true),
                new Command.TakeValue(value))) {
            assertIsLong(true, new Command.Batch(value, List.of(set, read)));
        }
        assertIsLong(
                true,
                new Command.Batch(B, List.of(new Command.SetAll(B, List.of(B, LARGE), false), new Command.Get(B, B))));
        List<Command> deletes = new ArrayList<>();
        keys().forEach(key -> deletes.add(new Command.Delete(B, key)));
        assertIsLong(true, new Command.Batch(B, deletes));
    }

    private static Set<Class<?>> permitted(Class<?> sealed) {
        return Stream.of(sealed.getPermittedSubclasses())
                .flatMap(type -> type.isRecord() ? Stream.of(type) : permitted(type).stream())
                .collect(Collectors.toSet());
    }

    @Test
    void theDoorsKnowOfEachCommandWhetherItsReplyMayBeLong() {
        assertThat(commands())
                .extracting(Object::getClass)
                .containsExactlyInAnyOrderElementsOf(permitted(Command.class));
        for (Command command : commands()) {
            if (command instanceof Command.Route || command instanceof Command.Together) {
                // The router answers the one; the other takes at most one turn, which may be longer than here.
                assertThat(LongReply.mayFollow(command)).isEqualTo(command instanceof Command.Together);
                continue;
            }
            Reply reply = run(command);
            String name = command.getClass().getSimpleName();
            assertThat(reply).as(name).isNotInstanceOf(Reply.Failed.class).isNotEqualTo(Reply.NOT_FOUND);
            assertThat(LongReply.is(reply)).as(name).isEqualTo(LongReply.mayFollow(command));
        }
    }

    @Test
    void aReplyIsLongByWhatItsPartsHoldTogether() {
        Bytes value = Bytes.owning(new byte[100]);
        Reply half = new Reply.Values(List.of(value, value));

        assertThat(LongReply.is(new Reply.Many(many(half, 2_048)))).isFalse();
        assertThat(LongReply.is(new Reply.Many(many(half, 2_049)))).isTrue();
        assertThat(LongReply.is(new Reply.Many(many(new Reply.Value(Bytes.owning(new byte[1_000])), 2_000))))
                .isTrue();
        assertThat(LongReply.is(new Reply.Many(many(new Reply.Value(LARGE), 1))))
                .isTrue();
        assertThat(LongReply.is(new Reply.Many(List.of(new Reply.Many(many(Reply.ABSENT, 4_097))))))
                .isTrue();
        assertThat(LongReply.is(new Reply.Many(many(Reply.ABSENT, 4_096)))).isFalse();
    }

    private static List<Reply> many(Reply reply, int count) {
        return IntStream.range(0, count).mapToObj(_ -> reply).toList();
    }
}
