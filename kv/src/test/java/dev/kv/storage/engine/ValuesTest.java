package dev.kv.storage.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Command.Condition;
import dev.kv.router.Kind;
import dev.kv.router.NameSpace;
import dev.kv.router.Reply;
import dev.kv.router.Reply.Reason;
import dev.kv.router.metrics.Metrics;
import dev.kv.storage.DataFolder;
import dev.kv.storage.log.Segment;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Names that hold values in place of buckets. */
class ValuesTest extends WithStorage {
    private static final Reply WRONG_TYPE = new Reply.Failed(Reason.WRONG_TYPE);
    private static final Bytes NAME = Bytes.of("session");

    private void set(String name, String value) {
        assertThat(run(new Command.SetValue(Bytes.of(name), Bytes.of(value), Condition.ALWAYS, false)))
                .isEqualTo(Reply.OK);
    }

    private Reply get(String name) {
        return run(new Command.GetValue(Bytes.of(name)));
    }

    private static Reply value(String value) {
        return new Reply.Value(Bytes.of(value));
    }

    private Reply hash(String name, String key, String value) {
        return run(new Command.SetAll(Bytes.of(name), List.of(Bytes.of(key), Bytes.of(value)), false));
    }

    private Reply hashValue(String name, String key) {
        return run(new Command.GetAll(Bytes.of(name), List.of(Bytes.of(key))));
    }

    @Test
    void aValueStaysThroughCompactionsAndRestartsAndTakesNoObject() throws Exception {
        set("session", "foo");
        set("session", "bar");
        set("empty", "");
        set("long", "x".repeat(300_000));
        set("dropped", "foo");
        assertThat(run(new Command.Drop(Bytes.of("dropped")))).isEqualTo(new Reply.Amount(1));
        for (int round = 0; round < 3; round++) {
            assertThat(get("session")).isEqualTo(value("bar"));
            assertThat(get("empty")).isEqualTo(value(""));
            assertThat(get("long")).isEqualTo(value("x".repeat(300_000)));
            assertThat(get("dropped")).isEqualTo(Reply.ABSENT);
            assertThat(run(new Command.MeasureValue(Bytes.of("long")))).isEqualTo(new Reply.Amount(300_000));
            assertThat(run(new Command.Count(NameSpace.ALL))).isEqualTo(new Reply.Amount(3));
            assertThat(storage.buckets().table().keys()).isZero();
            assertThat(objects()).isZero();
            if (round == 0) {
                compact();
            }
            reopen();
        }
    }

