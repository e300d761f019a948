package dev.kv.storage.engine;

import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.NameSpace;
import dev.kv.router.Reply;
import dev.kv.storage.DataFolder;
import dev.kv.storage.format.Damaged;
import dev.kv.storage.log.Segment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Buckets of at most one key, of which the table holds where a record is and no object; and how they become more, and less again. */
class SmallBucketsTest extends WithStorage {
    private void set(String bucket, String... pairs) {
        List<Bytes> words = Arrays.stream(pairs).map(Bytes::of).toList();
        assertThat(run(new Command.SetAll(Bytes.of(bucket), words, false))).isInstanceOf(Reply.Amount.class);
    }

    private void delete(String bucket, String key) {
        assertThat(run(new Command.DeleteAll(Bytes.of(bucket), List.of(Bytes.of(key)))))
                .isEqualTo(new Reply.Amount(1));
    }

    private void assertValue(String bucket, String key, String value) {
        assertThat(DataFolder.get(storage, bucket, key)).isEqualTo(new Reply.Value(Bytes.of(value)));
    }

    @Test
    void aBucketOfOneKeyTakesNoObject() throws Exception {
        set("session", "user", "foo");
        DataFolder.create(storage, "shopping");
        DataFolder.put(storage, "shopping", "milk", "1");
        DataFolder.create(storage, "empty");
        set("session", "user", "bar");
        assertThat(objects()).isZero();

        for (int round = 0; round < 2; round++) {
            assertValue("session", "user", "bar");
            assertValue("shopping", "milk", "1");
            assertThat(DataFolder.get(storage, "shopping", "eggs")).isEqualTo(Reply.ABSENT);
            assertThat(DataFolder.get(storage, "empty", "eggs")).isEqualTo(Reply.ABSENT);
            assertThat(DataFolder.get(storage, "none", "eggs")).isEqualTo(Reply.NOT_FOUND);
            assertThat(DataFolder.content(storage)).containsOnlyKeys("session", "shopping", "empty");
            assertThat(run(new Command.Count(NameSpace.ALL))).isEqualTo(new Reply.Amount(2));
            compact();
            reopen();
            assertThat(objects()).isZero();
        }
    }

    @Test
    void aBucketWhoseRecordIsLongIsAnObject() throws Exception {
        String name = "n".repeat(5_000);
        DataFolder.create(storage, name);
        set("session", "user", "x".repeat(5_000));
        assertThat(objects()).isEqualTo(2);
        for (int round = 0; round < 2; round++) {
            assertThat(DataFolder.get(storage, name, "milk")).isEqualTo(Reply.ABSENT);
            assertValue("session", "user", "x".repeat(5_000));
            compact();
            reopen();
        }
        set("session", "user", "y");
        storage.giveBack();
        storage.giveBack();
        assertThat(objects()).isOne();
        assertValue("session", "user", "y");
    }

    @Test
    void aSecondKeyMakesAnObjectAndItIsGivenBackWhenThereWasOneKeyForAWhile() throws Exception {
        set("session", "user", "foo");
        set("session", "cart", "milk");
        assertThat(objects()).isOne();
        storage.giveBack();
        storage.giveBack();
        assertThat(objects()).isOne();

        delete("session", "user");
        storage.giveBack();
        assertThat(objects()).isOne();
        set("session", "user", "bar");
        delete("session", "user");
        storage.giveBack();
        assertThat(objects()).as("it had two keys since").isOne();
        storage.giveBack();
        assertThat(objects()).isZero();
        assertValue("session", "cart", "milk");
        compact();
        assertValue("session", "cart", "milk");
        reopen();
        assertValue("session", "cart", "milk");
    }

    @Test
    void aKeyOfALongerRecordIsGivenBackWhenCompactionHasWrittenItAlone() throws Exception {
        set("session", "user", "foo", "cart", "milk");
        delete("session", "user");
        storage.giveBack();
        storage.giveBack();
        assertThat(objects()).isOne();
        assertValue("session", "cart", "milk");

        compact();
        storage.giveBack();
        storage.giveBack();

        assertThat(objects()).isZero();
        assertValue("session", "cart", "milk");
        compact();
        reopen();
        assertThat(objects()).isZero();
        assertValue("session", "cart", "milk");
    }

