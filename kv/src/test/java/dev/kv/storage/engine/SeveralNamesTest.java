package dev.kv.storage.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Command.Condition;
import dev.kv.router.Command.Watched;
import dev.kv.router.Expiry;
import dev.kv.router.Reply;
import dev.kv.router.Reply.Word;
import dev.kv.storage.DataFolder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Commands on several names as one change, names that are watched, and copies. */
class SeveralNamesTest extends WithLargeCommands {
    private static final Bytes A = Bytes.of("a");
    private static final Bytes VALUE = Bytes.of("1");

    /** In the year 3015: the cleaner goes by the clock, and finds nothing that has expired. */
    private static final long TAKEN = 33_000_000_000_000L;

    private Reply run(Command command) {
        return commands.run(command, TAKEN);
    }

    private static Command.SetValue value(Bytes name, Bytes value) {
        return new Command.SetValue(name, value, Condition.ALWAYS, false);
    }

    private Reply get(Bytes name) {
        return run(new Command.GetValue(name));
    }

    private long watch(Bytes name) {
        return ((Reply.Amount) run(new Command.Watch(name))).value();
    }

    /** A transaction that sets {@link #B} unless the name has changed. */
    private Reply exec(Bytes name, long number) {
        return run(new Command.Together(List.of(new Watched(name, number)), List.of(value(B, VALUE))));
    }

    private void reopen() throws Exception {
        stop();
        storage = new DataFolder(site.resolve("data")).open();
        commands = new Commands(storage.buckets(), TURN, DataFolder.limits(64 * MIB));
    }

    @Test
    void aTransactionReadsItsOwnChangesAndIsThereAfterARestart() throws Exception {
        run(value(A, VALUE));
        Reply reply = run(new Command.Together(
                List.of(),
                List.of(
                        new Command.AddToValue(A, 4),
                        set(B, VALUE),
                        new Command.GetValue(A),
                        new Command.Get(B, K),
                        new Command.GetValue(B),
                        new Command.Drop(A),
                        new Command.KindOf(A))));

        assertThat(((Reply.Many) reply).replies())
                .containsExactly(
                        new Reply.Amount(5),
                        new Reply.Amount(1),
                        new Reply.Value(Bytes.of("5")),
                        new Reply.Value(VALUE),
                        Commands.WRONG_TYPE,
                        new Reply.Amount(1),
                        Reply.ABSENT);
        reopen();
        assertThat(get(A)).isEqualTo(Reply.ABSENT);
        assertThat(run(new Command.Get(B, K))).isEqualTo(new Reply.Value(VALUE));
    }

    @Test
    void aTransactionOfReadsAloneWritesNothing() {
        run(value(A, VALUE));
        long end = storage.log().tail().sealed().size();
        assertThat(run(new Command.Together(List.of(), List.of(new Command.GetValue(A), new Command.Size(B)))))
                .isEqualTo(new Reply.Many(List.of(new Reply.Value(VALUE), new Reply.Amount(0))));
        assertThat(storage.log().tail().sealed().size()).isEqualTo(end);
    }

    /** All names together have one turn; what is refused changes nothing. */
    @Test
    void aTransactionOfMoreThanATurnIsRefused() {
        List<Command> many = new ArrayList<>();
        for (int i = 0; i <= TURN.keys(); i++) {
            many.add(value(Bytes.of("n" + i), VALUE));
        }
        List<Command> large = List.of(value(A, value(MIB / 2)), value(B, value(MIB / 2)));
        for (List<Command> all : List.of(many, large)) {
            assertThat(run(new Command.Together(List.of(), all)))
                    .isInstanceOfSatisfying(
                            Reply.Failed.class,
                            failed -> assertThat(failed.word()).isEqualTo(Word.TOOLARGE));
        }
        assertThat(storage.buckets().table().filled()).isZero();
    }

    @Test
    void aWatchedNameIsTheSameUntilItChanges() {
        long nothing = watch(A);
        assertThat(exec(A, nothing)).isInstanceOf(Reply.Many.class);
        run(value(A, VALUE));
        assertThat(exec(A, nothing)).isEqualTo(Reply.ABSENT);
        long number = watch(A);
        assertThat(watch(A)).isEqualTo(number);
        assertThat(get(A)).isEqualTo(new Reply.Value(VALUE));
        run(new Command.Drop(Bytes.of("another")));
        assertThat(exec(A, number)).isInstanceOf(Reply.Many.class);
        assertThat(exec(A, number + 1)).isEqualTo(Reply.ABSENT);
    }