    /** What an entry says is not kept at a start once it is in the table: the next one of the name has to find out again. */
    @Test
    void aNameWithSeveralEntriesInASegmentIsWhatTheLastOneSays() throws Exception {
        int names = 200;
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < names; i++) {
                switch (round + i % 8) {
                    case 0, 1, 2, 6 -> set("name-" + i, "in round " + round);
                    case 3, 7, 9 -> run(new Command.Drop(Bytes.of("name-" + i)));
                    case 4 -> hash("name-" + i, "key", "in round " + round);
                    case 5 -> run(new Command.Rename(Bytes.of("name-" + i), Bytes.of("other-" + i)));
                    default -> set("other-" + i, "in round " + round);
                }
            }
        }
        List<Reply> before = all(names);
        assertThat(before).contains(value("in round 1"), value("in round 2"), Reply.ABSENT, WRONG_TYPE);
        reopen();
        assertThat(Metrics.texts(storage.metrics())).doesNotContainEntry("recovery hinted bytes", "0");
        assertThat(all(names)).isEqualTo(before);
    }

    private List<Reply> all(int names) {
        List<Reply> replies = new ArrayList<>();
        for (int i = 0; i < names; i++) {
            replies.add(get("name-" + i));
            replies.add(get("other-" + i));
        }
        return replies;
    }

    @Test
    void aValueTakesThePlaceOfABucketAndABucketThatOfAValueOnlyBehindADelete() throws Exception {
        DataFolder.create(storage, "kept");
        hash("kept", "user", "foo");
        hash("bucket", "user", "foo");
        hash("bucket", "cart", "milk");
        set("kept", "1");
        set("bucket", "2");
        set("back", "3");
        assertThat(hash("back", "user", "foo")).isEqualTo(WRONG_TYPE);
        assertThat(run(new Command.Drop(Bytes.of("back")))).isEqualTo(new Reply.Amount(1));
        assertThat(hash("back", "user", "foo")).isEqualTo(new Reply.Amount(1));
        for (int round = 0; round < 3; round++) {
            assertThat(get("kept")).isEqualTo(value("1"));
            assertThat(get("bucket")).isEqualTo(value("2"));
            assertThat(get("back")).isEqualTo(WRONG_TYPE);
            assertThat(hashValue("back", "user")).isEqualTo(new Reply.Many(List.of(value("foo"))));
            if (round == 0) {
                compact();
            }
            reopen();
        }
        assertThat(run(new Command.Drop(Bytes.of("kept")))).isEqualTo(new Reply.Amount(1));
        reopen();
        assertThat(run(new Command.Create(Bytes.of("kept")))).isEqualTo(Reply.OK);
        assertThat(DataFolder.get(storage, "kept", "user")).isEqualTo(Reply.ABSENT);
    }

    @Test
    void eachCommandOnTheOtherKindIsOfTheWrongType() {
        set("value", "1");
        hash("bucket", "key", "1");
        Bytes value = Bytes.of("value");
        Bytes bucket = Bytes.of("bucket");
        Bytes key = Bytes.of("key");
        for (Command command : List.<Command>of(
                new Command.Create(value),
                new Command.Put(value, key, key),
                new Command.Get(value, key),
                new Command.Get(value, Bytes.EMPTY),
                new Command.Delete(value, key),
                new Command.SetAll(value, List.of(Bytes.EMPTY, key), true),
                new Command.DeleteAll(value, List.of(Bytes.EMPTY)),
                new Command.Add(value, Bytes.EMPTY, 1),
                new Command.AddDecimal(value, Bytes.EMPTY, BigDecimal.ONE),
                new Command.GetAll(value, List.of(Bytes.EMPTY)),
                new Command.Measure(value, Bytes.EMPTY),
                new Command.Size(value),
                new Command.Content(value, Command.Part.PAIRS),
                new Command.Sample(value, 1, Command.Part.KEYS),
                new Command.Scan(value, 0, Bytes.of("*"), 10, Command.Part.KEYS),
                new Command.GetValue(bucket),
                new Command.GetRange(bucket, 0, 1),
                new Command.MeasureValue(bucket),
                new Command.TakeValue(bucket),
                new Command.DropEqual(bucket, key),
                new Command.AddToValue(bucket, 1),
                new Command.AddDecimalToValue(bucket, BigDecimal.ONE),
                new Command.WriteRange(bucket, 0, key),
                new Command.SetValue(bucket, key, Condition.ALWAYS, true),
                new Command.SetValue(bucket, key, new Condition.IfEqual(key), false))) {
            assertThat(run(command)).as(command.toString()).isEqualTo(WRONG_TYPE);
            assertThat(run(new Command.Batch(command.bucket(), List.of(command))))
                    .isEqualTo(new Reply.Many(List.of(WRONG_TYPE)));
        }
        assertThat(get("value")).isEqualTo(value("1"));
        assertThat(hashValue("bucket", "key")).isEqualTo(new Reply.Many(List.of(value("1"))));
        assertThat(run(new Command.KindOf(value))).isEqualTo(new Reply.OfKind(Kind.VALUE));
        assertThat(run(new Command.KindOf(bucket))).isEqualTo(new Reply.OfKind(Kind.BUCKET));
        assertThat(run(new Command.KindOf(key))).isEqualTo(Reply.ABSENT);
    }

    @Test
    void aBucketWithoutKeysIsNothingToACommandOnAValue() throws Exception {
        DataFolder.create(storage, "session");
        assertThat(get("session")).isEqualTo(Reply.ABSENT);
        assertThat(run(new Command.KindOf(NAME))).isEqualTo(Reply.ABSENT);
        assertThat(run(new Command.TakeValue(NAME))).isEqualTo(Reply.ABSENT);
        assertThat(run(new Command.SetValue(NAME, Bytes.of("1"), Condition.PRESENT, false)))
                .isEqualTo(Reply.ABSENT);
        assertThat(run(new Command.AddToValue(NAME, 5))).isEqualTo(new Reply.Amount(5));
        reopen();
        assertThat(get("session")).isEqualTo(value("5"));
        run(new Command.Drop(NAME));
        assertThat(run(new Command.Put(NAME, NAME, NAME)))
                .as("it is kept no more")
                .isEqualTo(Reply.NOT_FOUND);
    }

    @Test
    void conditionsAreThoseOfSet() {
        Bytes one = Bytes.of("1");
        Bytes two = Bytes.of("2");
        assertThat(run(new Command.SetValue(NAME, one, Condition.PRESENT, false)))
                .isEqualTo(Reply.ABSENT);
        assertThat(run(new Command.SetValue(NAME, one, Condition.PRESENT, true)))
                .isEqualTo(Reply.ABSENT);
        assertThat(run(new Command.SetValue(NAME, one, Condition.ABSENT, false)))
                .isEqualTo(Reply.OK);
        assertThat(run(new Command.SetValue(NAME, two, Condition.ABSENT, false)))
                .isEqualTo(Reply.ABSENT);
        assertThat(run(new Command.SetValue(NAME, two, Condition.ABSENT, true))).isEqualTo(value("1"));
        assertThat(run(new Command.SetValue(NAME, two, new Condition.IfEqual(two), false)))
                .isEqualTo(Reply.ABSENT);
        assertThat(get("session")).isEqualTo(value("1"));
        assertThat(run(new Command.SetValue(NAME, two, new Condition.IfEqual(one), true)))
                .isEqualTo(value("1"));
        assertThat(run(new Command.SetValue(NAME, Bytes.of("3"), Condition.PRESENT, true)))
                .isEqualTo(value("2"));
        hash("bucket", "key", "1");
        assertThat(run(new Command.SetValue(Bytes.of("bucket"), one, Condition.ABSENT, false)))
                .isEqualTo(Reply.ABSENT);
        assertThat(run(new Command.SetValue(Bytes.of("bucket"), one, Condition.PRESENT, false)))
                .isEqualTo(Reply.OK);
        assertThat(run(new Command.DropEqual(NAME, one))).isEqualTo(new Reply.Amount(0));
        assertThat(run(new Command.DropEqual(NAME, Bytes.of("3")))).isEqualTo(new Reply.Amount(1));
        assertThat(get("session")).isEqualTo(Reply.ABSENT);
        assertThat(run(new Command.TakeValue(Bytes.of("bucket")))).isEqualTo(value("1"));
        assertThat(get("bucket")).isEqualTo(Reply.ABSENT);
    }

    @Test
    void numbersAndRangesAreThoseOfRedis() {
        assertThat(run(new Command.AddToValue(NAME, -3))).isEqualTo(new Reply.Amount(-3));
        assertThat(run(new Command.AddDecimalToValue(NAME, new BigDecimal("0.5"))))
                .isEqualTo(value("-2.5"));
        assertThat(run(new Command.AddToValue(NAME, 1))).isEqualTo(new Reply.Failed(Reason.VALUE_NOT_AN_INTEGER));
        assertThat(run(new Command.WriteRange(NAME, Command.WriteRange.END, Bytes.of("x"))))
                .isEqualTo(new Reply.Amount(5));
        assertThat(run(new Command.AddDecimalToValue(NAME, BigDecimal.ONE)))
                .isEqualTo(new Reply.Failed(Reason.VALUE_NOT_A_NUMBER));
        assertThat(run(new Command.WriteRange(NAME, 1, Bytes.of("ab")))).isEqualTo(new Reply.Amount(5));
        assertThat(get("session")).isEqualTo(value("-ab5x"));
        assertThat(run(new Command.WriteRange(NAME, 7, Bytes.of("z")))).isEqualTo(new Reply.Amount(8));
        assertThat(get("session")).isEqualTo(value("-ab5x\0\0z"));
        assertThat(run(new Command.WriteRange(NAME, 20, Bytes.EMPTY))).isEqualTo(new Reply.Amount(8));
        assertThat(run(new Command.WriteRange(NAME, Long.MAX_VALUE, Bytes.of("z"))))
                .isInstanceOf(Reply.Failed.class);
        assertThat(run(new Command.WriteRange(NAME, 1 << 30, Bytes.of("z")))).isInstanceOf(Reply.Failed.class);
        assertThat(run(new Command.GetRange(NAME, 1, 3))).isEqualTo(value("ab5"));
        assertThat(run(new Command.GetRange(NAME, -1, -1))).isEqualTo(value("z"));
        assertThat(run(new Command.GetRange(NAME, 5, 2))).isEqualTo(value(""));
        assertThat(run(new Command.GetRange(Bytes.of("none"), 0, -1))).isEqualTo(value(""));
        assertThat(run(new Command.WriteRange(Bytes.of("none"), 2, Bytes.EMPTY)))
                .isEqualTo(new Reply.Amount(0));
        assertThat(get("none")).isEqualTo(Reply.ABSENT);
        assertThat(run(new Command.WriteRange(Bytes.of("new"), Command.WriteRange.END, Bytes.EMPTY)))
                .isEqualTo(new Reply.Amount(0));
        assertThat(get("new")).isEqualTo(value(""));
    }

    @Test
    void aBatchSeesWhatItHasChanged() throws Exception {
        hash("session", "user", "foo");
        Command set = new Command.SetValue(NAME, Bytes.of("1"), Condition.ALWAYS, false);
        Command drop = new Command.Drop(NAME);
        Command put = new Command.SetAll(NAME, List.of(Bytes.of("user"), Bytes.of("bar")), false);
        Command get = new Command.GetValue(NAME);
        assertThat(run(new Command.Batch(NAME, List.of(set, put, get, new Command.AddToValue(NAME, 1), get))))
                .isEqualTo(new Reply.Many(List.of(Reply.OK, WRONG_TYPE, value("1"), new Reply.Amount(2), value("2"))));
        reopen();
        assertThat(get("session")).isEqualTo(value("2"));
        assertThat(run(new Command.Batch(NAME, List.of(drop, get, put, get))))
                .isEqualTo(new Reply.Many(List.of(new Reply.Amount(1), Reply.ABSENT, new Reply.Amount(1), WRONG_TYPE)));
        reopen();
        assertThat(hashValue("session", "user")).isEqualTo(new Reply.Many(List.of(value("bar"))));
    }

    @Test
    void aValueInTheChangeThatDeletesTheLastKeyIsAValueAlone() throws Exception {
        for (String key : List.of("user", "")) {
            Command delete = new Command.DeleteAll(NAME, List.of(Bytes.of(key)));
            for (Command set : List.of(
                    new Command.SetValue(NAME, Bytes.of("1"), Condition.ALWAYS, false),
                    new Command.AddToValue(NAME, 1),
                    new Command.WriteRange(NAME, Command.WriteRange.END, Bytes.of("1")))) {
                run(new Command.Drop(NAME));
                hash("session", key, "foo");
                assertThat(run(new Command.Batch(NAME, List.of(delete, set)))).isInstanceOf(Reply.Many.class);
                for (int round = 0; round < 2; round++) {
                    reopen();
                    assertThat(get("session")).isEqualTo(value("1"));
                    assertThat(storage.buckets().table().keys()).isZero();
                    assertThat(storage.buckets().table().filled()).isOne();
                    compact();
                }
            }
        }
    }

    /** A request of a few bytes whose value is large is refused a turn before the memory for it is taken. */
    @Test
    void aRangeFarBehindTheEndIsALargeCommand() {
        Turn.Limits turn = new Turn.Limits(10, 1_000);
        Commands commands = new Commands(storage.buckets(), turn, DataFolder.limits(Integer.MAX_VALUE));
        Command write = new Command.WriteRange(NAME, Integer.MAX_VALUE - 100, Bytes.of("x"));
        assertThatThrownBy(() -> commands.run(write, 0)).isInstanceOf(Turn.TooMuch.class);
    }

    @Test
    void aPartOfADamagedValueIsAnError() throws Exception {
        set("session", "x".repeat(200_000));
        assertThat(run(new Command.GetRange(NAME, 100, 102))).isEqualTo(value("xxx"));
        Segment segment = storage.log().segments().live().getLast();
        DataFolder.flip(segment.path(), segment.end() - 1_000);
        assertThat(run(new Command.GetRange(NAME, 100, 102))).isInstanceOf(Reply.Failed.class);
    }

    @Test
    void aRenameTakesWhatThereIs() throws Exception {
        set("value", "1");
        hash("bucket", "key", "2");
        assertThat(run(new Command.Rename(Bytes.of("value"), Bytes.of("bucket"))))
                .isEqualTo(Reply.OK);
        hash("other", "key", "3");
        hash("other", "key 2", "3");
        set("target", "4");
        assertThat(run(new Command.Rename(Bytes.of("other"), Bytes.of("target"))))
                .isEqualTo(Reply.OK);
        assertThat(run(new Command.Rename(Bytes.of("value"), Bytes.of("x")))).isEqualTo(Reply.NOT_FOUND);
        for (int round = 0; round < 3; round++) {
            assertThat(get("bucket")).isEqualTo(value("1"));
            assertThat(get("value")).isEqualTo(Reply.ABSENT);
            assertThat(hashValue("target", "key")).isEqualTo(new Reply.Many(List.of(value("3"))));
            if (round == 0) {
                compact();
            }
            reopen();
        }
        assertThat(objects()).as("the bucket that was renamed").isOne();
        set("bucket", "5");
        set("value", "6");
        compact();
        reopen();
        assertThat(get("bucket")).isEqualTo(value("5"));
        assertThat(get("value")).isEqualTo(value("6"));
    }

    @Test
    void valuesThatAreSetTogetherAreSetOrNot() throws Exception {
        assertThat(run(setAbsent("a", "1", "b", "2", "a", "3"))).isEqualTo(new Reply.Amount(1));
        assertThat(run(setAbsent("c", "1", "b", "3"))).isEqualTo(new Reply.Amount(0));
        hash("bucket", "key", "1");
        assertThat(run(setAbsent("d", "1", "bucket", "3"))).isEqualTo(new Reply.Amount(0));
        DataFolder.create(storage, "empty");
        assertThat(run(setAbsent("e", "1", "empty", "2"))).isEqualTo(new Reply.Amount(1));
        for (int round = 0; round < 3; round++) {
            assertThat(get("a")).isEqualTo(value("3"));
            assertThat(get("b")).isEqualTo(value("2"));
            assertThat(get("c")).isEqualTo(Reply.ABSENT);
            assertThat(get("d")).isEqualTo(Reply.ABSENT);
            assertThat(get("e")).isEqualTo(value("1"));
            assertThat(get("empty")).isEqualTo(value("2"));
            if (round == 0) {
                compact();
            }
            reopen();
        }
    }

    private static Command setAbsent(String... pairs) {
        return new Command.SetAbsentValues(Arrays.stream(pairs).map(Bytes::of).toList());
    }

    @Test
    void namesAreToldByKind() {
        set("value", "1");
        hash("bucket", "key", "1");
        Command.Names all = new Command.Names(NameSpace.ALL, 0, Bytes.of("*"), 10);
        assertThat(names(all)).containsExactlyInAnyOrder(Bytes.of("value"), Bytes.of("bucket"));
        assertThat(names(new Command.NamesOfKind(all, Kind.VALUE))).containsExactly(Bytes.of("value"));
        assertThat(names(new Command.NamesOfKind(all, Kind.BUCKET))).containsExactly(Bytes.of("bucket"));
    }

    private List<Bytes> names(Command command) {
        return ((Reply.Names) run(command))
                .names().stream().map(Reply.Name::bucket).toList();
    }

    @Test
    void aValueIsExportedAndImported() throws Exception {
        set("session", "foo");
        set("empty", "");
        hash("target", "key", "1");
        assertThat(copy("session", "target")).isOne();
        assertThat(copy("empty", "other")).isOne();
        for (int round = 0; round < 2; round++) {
            assertThat(get("target")).isEqualTo(value("foo"));
            assertThat(get("other")).isEqualTo(value(""));
            reopen();
        }
    }

    private long copy(String from, String to) throws IOException {
        ByteArrayOutputStream stream = new ByteArrayOutputStream();
        storage.exportTo(Bytes.of(from), stream);
        byte[] bytes = stream.toByteArray();
        assertThat(bytes[12]).as("an older release refuses it").isEqualTo((byte) 2);
        return storage.importFrom(Bytes.of(to), true, DataFolder.limits(1 << 20), new ByteArrayInputStream(bytes));
    }
}