    @Test
    void aKeptBucketStaysWithoutItsKeyHoweverOftenItIsCompacted() throws Exception {
        for (int i = 0; i < 100; i++) {
            DataFolder.create(storage, "shopping-" + i);
            DataFolder.put(storage, "shopping-" + i, "milk", "1");
        }
        compact();
        for (int i = 0; i < 100; i++) {
            delete("shopping-" + i, "milk");
        }
        compact();
        storage.giveBack();
        storage.giveBack();
        assertThat(objects()).isZero();
        compact();
        reopen();
        for (int i = 0; i < 100; i++) {
            assertThat(DataFolder.get(storage, "shopping-" + i, "milk")).isEqualTo(Reply.ABSENT);
            DataFolder.put(storage, "shopping-" + i, "milk", "2");
        }
        compact();
        assertThat(objects()).isZero();
        assertValue("shopping-7", "milk", "2");
    }

    @Test
    void aRenamedOrReplacedOrDroppedOneIsWhatItShouldBeAfterEachStep() throws Exception {
        set("a", "key", "of a");
        set("b", "key", "of b");
        set("c", "key", "of c");
        assertThat(run(new Command.Rename(Bytes.of("a"), Bytes.of("b")))).isEqualTo(Reply.OK);
        assertThat(run(new Command.Drop(Bytes.of("c")))).isEqualTo(new Reply.Amount(1));
        set("a", "key", "of another a");
        set("c", "other", "of another c");
        for (int round = 0; round < 2; round++) {
            assertValue("b", "key", "of a");
            assertValue("a", "key", "of another a");
            assertValue("c", "other", "of another c");
            assertThat(DataFolder.get(storage, "c", "key")).isEqualTo(Reply.ABSENT);
            storage.giveBack();
            storage.giveBack();
            compact();
            reopen();
        }
        assertThat(objects()).as("a renamed bucket has an object").isOne();
    }

    /** Number of objects that wait to be given back. */
    private int listed() {
        return Arrays.stream(storage.buckets().table().shards())
                .mapToInt(shard -> shard.names.listed())
                .sum();
    }

    @Test
    void anObjectThatIsRemovedDoesNotWaitToBeGivenBack() {
        for (int i = 0; i < 1_000; i++) {
            set("session-" + i, "user", "foo");
            set("session-" + i, "cart", "milk");
            delete("session-" + i, "cart");
            if (i == 500) {
                assertThat(listed()).isOne();
            }
            if (i % 2 == 0) {
                assertThat(run(new Command.Drop(Bytes.of("session-" + i)))).isEqualTo(new Reply.Amount(1));
            } else {
                delete("session-" + i, "user");
            }
        }
        assertThat(listed()).isZero();
        assertThat(objects()).isZero();
    }

    @Test
    void anObjectThatIsRenamedDoesNotWaitInTheShardThatItLeft() throws Exception {
        BucketTable table = storage.buckets().table();
        Shard shard = table.shard(table.hash(Bytes.of("to")));
        List<String> names = new ArrayList<>();
        for (int i = 0; names.size() < 10; i++) {
            if (table.shard(table.hash(Bytes.of("to-" + i))) == shard) {
                names.add("to-" + i);
                set("to-" + i, "user", "foo", "cart", "milk");
            }
        }
        set("from", "user", "foo");
        set("from", "cart", "milk");
        delete("from", "cart");
        assertThat(table.shard(table.hash(Bytes.of("from")))).isNotSameAs(shard);
        assertThat(listed()).isOne();

        assertThat(run(new Command.Rename(Bytes.of("from"), Bytes.of(names.getLast()))))
                .isEqualTo(Reply.OK);

        assertThat(listed()).isZero();
        storage.giveBack();
        storage.giveBack();
        assertValue(names.getLast(), "user", "foo");
        assertThat(objects()).isEqualTo(10);
    }

    @Test
    void aLargeValueIsNotVerifiedForACommandThatDoesNotReadIt() throws Exception {
        set("session", "user", "foo");
        set("session", "user", "x".repeat(1_000_000));
        Segment segment = storage.log().segments().live().getLast();
        DataFolder.flip(segment.path(), segment.end() - 1_000);

        assertThat(run(new Command.Size(Bytes.of("session")))).isEqualTo(new Reply.Amount(1));
        set("session", "cart", "milk");
        assertValue("session", "cart", "milk");
        assertThat(run(new Command.Get(Bytes.of("session"), Bytes.of("user")))).isInstanceOf(Reply.Failed.class);
    }

