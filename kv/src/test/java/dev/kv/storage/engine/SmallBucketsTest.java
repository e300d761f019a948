package dev.kv.storage.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.NameSpace;
import dev.kv.router.Reply;
import dev.kv.storage.DataFolder;
import dev.kv.storage.log.Segment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Buckets of at most one key, of which the table holds where a record is and no object; and how they become more, and less again. */
class SmallBucketsTest extends WithSmallBuckets {
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
