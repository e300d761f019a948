package dev.kv.router.peer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.CommandThread;
import dev.kv.router.LongReply;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.testing.Await;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Commands with long replies, of the clients of another node, that wait behind a change of their bucket or for the disk. */
@Timeout(60)
class AdmissionTest extends WithBackHost {
    private static final int COMMANDS = 20;
    private static final Bytes KEY = Bytes.of("key");
    private static final Reply ANSWER = new Reply.Many(List.of(new Reply.Value(KEY)));
    private static final Command READ = new Command.Content(NUTS, Command.Part.VALUES);
    private static final Command WRITE =
            new Command.Batch(NUTS, List.of(new Command.Put(NUTS, KEY, KEY), new Command.Get(NUTS, KEY)));

    private final AtomicReference<CommandThread> loop = new AtomicReference<>();

    /** The replies to commands that the node puts off. */
    private final List<LongReply.UnderWay> putOff = Collections.synchronizedList(new ArrayList<>());

    /** Whether nothing is done any more that they wait for. */
    private final AtomicBoolean isStill = new AtomicBoolean();

    /** Whether each of them is held back, as while the disk is behind. */
    private boolean areHeldBack;

    /** The replies to those of them that have begun. */
    private final List<LongReply.UnderWay> begun = Collections.synchronizedList(new ArrayList<>());

    private final List<CompletableFuture<Reply>> replies = new ArrayList<>();

    @BeforeEach
    void prepare() throws Exception {
        front.timeout = Duration.ofSeconds(1);
        back.timeout = front.timeout;
        // For two of the largest replies, and one that exceeds it.
        back.repliesBytes = 140L << 20;
        Store plain = back.store;
        back.store = (command, takenMillis) -> {
            if (!command.equals(READ) && !command.equals(WRITE)) {
                return plain.run(command, takenMillis);
            }
            loop.set(CommandThread.current().orElseThrow());
            CompletableFuture<Void> placed =
                    areHeldBack ? new CompletableFuture<>() : CompletableFuture.completedFuture(null);
            putOff.add(new LongReply.UnderWay(() -> isStill.get() ? 0 : System.nanoTime(), placed));
            return putOff.getLast();
        };
        startHosts();
    }

    private void ask(Command command) {
        for (int i = 0; i < COMMANDS; i++) {
            replies.add(front.client().run(command).toCompletableFuture());
        }
    }

    private void assertOthersAreServed() {
        assertThat(front.ask(new Command.Get(NUTS, KEY))).isEqualTo(Reply.ABSENT);
    }

    private void answer(LongReply.UnderWay reply) {
        loop.get().execute(() -> reply.complete(ANSWER));
    }

    private void assertAllAreAnswered() throws Exception {
        replies.forEach(reply -> assertThat(Host.await(reply)).isEqualTo(ANSWER));
        Await.until(() -> back.repliesTaken() == 0);
    }

    /** As with kv.storage.sync = always: the write has run. */
    @Test
    void aReplyThatWaitsForTheDiskTakesItsMemoryMeanwhile() throws Exception {
        CompletableFuture<Reply> onDisk = new CompletableFuture<>();
        Store plain = back.store;
        back.store = (command, takenMillis) -> {
            if (!command.equals(WRITE)) {
                return plain.run(command, takenMillis);
            }
            loop.set(CommandThread.current().orElseThrow());
            return LongReply.UnderWay.ready(onDisk, 100_000);
        };
        ask(WRITE);
        Await.until(() -> back.repliesTaken() == COMMANDS * 100_000L);
        assertOthersAreServed();
        loop.get().execute(() -> onDisk.complete(ANSWER));
        assertAllAreAnswered();
    }

    /** Once it has its place behind the change, nothing can keep the write from being run. */
    @Test
    void aWriteThatReturnsValuesTakesMemoryWhileItWaits() throws Exception {
        ask(WRITE);
        for (int answered = 0; answered < COMMANDS; answered++) {
            int expected = Math.min(COMMANDS, answered + 3);
            Await.until(() -> putOff.size() >= expected);
            assertOthersAreServed();
            assertThat(putOff).hasSize(expected);
            answer(putOff.get(answered));
        }
        assertAllAreAnswered();
    }

    @Test
    void readsThatBeginTogetherBeginAsTheirRepliesFindMemory() throws Exception {
        ask(READ);
        assertAllBeginAsMemoryIsFree();
    }

    @Test
    void writesThatHaveWaitedForTheDiskBeginAsTheirRepliesFindMemory() throws Exception {
        areHeldBack = true;
        ask(WRITE);
        assertAllBeginAsMemoryIsFree();
    }

    private void awaitPutOff() throws Exception {
        Await.until(() -> putOff.size() == COMMANDS);
        // By then the link has taken note of the last one.
        assertOthersAreServed();
    }

    private void assertAllBeginAsMemoryIsFree() throws Exception {
        awaitPutOff();
        assertThat(back.repliesTaken()).isZero();
        isStill.set(true);
        putOff.forEach(reply -> reply.begin(() -> begun.add(reply)));
        // For longer than kv.router.timeout: the callers are told to wait.
        long end = System.nanoTime() + front.timeout.toNanos() * 3 / 2;
        while (System.nanoTime() - end < 0) {
            assertOthersAreServed();
            assertThat(begun).hasSizeLessThanOrEqualTo(3);
            begun.forEach(LongReply.UnderWay::hadTurn);
        }
        assertThat(replies).noneMatch(CompletableFuture::isDone);
        for (int answered = 0; answered < COMMANDS; answered++) {
            int expected = Math.min(COMMANDS, answered + 3);
            Await.until(() -> begun.size() >= expected);
            assertOthersAreServed();
            assertThat(begun).hasSize(expected);
            begun.forEach(LongReply.UnderWay::hadTurn);
            answer(begun.get(answered));
        }
        assertAllAreAnswered();
    }

    /** The storage has to let go of what it has frozen for the read. */
    @Test
    void aReadThatNobodyAwaitsIsBegunWithoutMemory() throws Exception {
        ask(READ);
        awaitPutOff();
        putOff.forEach(reply -> reply.begin(() -> begun.add(reply)));
        Await.until(() -> begun.size() == 3);
        front.close();
        Await.until(() -> begun.size() == COMMANDS);
        assertThat(putOff).allMatch(CompletableFuture::isCancelled);
        Await.until(() -> back.repliesTaken() == 0);
    }
}
