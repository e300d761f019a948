package dev.kv.storage.engine;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Expiry;
import dev.kv.router.Reply;
import dev.kv.storage.format.Layout;
import dev.kv.storage.log.SeenTime;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Files;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Buckets with keys that expire: when they go as a whole, what draws see of them, and what a change of their last key does. */
class KeyExpiryTest extends WithExpiry {
    @Test
    void readsOfABucketWithKeysThatHaveExpiredWriteNothing() {
        boolean hasWritten = true;
        // The cleaner writes as soon as somebody was told that something is gone: it seldom comes in between.
        for (int round = 1; hasWritten && round <= 20; round++) {
            Bytes bucket = Bytes.of("bucket-" + round);
            long until = NOW + 10L * round;
            for (int i = 0; i < 2_000; i++) {
                runAt(NOW, setKey(bucket, Bytes.of("key-" + i), ONE, until));
            }
            runAt(NOW, setKey(bucket, K, ONE, 0));
            long appended = storage.log().tail().appended();
            assertThat(runAt(until, new Command.Get(bucket, Bytes.of("key-1")))).isEqualTo(Reply.ABSENT);
            assertThat(runAt(until, new Command.Get(bucket, K))).isEqualTo(new Reply.Value(ONE));
            assertThat(keys(runAt(until, new Command.Content(bucket, Command.Part.KEYS))))
                    .containsExactly(K);
            assertThat(keys(runAt(until, new Command.Sample(bucket, -3, Command.Part.KEYS))))
                    .containsExactly(K, K, K);
            hasWritten = storage.log().tail().appended() != appended;
        }
        assertThat(hasWritten).isFalse();
    }

    @Test
    void aLargeBucketIsGoneWithTheLastOfItsKeys() throws Exception {
        for (int i = 0; i < 5_000; i++) {
            runAt(NOW, setKey(B, Bytes.of("key-" + i), ONE, NOW + 1 + i % 10));
        }
        runAt(NOW, set(V, ONE, 0));
        reopen();
        assertThat(namesAt(NOW + 9)).containsExactlyInAnyOrder(B, V);
        assertThat(runAt(NOW + 10, new Command.Rename(B, V))).isEqualTo(Reply.NOT_FOUND);
        assertThat(namesAt(NOW + 10)).containsExactly(V);
        assertThat(runAt(NOW + 10, new Command.KindOf(B))).isEqualTo(Reply.ABSENT);
        assertThat(runAt(NOW + 10, set(B, ONE, 0))).isEqualTo(Reply.OK);
        storage.clean(NOW + 20);
        assertThat(namesAt(NOW + 20)).containsExactlyInAnyOrder(B, V);
    }

    @Test
    void aLargeBucketOfWhichAllKeysHaveExpiredIsRemovedByOneRecord() {
        for (int i = 0; i < 5_000; i++) {
            runAt(NOW, setKey(B, Bytes.of("key-" + i), ONE, NOW + 1 + i % 10));
        }
        long appended = storage.log().tail().appended();
        storage.clean(NOW + 10);
        assertThat(storage.log().tail().appended() - appended).isEqualTo(Layout.recordCost(B.size()));
        assertThat(storage.buckets().table().buckets()).isZero();
        assertThat(storage.log().liveBytes().get()).isZero();
    }

    /** The one that is left expires, too, so that nothing but a look at the keys tells that there is one. */
    @Test
    void whatHasExpiredOfALargeBucketIsRemovedWithinASecond() {
        int keys = 200_000;
        for (int from = 0; from < keys; from += 500) {
            List<Bytes> pairs = IntStream.range(from, from + 500)
                    .boxed()
                    .flatMap(i -> Stream.of(Bytes.of("key-" + i), ONE))
                    .toList();
            runAt(NOW, new Command.SetAllUntil(B, pairs, Command.KeysCondition.ALWAYS, new Expiry.At(NOW + 10)));
        }
        runAt(NOW, setKey(B, K, ONE, NOW + 1_000_000));
        assertThat(runAt(NOW + 9, new Command.Size(B))).isEqualTo(amount(keys + 1));
        ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        long before = threads.getCurrentThreadCpuTime();
        storage.clean(NOW + 10);
        assertThat(Duration.ofNanos(threads.getCurrentThreadCpuTime() - before)).isLessThan(Duration.ofSeconds(1));
        assertThat(runAt(NOW + 10, new Command.Size(B))).isEqualTo(amount(1));
        assertThat(runAt(NOW + 10, new Command.Get(B, K))).isEqualTo(new Reply.Value(ONE));
    }