    /** Two names with the same hash. */
    private List<String> twins() {
        Map<Integer, String> byHash = new HashMap<>();
        for (int i = 0; true; i++) {
            String name = "name-" + i;
            String other = byHash.put(storage.buckets().table().hash(Bytes.of(name)), name);
            if (other != null) {
                return List.of(other, name);
            }
        }
    }

    @Test
    void namesOfTheSameHashAreToldApartByTheirRecords() throws Exception {
        String first = twins().get(0);
        String second = twins().get(1);
        set(first, "key", "1");
        assertThat(DataFolder.get(storage, second, "key")).isEqualTo(Reply.NOT_FOUND);
        DataFolder.create(storage, second);
        DataFolder.put(storage, second, "key", "2");
        DataFolder.create(storage, first);
        for (int round = 0; round < 2; round++) {
            assertThat(objects()).isZero();
            assertValue(first, "key", "1");
            assertValue(second, "key", "2");
            assertThat(DataFolder.content(storage)).containsOnlyKeys(first, second);
            compact();
            reopen();
        }
        delete(first, "key");
        assertThat(run(new Command.Drop(Bytes.of(second)))).isEqualTo(new Reply.Amount(1));
        compact();
        assertThat(DataFolder.content(storage)).isEqualTo(Map.of(first, Map.of()));
    }

    @Test
    void aDamagedRecordIsAnErrorForItsNameAndHidesNoOtherOfItsHash() throws Exception {
        String damaged = twins().get(0);
        String sound = twins().get(1);
        set(damaged, "key", "1");
        set(sound, "key", "2");
        Segment segment = storage.log().segments().live().getLast();
        // In the name of the first record.
        DataFolder.flip(segment.path(), 64 + 24);

        assertValue(sound, "key", "2");
        set(sound, "key", "3");
        assertValue(sound, "key", "3");
        assertThatThrownBy(() -> storage.buckets().get(0, Bytes.of(damaged), Bytes.of("key")))
                .isInstanceOf(Damaged.class)
                .hasMessageContaining(segment.path() + " is damaged at byte 64");
        assertThat(run(new Command.Size(Bytes.of(damaged)))).isInstanceOf(Reply.Failed.class);
        assertThat(run(new Command.Names(NameSpace.ALL, 0, Bytes.of("*"), 10))).isInstanceOf(Reply.Failed.class);
        List<Bytes> names = new ArrayList<>();
        storage.forEachBucket((name, _) -> names.add(name));
        assertThat(names).containsExactly(Bytes.of(sound));
        assertThat(run(new Command.Count(new NameSpace(List.of(new NameSpace.Span(Bytes.of("a"), Optional.empty()))))))
                .isEqualTo(new Reply.Amount(1));
    }

    @Test
    void aDamagedKeyIsAnErrorAndIsReplacedByNone() throws Exception {
        set("session", "user", "foo");
        Segment segment = storage.log().segments().live().getLast();
        DataFolder.flip(segment.path(), 64 + 24 + 8 + 16);

        for (Command command : List.of(
                new Command.Get(Bytes.of("session"), Bytes.of("user")),
                new Command.GetAll(Bytes.of("session"), List.of(Bytes.of("user"))),
                new Command.SetAll(Bytes.of("session"), List.of(Bytes.of("user"), Bytes.of("bar")), false),
                new Command.DeleteAll(Bytes.of("session"), List.of(Bytes.of("user"))))) {
            assertThat(run(command)).as(command.toString()).isInstanceOf(Reply.Failed.class);
        }
        assertThat(run(new Command.Drop(Bytes.of("session")))).isEqualTo(new Reply.Amount(1));
    }

    @Test
    void aLargeCommandOnADamagedBucketIsAnsweredWithTheDamage() throws Exception {
        set("session", "user", "foo");
        Segment segment = storage.log().segments().live().getLast();
        DataFolder.flip(segment.path(), segment.end() - 8);
        Bytes large = Bytes.owning(new byte[2 << 20]);
        Command set = new Command.SetAll(Bytes.of("session"), List.of(Bytes.of("cart"), large), false);

        assertThat(run(set))
                .isInstanceOfSatisfying(
                        Reply.Failed.class,
                        failed -> assertThat(failed.message()).contains("is damaged at byte"));
        try (LargeChange change = storage.buckets().beginLarge(0, Bytes.of("other"))) {
            assertThat(change.lane()).isNotNull();
        }
    }