    @Test
    void aWatchedNameIsTheSameWhenAnotherOneOfTheSameHashChanges() {
        Map<Integer, Bytes> byHash = new HashMap<>();
        Bytes name = Bytes.of("0");
        for (int i = 1; byHash.putIfAbsent(storage.buckets().table().hash(name), name) == null; i++) {
            name = Bytes.of(Integer.toString(i));
        }
        Bytes other = byHash.get(storage.buckets().table().hash(name));
        run(value(name, VALUE));
        long number = watch(name);
        assertThat(watch(other)).isNotEqualTo(number);
        run(value(other, VALUE));
        assertThat(exec(name, number)).isInstanceOf(Reply.Many.class);
        run(value(name, VALUE));
        assertThat(exec(name, number)).isEqualTo(Reply.ABSENT);
    }

    @Test
    void everyKindOfChangeIsSeen() {
        List<Command> changes = List.of(
                value(A, VALUE),
                new Command.AddToValue(A, 1),
                new Command.Expire(A, new Expiry.In(60_000), Expiry.Condition.ALWAYS),
                new Command.Rename(A, Bytes.of("other")),
                new Command.Copy(Bytes.of("other"), A, false),
                new Command.Drop(A),
                set(A, VALUE),
                new Command.Expire(A, new Expiry.In(60_000), Expiry.Condition.ALWAYS),
                new Command.ExpireKeys(A, List.of(K), new Expiry.In(60_000), Expiry.Condition.ALWAYS),
                new Command.DeleteAll(A, List.of(K)),
                new Command.SetAbsentValues(List.of(A, VALUE)),
                new Command.RenameAbsent(Bytes.of("other"), Bytes.of("third")),
                new Command.Rename(Bytes.of("third"), A));
        for (Command change : changes) {
            long number = watch(A);
            run(change);
            boolean isOfA = ((change instanceof Command.Several several) ? several.names() : List.of(change.bucket()))
                    .contains(A);
            assertThat(exec(A, number))
                    .as(change.toString())
                    .isInstanceOf(isOfA ? Reply.Absent.class : Reply.Many.class);
        }
    }

    @Test
    void aLargeChangeIsSeen() {
        run(set(A, VALUE));
        long number = watch(A);
        runLarge(set(A, value(2 * MIB)));
        assertThat(exec(A, number)).isEqualTo(Reply.ABSENT);
    }

    @Test
    void whatExpiresHasChanged() {
        run(value(A, VALUE));
        run(new Command.Expire(A, new Expiry.At(TAKEN + 10), Expiry.Condition.ALWAYS));
        long number = watch(A);
        Command exec = new Command.Together(List.of(new Watched(A, number)), List.of(new Command.KindOf(A)));
        assertThat(commands.run(exec, TAKEN + 9)).isInstanceOf(Reply.Many.class);
        assertThat(commands.run(exec, TAKEN + 10)).isEqualTo(Reply.ABSENT);
    }

    /** Whoever watches it then has seen nothing, and goes on to see nothing. */
    @ParameterizedTest
    @ValueSource(ints = {0, 1, 3})
    void theRemovalOfWhatHasExpiredIsNoChange(int keys) {
        long until = TAKEN;
        for (Command removal : List.of(new Command.Drop(A), new Command.DeleteAll(A, List.of(K)))) {
            until += 10;
            run(keys == 0 ? value(A, VALUE) : set(A, VALUE));
            for (int i = 1; i < keys; i++) {
                run(new Command.SetAll(A, List.of(Bytes.of("k" + i), VALUE), false));
            }
            run(new Command.Expire(A, new Expiry.At(until), Expiry.Condition.ALWAYS));
            long number = ((Reply.Amount) commands.run(new Command.Watch(A), until)).value();
            Command exec = new Command.Together(List.of(new Watched(A, number)), List.of(new Command.KindOf(A)));
            commands.run(removal, until);
            assertThat(commands.run(exec, until)).isInstanceOf(Reply.Many.class);
            storage.clean(until);
            assertThat(commands.run(exec, until)).isInstanceOf(Reply.Many.class);
            commands.run(value(A, VALUE), until);
            assertThat(commands.run(exec, until)).isEqualTo(Reply.ABSENT);
            commands.run(new Command.Drop(A), until);
        }
    }

    @Test
    void anotherProcessKnowsNoNumberOfThisOne() throws Exception {
        long number = watch(A);
        reopen();
        assertThat(exec(A, number)).isEqualTo(Reply.ABSENT);
        assertThat(exec(A, watch(A))).isInstanceOf(Reply.Many.class);
    }

