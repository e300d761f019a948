package dev.kv.storage.engine;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Expiry;
import dev.kv.router.Reply;
import dev.kv.storage.DataFolder;
import dev.kv.storage.format.Layout;
import dev.kv.storage.log.SeenTime;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What expires, in memory and on the disk: starts, compaction, damage, exports and imports. */
class ExpiryStorageTest extends WithExpiry {
    private void setAll() {
        runAt(NOW, set(V, ONE, NOW + 10));
        runAt(NOW, setKey(B, K, ONE, 0));
        runAt(NOW, setKey(B, ONE, ONE, NOW + 10));
        runAt(NOW, setKey(Bytes.of("small"), K, ONE, NOW + 10));
        runAt(NOW, setKey(Bytes.of("whole"), K, ONE, 0));
        runAt(NOW, setKey(Bytes.of("whole"), ONE, ONE, 0));
        runAt(NOW, expire(Bytes.of("whole"), NOW + 10));
    }

    private void assertAllThere() {
        assertThat(runAt(NOW + 9, new Command.GetValue(V))).isEqualTo(new Reply.Value(ONE));
        assertThat(runAt(NOW + 9, new Command.ExpiryOf(V))).isEqualTo(amount(NOW + 10));
        assertThat(runAt(NOW + 9, new Command.Size(B))).isEqualTo(amount(2));
        assertThat(runAt(NOW + 9, new Command.ExpiriesOfKeys(B, List.of(K, ONE))))
                .isEqualTo(new Reply.Many(List.of(amount(Expiry.NEVER), amount(NOW + 10))));
        assertThat(runAt(NOW + 9, new Command.ExpiryOf(Bytes.of("whole")))).isEqualTo(amount(NOW + 10));
        assertThat(namesAt(NOW + 9)).containsExactlyInAnyOrder(V, B, Bytes.of("small"), Bytes.of("whole"));
    }

    private void assertAllGone(long millis) {
        assertThat(namesAt(millis)).containsExactly(B);
        assertThat(runAt(millis, new Command.GetValue(V))).isEqualTo(Reply.ABSENT);
        assertThat(runAt(millis, new Command.Get(V, K))).isEqualTo(Reply.NOT_FOUND);
        assertThat(runAt(millis, new Command.Get(Bytes.of("small"), K))).isEqualTo(Reply.NOT_FOUND);
        assertThat(runAt(millis, new Command.Get(Bytes.of("whole"), K))).isEqualTo(Reply.NOT_FOUND);
        assertThat(runAt(millis, new Command.GetAll(B, List.of(K, ONE))))
                .isEqualTo(new Reply.Many(List.of(new Reply.Value(ONE), Reply.ABSENT)));
        assertThat(runAt(millis, new Command.Content(B, Command.Part.KEYS))).isEqualTo(new Reply.Values(List.of(K)));
        assertThat(runAt(millis, new Command.Rename(V, Bytes.of("other")))).isEqualTo(Reply.NOT_FOUND);
        assertThat(runAt(millis, new Command.ExpiryOf(Bytes.of("whole")))).isEqualTo(amount(Command.ExpiryOf.NOTHING));
    }