    @Test
    void randomKeysAreDrawnWithinATurnWhileSomeHaveExpired() {
        Set<Bytes> left = new HashSet<>();
        for (int i = 0; i < 10_000; i++) {
            Bytes key = Bytes.of("key-" + i);
            runAt(NOW, setKey(B, key, ONE, i % 2 == 0 ? NOW + 10 : 0));
            if (i % 2 == 1) {
                left.add(key);
            }
        }
        for (long count : List.of(100L, -100L)) {
            assertThat(drawn(NOW + 10, count)).hasSize(100).isSubsetOf(left);
        }
        assertThat(new HashSet<>(drawn(NOW + 10, 100))).hasSize(100);
        assertThat(keys(runAt(NOW + 10, new Command.Sample(B, 6_000, Command.Part.KEYS))))
                .containsExactlyInAnyOrderElementsOf(left);
        Command.Sample most = new Command.Sample(B, 4_999, Command.Part.KEYS);
        assertThat(new HashSet<>(keys(runAt(NOW + 10, most)))).hasSize(4_999).isSubsetOf(left);
    }

    /** Random keys, read in one turn. */
    private List<Bytes> drawn(long now, long count) {
        Command.Sample sample = new Command.Sample(B, count, Command.Part.KEYS);
        return keys(storage.buckets().read(now, B, view -> Reads.look(view, sample, new ReplyRoom(1 << 20))));
    }

    private static List<Bytes> keys(Reply reply) {
        return ((Reply.Values) reply).values();
    }

    @Test
    void randomKeysAreFoundByAWalkWhereMostHaveExpired() {
        for (int i = 0; i < 3_000; i++) {
            runAt(NOW, setKey(B, Bytes.of("key-" + i), ONE, i < 3 ? 0 : NOW + 10));
        }
        List<Bytes> left = List.of(Bytes.of("key-0"), Bytes.of("key-1"), Bytes.of("key-2"));
        assertThat(keys(runAt(NOW + 10, new Command.Sample(B, 10, Command.Part.KEYS))))
                .containsExactlyInAnyOrderElementsOf(left);
        assertThat(keys(runAt(NOW + 10, new Command.Sample(B, -100, Command.Part.KEYS))))
                .hasSize(100)
                .isSubsetOf(left);
        Command.Batch inChange = new Command.Batch(
                B,
                List.of(
                        setKey(B, K, ONE, 0),
                        new Command.DeleteAll(B, List.of(Bytes.of("key-2"))),
                        new Command.Sample(B, -100, Command.Part.KEYS),
                        new Command.Sample(B, 10, Command.Part.KEYS)));
        List<Reply> replies = ((Reply.Many) runAt(NOW + 10, inChange)).replies();
        assertThat(keys(replies.get(2))).hasSize(100).containsOnly(left.get(0), left.get(1), K);
        assertThat(keys(replies.get(3))).containsExactlyInAnyOrder(left.get(0), left.get(1), K);
    }