    /** A name that was pushed out counts as changed, and the memory has a bound. */
    @Test
    void theNumberOfWatchedNamesIsBounded() {
        long first = watch(A);
        for (int i = 0; i < 100 * 1024; i++) {
            watch(Bytes.of("n" + i));
        }
        assertThat(exec(A, first)).isEqualTo(Reply.ABSENT);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3, 2_000})
    void aCopyHasAllKeysAndTheTimesAtWhichTheyExpire(int keys) throws Exception {
        List<Bytes> pairs = new ArrayList<>();
        for (int i = 0; i < keys; i++) {
            pairs.add(Bytes.of("k" + i));
            pairs.add(Bytes.of("v" + i));
        }
        commands.run(new Command.Create(A), TAKEN);
        Command set = new Command.SetAll(A, pairs, false);
        if (keys > TURN.keys()) {
            runLarge(set);
        } else {
            run(set);
        }
        Bytes first = pairs.getFirst();
        run(new Command.Expire(A, new Expiry.At(TAKEN + 90_000), Expiry.Condition.ALWAYS));
        run(new Command.ExpireKeys(A, List.of(first), new Expiry.At(TAKEN + 50_000), Expiry.Condition.ALWAYS));
        run(value(B, VALUE));

        assertThat(run(new Command.Copy(A, B, false))).isEqualTo(new Reply.Amount(0));
        Command copy = new Command.Copy(A, B, true);
        assertThat(keys > TURN.keys() ? runLarge(copy) : run(copy)).isEqualTo(new Reply.Amount(1));
        run(new Command.DeleteAll(A, List.of(first)));
        reopen();
        assertThat(run(new Command.Size(B))).isEqualTo(new Reply.Amount(keys));
        assertThat(run(new Command.ExpiryOf(B))).isEqualTo(new Reply.Amount(TAKEN + 90_000));
        assertThat(run(new Command.ExpiriesOfKeys(B, List.of(first))))
                .isEqualTo(new Reply.Many(List.of(new Reply.Amount(TAKEN + 50_000))));
        Bytes last = pairs.get(2 * keys - 2);
        assertThat(run(new Command.Get(B, last))).isEqualTo(new Reply.Value(pairs.getLast()));
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2 * MIB})
    void aValueIsCopied(int bytes) {
        Command set = new Command.SetValueUntil(value(A, value(bytes)), new Expiry.At(TAKEN + 90_000));
        Command copy = new Command.Copy(A, B, false);
        boolean isLarge = bytes > MIB;
        assertThat(isLarge ? runLarge(set) : run(set)).isEqualTo(Reply.OK);
        assertThat(isLarge ? runLarge(copy) : run(copy)).isEqualTo(new Reply.Amount(1));
        assertThat(run(new Command.MeasureValue(B))).isEqualTo(new Reply.Amount(bytes));
        assertThat(run(new Command.ExpiryOf(B))).isEqualTo(new Reply.Amount(TAKEN + 90_000));
        assertThat(run(copy)).isEqualTo(new Reply.Amount(0));
    }

    @Test
    void aBucketLargerThanAnyReplyIsCopied() throws Exception {
        commands = new Commands(storage.buckets(), TURN, DataFolder.limits(4 * MIB));
        for (int i = 0; i < 5; i++) {
            run(new Command.SetAll(A, List.of(Bytes.of("k" + i), value(MIB - 100)), false));
        }
        assertThat(runLarge(new Command.Copy(A, B, false))).isEqualTo(new Reply.Amount(1));
        reopen();
        assertThat(run(new Command.Size(B))).isEqualTo(new Reply.Amount(5));
        assertThat(run(new Command.Measure(B, Bytes.of("k4")))).isEqualTo(new Reply.Amount(MIB - 100));
    }

    @Test
    void aCopyThatIsCancelledChangesNothing() {
        List<Bytes> pairs = new ArrayList<>();
        for (int i = 0; i < 4 * TURN.keys(); i++) {
            pairs.add(Bytes.of("k" + i));
            pairs.add(VALUE);
        }
        runLarge(new Command.SetAll(A, pairs, false));
        AtomicInteger turns = new AtomicInteger();
        try (Large copy = commands.large(new Command.Copy(A, B, false), TAKEN)) {
            copy.lane().ifPresent(Lanes.Lane::enter);
            assertThatThrownBy(() -> copy.run().apply(() -> turns.incrementAndGet() == 2))
                    .isInstanceOf(Turn.Cancelled.class);
        }
        assertThat(run(new Command.KindOf(B))).isEqualTo(run(new Command.KindOf(Bytes.of("nothing"))));
        assertThat(runLarge(new Command.Copy(A, B, false))).isEqualTo(new Reply.Amount(1));
    }

    @Test
    void aNameIsRenamedUnlessTheOtherHoldsSomething() {
        Command rename = new Command.RenameAbsent(A, B);
        assertThat(run(rename)).isEqualTo(Reply.NOT_FOUND);
        run(value(A, VALUE));
        assertThat(run(new Command.RenameAbsent(A, A))).isEqualTo(new Reply.Amount(0));
        run(set(B, VALUE));
        assertThat(run(rename)).isEqualTo(new Reply.Amount(0));
        run(new Command.Drop(B));
        run(new Command.Create(B));
        assertThat(run(rename)).isEqualTo(new Reply.Amount(1));
        assertThat(get(B)).isEqualTo(new Reply.Value(VALUE));
    }
}