    @Test
    void whatExpiresIsGoneFromItsMillisecondOn() {
        setAll();
        assertAllThere();
        assertAllGone(NOW + 10);
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aStartKnowsWhatExpires(boolean hasHints) throws Exception {
        setAll();
        close();
        if (!hasHints) {
            for (Path hint : DataFolder.files(folder.resolve("data"), ".hint")) {
                Files.delete(hint);
            }
        }
        open();
        assertAllThere();
        assertAllGone(NOW + 10);
    }

    @Test
    void compactionKeepsTimes() throws Exception {
        for (int i = 0; i < 100; i++) {
            runAt(NOW, set(V, Bytes.of("old " + i), NOW + 5));
            runAt(NOW, setKey(B, ONE, Bytes.of("old " + i), NOW + 5));
        }
        setAll();
        compact();
        assertAllThere();
        reopen();
        assertAllThere();
        compact();
        assertAllGone(NOW + 10);
    }

    @Test
    void whatWasSeenGoneStaysGoneWhenTheClockIsSetBack() throws Exception {
        setAll();
        runAt(NOW, set(Bytes.of("later"), ONE, NOW + 11));
        assertThat(runAt(NOW + 10, new Command.GetValue(V))).isEqualTo(Reply.ABSENT);

        assertAllGoneBut(NOW - 1_000);
        // As a process leaves it that is killed now.
        Path killed = folder.resolve("killed");
        DataFolder.image(folder.resolve("data"), killed);
        close();
        Files.move(folder.resolve("data"), folder.resolve("before"));
        Files.move(killed, folder.resolve("data"));
        open();
        assertAllGoneBut(NOW - 1_000);
    }

    private void assertAllGoneBut(long millis) {
        assertThat(runAt(millis, new Command.GetValue(V))).isEqualTo(Reply.ABSENT);
        assertThat(namesAt(millis)).containsExactlyInAnyOrder(B, Bytes.of("later"));
    }

    @Test
    void aDamagedClockIsSaidAndCostsNothingElse() throws Exception {
        setAll();
        assertThat(runAt(NOW + 10, new Command.GetValue(V))).isEqualTo(Reply.ABSENT);
        close();
        Path clock = folder.resolve("data").resolve(SeenTime.FILE);
        DataFolder.flip(clock, 3);
        open();
        assertThat(storage.log().seenTime().millis()).isZero();
        assertThat(runAt(NOW, new Command.Get(B, K))).isEqualTo(new Reply.Value(ONE));
    }

    @Test
    void aWriteOnWhatHasExpiredStartsAfresh() {
        setAll();
        assertThat(runAt(NOW + 10, setKey(Bytes.of("whole"), ONE, Bytes.of("2"), 0)))
                .isEqualTo(amount(1));
        assertThat(runAt(NOW + 10, new Command.Content(Bytes.of("whole"), Command.Part.KEYS)))
                .isEqualTo(new Reply.Values(List.of(ONE)));
        assertThat(runAt(NOW + 10, new Command.ExpiryOf(Bytes.of("whole")))).isEqualTo(amount(Expiry.NEVER));
        assertThat(runAt(NOW + 10, new Command.AddToValue(V, 5))).isEqualTo(amount(5));
        assertThat(runAt(NOW + 10, new Command.ExpiryOf(V))).isEqualTo(amount(Expiry.NEVER));
        assertThat(runAt(NOW + 10, new Command.SetAll(B, List.of(ONE, ONE), false)))
                .isEqualTo(amount(1));
    }

    @Test
    void whatIsCleanedGivesItsMemoryAndItsBytesBack() throws Exception {
        for (int i = 0; i < 1_000; i++) {
            runAt(NOW, set(Bytes.of("value-" + i), ONE, NOW + 1 + i % 10));
            runAt(NOW, setKey(Bytes.of("bucket-" + i), K, ONE, NOW + 1));
            runAt(NOW, setKey(B, Bytes.of("key-" + i), ONE, NOW + 1));
        }
        runAt(NOW, set(V, ONE, 0));
        storage.clean(NOW + 100);

        assertThat(storage.buckets().table().buckets()).isOne();
        assertThat(storage.log().liveBytes().get()).isEqualTo(Layout.fieldCost(V.size(), 0, 1));
        for (Shard shard : storage.buckets().table().shards()) {
            assertThat(shard.expiries.count()).isZero();
            assertThat(shard.nextExpiry()).isEqualTo(Expiries.NEVER);
        }
        compact();
        reopen();
        assertThat(namesAt(NOW)).containsExactly(V);
    }

    @Test
    void anExpiryThatIsMovedAgainAndAgainTakesABoundedQueue() {
        for (int i = 0; i < 10_000; i++) {
            runAt(NOW + i, set(V, ONE, NOW + 1_000_000 - i));
            runAt(NOW + i, new Command.Drop(Bytes.of("other")));
            runAt(NOW + i, set(Bytes.of("other"), ONE, NOW + 1_000_000));
            runAt(NOW + i, setKey(B, K, ONE, NOW + 1_000_000 + i));
            runAt(NOW + i, setKey(B, ONE, ONE, NOW + 1_000_000 - i));
        }
        int entries = Arrays.stream(storage.buckets().table().shards())
                .mapToInt(shard -> shard.expiries.count())
                .sum();
        assertThat(entries).isLessThan(300);
        assertThat(runAt(NOW + 990_001, new Command.GetValue(V))).isEqualTo(Reply.ABSENT);
    }

    @Test
    void aFlippedBitOfATimeIsNoExpiry() throws Exception {
        runAt(NOW, set(V, ONE, NOW + 1_000_000));
        close();
        Path log = DataFolder.files(folder.resolve("data"), ".log").getFirst();
        // The time stands behind the header of the field.
        long time = 64 + Layout.recordCost(V.size()) + Layout.FIELD_KEY;
        DataFolder.flip(log, time + 5);
        open();
        Reply reply = runAt(NOW, new Command.GetValue(V));
        assertThat(reply)
                .isInstanceOfSatisfying(
                        Reply.Failed.class,
                        failed -> assertThat(failed.message()).contains("is damaged"));
    }

    @Test
    void anExportCarriesTimesAndNothingThatHasExpired() throws Exception {
        long now = System.currentTimeMillis();
        runAt(now, setKey(B, K, ONE, 0));
        runAt(now, setKey(B, ONE, ONE, now + 1_000_000));
        runAt(now, setKey(B, V, ONE, now + 1));
        runAt(now, expire(B, now + 2_000_000));
        runAt(now, set(V, ONE, now + 3_000_000));
        DataFolder.await(() -> System.currentTimeMillis() > now);
        for (Bytes name : List.of(B, V)) {
            ByteArrayOutputStream stream = new ByteArrayOutputStream();
            storage.exportTo(name, stream);
            assertThat(stream.toByteArray()[12]).isEqualTo((byte) 3);
            storage.importFrom(
                    Bytes.of(name.text() + "-copy"),
                    false,
                    DataFolder.limits(1 << 20),
                    new ByteArrayInputStream(stream.toByteArray()));
        }
        reopen();
        Bytes copy = Bytes.of("bucket-copy");
        assertThat(runAt(now, new Command.ExpiriesOfKeys(copy, List.of(K, ONE, V))))
                .isEqualTo(new Reply.Many(
                        List.of(amount(Expiry.NEVER), amount(now + 1_000_000), amount(Command.ExpiryOf.NOTHING))));
        assertThat(runAt(now, new Command.ExpiryOf(copy))).isEqualTo(amount(now + 2_000_000));
        assertThat(runAt(now, new Command.ExpiryOf(Bytes.of("value-copy")))).isEqualTo(amount(now + 3_000_000));
    }

    @Test
    void aLargeValueThatExpiresIsSentFromTheLog() throws IOException {
        Bytes large = Bytes.owning("x".repeat(200_000).getBytes(UTF_8));
        runAt(NOW, set(V, large, NOW + 10));
        assertThat(storage.run(new Command.GetValue(V), NOW)
                        .toCompletableFuture()
                        .join())
                .isInstanceOfSatisfying(
                        Reply.LargeValue.class, reply -> reply.value().release());
        assertThat(runAt(NOW, new Command.GetValue(V))).isEqualTo(new Reply.Value(large));
        assertThat(runAt(NOW, new Command.Rename(V, B))).isEqualTo(Reply.OK);
        reopen();
        assertThat(runAt(NOW, new Command.GetValue(B))).isEqualTo(new Reply.Value(large));
        assertThat(runAt(NOW + 10, new Command.GetValue(B))).isEqualTo(Reply.ABSENT);
    }

    @Test
    void aDamagedKeyHoldsUpNoOther() throws Exception {
        for (int i = 0; i < 100; i++) {
            runAt(NOW, setKey(B, Bytes.of("key-" + i), ONE, NOW + 10));
        }
        runAt(NOW, setKey(B, K, ONE, 0));
        runAt(NOW, set(V, ONE, NOW + 10));
        close();
        // The time of the first key; the segment is not read at a start that has its hint.
        Path log = DataFolder.files(folder.resolve("data"), ".log").getFirst();
        long time = 64
                + Layout.recordCost(B.size())
                + Layout.FIELD_KEY
                + Bytes.of("key-0").size();
        for (int at = 0; at < Layout.TIME_BYTES; at++) {
            DataFolder.flip(log, time + at);
        }
        open();
        storage.clean(NOW + 100);
        storage.clean(NOW + 200);
        for (int i = 1; i < 100; i++) {
            assertThat(runAt(NOW + 300, new Command.Get(B, Bytes.of("key-" + i))))
                    .isEqualTo(Reply.ABSENT);
        }
        assertThat(runAt(NOW + 300, new Command.Get(B, Bytes.of("key-0")))).isInstanceOf(Reply.Failed.class);
        assertThat(runAt(NOW + 300, new Command.Get(B, K))).isEqualTo(new Reply.Value(ONE));
        assertThat(storage.buckets().table().keys()).isEqualTo(2);
        assertThat(storage.buckets().table().buckets()).isOne();
    }

    @Test
    void anImportOfWhatHasExpiredIsGoneAndLeavesNothing() throws Exception {
        long now = System.currentTimeMillis();
        runAt(now, setKey(B, K, ONE, 0));
        runAt(now, expire(B, now + 60_000));
        runAt(now, set(V, ONE, now + 60_000));
        List<byte[]> streams = new ArrayList<>();
        for (Bytes name : List.of(B, V)) {
            ByteArrayOutputStream stream = new ByteArrayOutputStream();
            storage.exportTo(name, stream);
            streams.add(stream.toByteArray());
        }
        // Somebody has seen a later time pass.
        runAt(now, set(K, ONE, now + 70_000));
        assertThat(runAt(now + 70_000, new Command.GetValue(K))).isEqualTo(Reply.ABSENT);
        for (byte[] stream : streams) {
            storage.importFrom(Bytes.of("copy"), true, DataFolder.limits(1 << 20), new ByteArrayInputStream(stream));
            assertThat(namesAt(now + 70_000)).isEmpty();
        }
        storage.clean(now + 70_000);
        assertThat(storage.log().liveBytes().get()).isZero();
        compact();
        reopen();
        assertThat(namesAt(now)).isEmpty();
    }

    @Test
    void zerosInThePlaceOfAValueThatExpiresAreDamage() throws Exception {
        runAt(NOW, set(V, ONE, NOW + 1_000_000));
        close();
        Path log = DataFolder.files(folder.resolve("data"), ".log").getFirst();
        byte[] bytes = Files.readAllBytes(log);
        int time = (int) (64 + Layout.recordCost(V.size()) + Layout.FIELD_KEY);
        Arrays.fill(bytes, time, time + Layout.TIME_BYTES, (byte) 0);
        Files.write(log, bytes);
        open();
        for (Command command : List.of(new Command.GetValue(V), new Command.ExpiryOf(V), new Command.Drop(V))) {
            assertThat(runAt(NOW, command))
                    .isInstanceOfSatisfying(
                            Reply.Failed.class,
                            failed -> assertThat(failed.message()).contains("is damaged"));
        }
        storage.clean(NOW + 2_000_000);
        assertThat(runAt(NOW, set(K, ONE, 0))).isEqualTo(Reply.OK);
    }

    @Test
    void aKeyIsDamagedIfItsFieldNoLongerSaysThatItExpires() throws Exception {
        runAt(NOW, setKey(B, K, ONE, NOW + 1_000_000));
        runAt(NOW, setKey(B, ONE, ONE, NOW + 1_000_000));
        close();
        Path log = DataFolder.files(folder.resolve("data"), ".log").getFirst();
        byte[] bytes = Files.readAllBytes(log);
        int kind = (int) (64 + Layout.recordCost(B.size())) + 12;
        assertThat(bytes[kind]).isEqualTo((byte) Layout.SET_UNTIL);
        bytes[kind] = Layout.SET;
        Files.write(log, bytes);
        open();
        for (Command command : List.of(new Command.Get(B, K), new Command.ExpiriesOfKeys(B, List.of(K)))) {
            assertThat(runAt(NOW, command))
                    .isInstanceOfSatisfying(
                            Reply.Failed.class,
                            failed -> assertThat(failed.message()).contains("is damaged"));
        }
        assertThat(runAt(NOW, new Command.ExpiriesOfKeys(B, List.of(ONE))))
                .isEqualTo(new Reply.Many(List.of(amount(NOW + 1_000_000))));
    }

    /** A million names that expire in one second: what others wait for, and how long their memory takes. */
    @Test
    @Tag("soak")
    void aMillionNamesThatExpireAtOnceHoldUpNobody() throws Exception {
        int names = 1_000_000;
        for (int i = 0; i < names; i++) {
            runAt(NOW, set(Bytes.of("session-" + i), ONE, NOW + i % 1_000));
        }
        List<Bytes> others = new ArrayList<>();
        for (int i = 0; i < 10_000; i++) {
            others.add(Bytes.of("other-" + i));
            runAt(NOW, set(others.getLast(), ONE, 0));
        }
        long start = System.nanoTime();
        Thread cleaner = Thread.ofPlatform().start(() -> storage.clean(NOW + 1_000));
        long[] nanos = new long[1_000_000];
        int count = 0;
        while (cleaner.isAlive() && count < nanos.length) {
            long before = System.nanoTime();
            Bytes name = others.get(count % others.size());
            assertThat(runAt(NOW, count % 2 == 0 ? new Command.GetValue(name) : set(name, ONE, 0)))
                    .isNotInstanceOf(Reply.Failed.class);
            nanos[count++] = System.nanoTime() - before;
        }
        cleaner.join();
        Arrays.sort(nanos, 0, count);
        assertThat(storage.buckets().table().buckets()).isEqualTo(others.size());
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(10));
        assertThat(Duration.ofNanos(nanos[count - 1 - count / 1_000])).isLessThan(Duration.ofMillis(20));
    }
}
