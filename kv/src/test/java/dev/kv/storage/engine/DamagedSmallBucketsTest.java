package dev.kv.storage.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.NameSpace;
import dev.kv.router.Reply;
import dev.kv.storage.DataFolder;
import dev.kv.storage.format.Damaged;
import dev.kv.storage.log.Segment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Values and buckets of one key whose record is damaged: only what reads it fails. */
class DamagedSmallBucketsTest extends WithSmallBuckets {
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
            set("session", "user", "foo");
            Segment segment = storage.log().segments().live().getLast();
            long at = segment.end() - 24 - 8 - 16 - 8 + bit / Byte.SIZE;
            DataFolder.flip(segment.path(), at, bit % Byte.SIZE);

            Reply read = DataFolder.get(storage, "session", "user");
            assertThat(read.equals(new Reply.Value(Bytes.of("foo"))) || read instanceof Reply.Failed)
                    .as("bit %d: %s", bit, read)
                    .isTrue();
            for (Command change : List.of(
                    new Command.SetAll(Bytes.of("session"), List.of(Bytes.of("cart"), Bytes.of("milk")), false),
                    new Command.DeleteAll(Bytes.of("session"), List.of(Bytes.of("user"))))) {
                assertThat(run(change)).as("bit %d", bit).isInstanceOf(Reply.Failed.class);
            }
            DataFolder.flip(segment.path(), at, bit % Byte.SIZE);
            assertValue("session", "user", "foo");
        }
        reopen();
        assertThat(DataFolder.content(storage)).isEqualTo(Map.of("session", Map.of("user", "foo")));
    }

    /** Behind a node that runs: the record has 24 bytes, 8 of the name, 16 of the field, 8 of the value. */
    @Test
    void eachFlippedBitOfAValueIsAnErrorOrChangesNothing() throws Exception {
        Bytes name = Bytes.of("session");
        Reply sound = new Reply.Value(Bytes.of("foobar!!"));
        for (int bit = 0; bit < Byte.SIZE * 56; bit++) {
            DataFolder.setValue(storage, "session", "foobar!!");
            Segment segment = storage.log().segments().live().getLast();
            long at = segment.end() - 56 + bit / Byte.SIZE;
            DataFolder.flip(segment.path(), at, bit % Byte.SIZE);

            Reply read = run(new Command.GetValue(name));
            assertThat(read.equals(sound) || read instanceof Reply.Failed)
                    .as("bit %d: %s", bit, read)
                    .isTrue();
            Command onABucket = new Command.SetAll(name, List.of(Bytes.of("user"), Bytes.of("foo")), false);
            assertThat(run(onABucket)).as("bit %d", bit).isInstanceOf(Reply.Failed.class);
            DataFolder.flip(segment.path(), at, bit % Byte.SIZE);
            assertThat(run(new Command.GetValue(name))).isEqualTo(sound);
        }
        reopen();
        assertThat(run(new Command.GetValue(name))).isEqualTo(sound);
    }
}
