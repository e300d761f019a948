package dev.kv.storage.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Held;
import dev.kv.router.LongReply;
import dev.kv.router.Reply;
import dev.kv.storage.OpenStorage;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Commands on several names that come together, and of which some have to wait. */
@Timeout(60)
class EachCommandsTest extends WithShortTurns {
    private static final Execution.Limits LIMITS =
            new Execution.Limits(SHORT, 1, 10, 3, 1L << 20, Duration.ofSeconds(10), Duration.ofSeconds(10));

    private static final Bytes BUSY = Bytes.of("busy");

    private static Command get(String name) {
        return new Command.GetValue(Bytes.of(name));
    }

    private static Command set(String name, Bytes value) {
        return new Command.SetValue(Bytes.of(name), value, Command.Condition.ALWAYS, false);
    }

    private static Command set(String name, String value) {
        return set(name, Bytes.of(value));
    }

    private static Reply value(String value) {
        return new Reply.Value(Bytes.of(value));
    }

    private static Command each(Command... commands) {
        return new Command.Each(List.of(commands));
    }

    private static List<Reply> replies(CompletableFuture<Reply> reply) throws Exception {
        return ((Reply.Many) reply.get(20, TimeUnit.SECONDS)).replies();
    }

    @Test
    void eachRunsByItselfAndAllAreAcknowledgedTogether() throws Exception {
        OpenStorage storage = open(LIMITS);
        AtomicInteger acknowledged = new AtomicInteger();
        CompletableFuture<Void> onDisk = new CompletableFuture<>();
        Execution execution = execution(
                storage,
                (_, reply) -> {
                    acknowledged.incrementAndGet();
                    return onDisk.thenApply(_ -> reply);
                },
                LIMITS);
        join(storage, new Command.SetAll(Bytes.of("hash"), List.of(BUSY, BUSY), false));
        CompletableFuture<Reply> reply = execution
                .run(each(
                        set("a", "1"),
                        get("a"),
                        get("hash"),
                        set("a", "2"),
                        get("none"),
                        new Command.Drop(Bytes.of("hash")),
                        get("hash"),
                        get("a")))
                .toCompletableFuture();

        assertThat(reply).isNotDone();
        onDisk.complete(null);
        assertThat(replies(reply))
                .containsExactly(
                        Reply.OK,
                        value("1"),
                        new Reply.Failed(Reply.Reason.WRONG_TYPE),
                        Reply.OK,
                        Reply.ABSENT,
                        new Reply.Amount(1),
                        Reply.ABSENT,
                        value("2"));
        assertThat(acknowledged).hasValue(1);
        execution.close(Duration.ofSeconds(10));
    }

    @Test
    void aLargeValueIsHeld() throws Exception {
        OpenStorage storage = open(LIMITS);
        Bytes large = Bytes.owning(new byte[100_000]);
        join(storage, set("large", large));
        join(storage, set("a", "1"));

        List<Reply> replies =
                replies(storage.run(each(get("a"), get("large"), get("a"))).toCompletableFuture());

        assertThat(replies.get(1)).isInstanceOf(Reply.LargeValue.class);
        assertThat(Held.flat(new Reply.Many(replies)))
                .isEqualTo(new Reply.Many(List.of(value("1"), new Reply.Value(large), value("1"))));
    }