    @Test
    void aDamagedKeyOfARenamedBucketIsFoundAtTheStart() throws Exception {
        set("session", "user", "foo");
        Segment segment = storage.log().segments().live().getLast();
        storage.log().tail().rollOver();
        assertThat(run(new Command.Rename(Bytes.of("session"), Bytes.of("renamed"))))
                .isEqualTo(Reply.OK);
        close();
        DataFolder.flip(segment.path(), 64 + 24 + 8 + 16);

        assertThatThrownBy(this::open).hasMessageContaining(segment.path() + " is damaged at byte");

        DataFolder.flip(segment.path(), 64 + 24 + 8 + 16);
        open();
        assertValue("renamed", "user", "foo");
    }

    /** What a record says beside the key and the value, behind a node that runs. */
    @Test
    void eachBitOfTheHeadOfARecordThatIsFlippedIsAnErrorOrChangesNothing() throws Exception {
        for (int bit = 0; bit < Byte.SIZE * 24; bit++) {
            String name = "session";
            set(name, "user", "foo");
            Segment segment = storage.log().segments().live().getLast();
            long at = segment.end() - 24 - 8 - 16 - 8;
            try (FileChannel file = FileChannel.open(segment.path(), READ, WRITE)) {
                ByteBuffer one = ByteBuffer.allocate(1);
                file.read(one, at + bit / Byte.SIZE);
                byte flipped = (byte) (one.get(0) ^ 1 << bit % Byte.SIZE);
                byte sound = one.get(0);
                file.write(one.put(0, flipped).rewind(), at + bit / Byte.SIZE);

                Reply read = DataFolder.get(storage, name, "user");
                assertThat(read.equals(new Reply.Value(Bytes.of("foo"))) || read instanceof Reply.Failed)
                        .as("bit %d: %s", bit, read)
                        .isTrue();
                for (Command change : List.of(
                        new Command.SetAll(Bytes.of(name), List.of(Bytes.of("cart"), Bytes.of("milk")), false),
                        new Command.DeleteAll(Bytes.of(name), List.of(Bytes.of("user"))))) {
                    assertThat(run(change)).as("bit %d", bit).isInstanceOf(Reply.Failed.class);
                }
                file.write(one.put(0, sound).rewind(), at + bit / Byte.SIZE);
            }
            assertValue(name, "user", "foo");
        }
        reopen();
        assertThat(DataFolder.content(storage)).isEqualTo(Map.of("session", Map.of("user", "foo")));
    }

    @Test
    void aLargeChangeThatIsRefusedLeavesNoObject() throws Exception {
        set("session", "user", "foo");
        try (LargeChange change = storage.buckets().beginLarge(0, Bytes.of("session"))) {
            change.lane().enter();
            change.run(edit -> new Reply.Amount(edit.size()), () -> false);
            assertThat(objects()).isOne();
            assertThat(new Lanes(storage.buckets().table(), new WaitLimits(0).queue(0)).end(change.lane()))
                    .isTrue();
        }
        storage.giveBack();
        storage.giveBack();
        assertThat(objects()).isZero();
        assertValue("session", "user", "foo");
    }

    @Test
    void aFrozenOneStaysAsItWasWhileItIsWrittenAndCompacted() throws Exception {
        set("session", "user", "foo");
        try (Frozen frozen = storage.buckets().frozen(0, Bytes.of("session"))) {
            set("session", "user", "bar");
            compact();
            set("session", "cart", "milk");
            compact();
            assertThat(frozen.view().size()).isOne();
            assertThat(frozen.view().get(Bytes.of("user"))).isEqualTo(Bytes.of("foo"));
        }
        assertValue("session", "user", "bar");
    }

    @Test
    void aLargeChangeOfOneThatCompactionMovesMeanwhileIsApplied() throws Exception {
        set("session", "user", "foo");
        try (LargeChange change = storage.buckets().beginLarge(0, Bytes.of("session"))) {
            change.lane().enter();
            compact();
            storage.giveBack();
            storage.giveBack();
            change.run(
                    edit -> {
                        edit.set(Bytes.of("cart"), edit.get(Bytes.of("user")));
                        return Reply.OK;
                    },
                    () -> false);
            assertThat(new Lanes(storage.buckets().table(), new WaitLimits(0).queue(0)).end(change.lane()))
                    .isTrue();
        }
        compact();
        assertValue("session", "user", "foo");
        assertValue("session", "cart", "foo");
        reopen();
        assertValue("session", "user", "foo");
    }
}