    @Test
    void aBucketThatLosesItsLastLiveKeyWithinAChangeLosesItsTime() {
        Command change =
                new Command.Batch(B, List.of(new Command.DeleteAll(B, List.of(K)), setKey(B, Bytes.of("new"), ONE, 0)));
        for (int expired = 1; expired < 3; expired++) {
            runAt(NOW, new Command.Drop(B));
            runAt(NOW, setKey(B, K, ONE, NOW + 90));
            for (int i = 0; i < expired; i++) {
                runAt(NOW, setKey(B, Bytes.of("expired-" + i), ONE, NOW + 5));
            }
            runAt(NOW, expire(B, NOW + 100));
            runAt(NOW + 6, change);
            assertThat(runAt(NOW + 6, new Command.ExpiryOf(B))).isEqualTo(amount(Expiry.NEVER));
            assertThat(runAt(NOW + 6, new Command.Size(B))).isEqualTo(amount(1));
        }
        runAt(NOW + 6, setKey(B, K, ONE, NOW + 90));
        runAt(NOW + 6, setKey(B, V, ONE, NOW + 7));
        runAt(NOW + 6, expire(B, NOW + 100));
        runAt(NOW + 7, change);
        assertThat(runAt(NOW + 7, new Command.ExpiryOf(B)))
                .as("it has a key left")
                .isEqualTo(amount(NOW + 100));
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aLargeBucketIsGoneWithTheLastOfItsKeysAlsoIfOneOfThemHadMoreTime(boolean isDeleted) {
        for (int i = 0; i < 5_000; i++) {
            runAt(NOW, setKey(B, Bytes.of("key-" + i), ONE, NOW + 10));
        }
        runAt(NOW, setKey(B, K, ONE, NOW + 1_000_000));
        runAt(NOW, isDeleted ? new Command.DeleteAll(B, List.of(K)) : setKey(B, K, ONE, NOW + 10));
        runAt(NOW, set(V, ONE, 0));
        assertThat(namesAt(NOW + 9)).containsExactlyInAnyOrder(B, V);
        assertThat(runAt(NOW + 10, new Command.Rename(B, V))).isEqualTo(Reply.NOT_FOUND);
        assertThat(namesAt(NOW + 10)).containsExactly(V);
        assertThat(runAt(NOW + 10, set(B, ONE, 0))).isEqualTo(Reply.OK);
    }

    @Test
    void aBucketThatLosesItsLastKeyWithinAChangeLosesItsTime() {
        runAt(NOW, setKey(B, K, ONE, 0));
        runAt(NOW, expire(B, NOW + 10));
        runAt(NOW, new Command.Batch(B, List.of(new Command.DeleteAll(B, List.of(K)), setKey(B, ONE, ONE, 0))));
        assertThat(runAt(NOW, new Command.ExpiryOf(B))).isEqualTo(amount(Expiry.NEVER));
        assertThat(runAt(NOW + 10, new Command.Get(B, ONE))).isEqualTo(new Reply.Value(ONE));
    }

    @Test
    void aBucketWithATimeGoesWithItsLastKeyThatExpires() throws Exception {
        for (int keys = 1; keys <= 2; keys++) {
            runAt(NOW, setKey(B, K, ONE, NOW + 10));
            runAt(NOW, setKey(B, keys == 1 ? K : ONE, ONE, NOW + 10));
            runAt(NOW, expire(B, NOW + 100_000));
            assertThat(namesAt(NOW + 10)).isEmpty();
            storage.clean(NOW + 10);
            assertThat(namesAt(NOW + 10)).isEmpty();
            assertThat(runAt(NOW + 10, new Command.Size(B))).isEqualTo(amount(0));
            assertThat(storage.buckets().table().buckets()).isZero();
            assertThat(storage.log().liveBytes().get()).isZero();
            close();
            Files.delete(folder.resolve("data").resolve(SeenTime.FILE));
            open();
            assertThat(namesAt(NOW)).isEmpty();
        }
    }

    @Test
    void aLargeValueOfAKeyThatHasExpiredIsNotTaken() {
        Bytes large = Bytes.owning("x".repeat(100_000).getBytes(UTF_8));
        runAt(NOW, setKey(B, K, large, NOW + 10));
        runAt(NOW, setKey(B, ONE, ONE, 0));
        Command get = new Command.Get(B, K);
        assertThat(runAt(NOW + 10, new Command.Batch(B, List.of(setKey(B, V, ONE, 0), get))))
                .isInstanceOfSatisfying(
                        Reply.Many.class,
                        many -> assertThat(many.replies().getLast()).isEqualTo(Reply.ABSENT));
        assertThat(runAt(NOW + 10, new Command.TakeAll(B, List.of(K))))
                .isEqualTo(new Reply.Many(List.of(Reply.ABSENT)));
    }
}