    /** The name in the middle is under a large change: what is on others runs, and this runs behind the change. */
    @Test
    void aCommandThatWaitsForItsBucketDelaysTheReplyAndNotTheOthers() throws Exception {
        OpenStorage storage = open(LIMITS);
        CountDownLatch isBusy = new CountDownLatch(1);
        CountDownLatch mayGoOn = new CountDownLatch(1);
        Execution execution = execution(
                storage,
                (command, reply) -> {
                    if (command instanceof Command.SetAll) {
                        isBusy.countDown();
                        try {
                            mayGoOn.await();
                        } catch (InterruptedException e) {
                            return CompletableFuture.failedFuture(e);
                        }
                    }
                    return CompletableFuture.completedFuture(reply);
                },
                LIMITS);
        join(storage, set("a", "1"));
        execution.run(new Command.SetAll(BUSY, pairs(new Random(1), 100), false));
        isBusy.await();
        CompletableFuture<Reply> writes = execution
                .run(each(set("b", "1"), set("busy", "2"), set("c", "3")))
                .toCompletableFuture();
        CompletableFuture<Reply> reads =
                execution.run(each(get("a"), get("busy"), get("b"), get("c"))).toCompletableFuture();
        CompletableFuture<Reply> cancelled =
                execution.run(each(get("a"), get("busy"))).toCompletableFuture();
        CompletableFuture<Reply> tooMany =
                execution.run(each(get("a"), get("busy"), get("b"))).toCompletableFuture();

        assertThat(replies(tooMany).get(0)).isEqualTo(value("1"));
        assertThat(replies(tooMany).get(1)).isInstanceOf(Reply.Failed.class);
        assertThat(replies(tooMany).get(2)).isEqualTo(value("1"));
        assertThat(writes).isNotDone();
        assertThat(reads).isNotDone().isInstanceOfSatisfying(LongReply.UnderWay.class, underWay -> {
            assertThat(underWay.holdsBack()).isFalse();
            // What a value has that is not held, and what is there.
            assertThat(underWay.replyBytes()).isBetween(64L << 10, 65L << 10);
        });
        assertThat(join(storage, get("c"))).isEqualTo(value("3"));
        cancelled.cancel(false);
        mayGoOn.countDown();
        assertThat(replies(writes)).containsOnly(Reply.OK);
        assertThat(replies(reads)).containsExactly(value("1"), value("2"), value("1"), value("3"));
        execution.close(Duration.ofSeconds(10));
    }

    /** A name that is set to a large value, and read behind that. */
    @Test
    void commandsThatTouchMuchRunInTheirOrder() throws Exception {
        OpenStorage storage = open(LIMITS);
        List<Command> commands = new ArrayList<>();
        List<Reply> expected = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            commands.add(set("large", "v".repeat(3_000) + i));
            expected.add(Reply.OK);
        }
        commands.add(set("a", "1"));
        expected.add(Reply.OK);
        assertThat(replies(storage.run(new Command.Each(commands)).toCompletableFuture()))
                .isEqualTo(expected);
        assertThat(replies(storage.run(each(get("a"), get("large"))).toCompletableFuture()))
                .containsExactly(value("1"), value("v".repeat(3_000) + 2));
    }

    /** The lane of the name ends while the commands are placed: the first of them stands in it, or has run, before the second is tried. */
    @Test
    void commandsOnOneNameKeepTheirOrderWhileALargeChangeOfItEnds() throws Exception {
        OpenStorage storage = open(SHORT);
        int rounds = 300;
        for (int i = 0; i < rounds; i++) {
            CompletableFuture<Reply> change = storage.run(new Command.SetAll(BUSY, pairs(new Random(i), 60), false))
                    .toCompletableFuture();
            CompletableFuture<Reply> writes = storage.run(
                            each(set("busy", "1"), set("a", "1"), set("busy", "2"), set("a", "2")))
                    .toCompletableFuture();
            CompletableFuture<Reply> reads =
                    storage.run(each(get("busy"), get("a"))).toCompletableFuture();
            assertThat(change.get(20, TimeUnit.SECONDS)).isInstanceOf(Reply.Amount.class);
            assertThat(replies(writes)).containsOnly(Reply.OK);
            assertThat(replies(reads)).containsExactly(value("2"), value("2"));
            assertThat(join(storage, new Command.Drop(BUSY))).isEqualTo(new Reply.Amount(1));
        }
    }

    @Test
    void aFailureOfTheDiskFailsAllOfThem() throws Exception {
        OpenStorage storage = open(LIMITS);
        Reply.Failed full = new Reply.Failed(Reply.Word.NOSPACE, "full");
        Execution execution = execution(storage, (_, _) -> CompletableFuture.completedFuture(full), LIMITS);

        assertThat(execution
                        .run(each(set("a", "1"), set("large", "v".repeat(3_000)), set("b", "1")))
                        .toCompletableFuture()
                        .get(20, TimeUnit.SECONDS))
                .isEqualTo(full);
        execution.close(Duration.ofSeconds(10));
    }
}
