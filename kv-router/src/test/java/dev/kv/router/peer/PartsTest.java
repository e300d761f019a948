package dev.kv.router.peer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.CommandThread;
import dev.kv.router.NameSpace;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.testing.Await;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Clients of a node ask for the names of all buckets, which two other nodes keep: what has come of one waits for the other. */
class PartsTest extends ThreeHosts {
    private static final int CLIENTS = 20;
    private static final int NAMES = 3000;

    /** Of a part on the link. */
    private static final int PART_BYTES_MIN = 90_000;

    private static final Command ALL = new Command.Names(NameSpace.ALL, 0, Bytes.of("*"), 10 * NAMES);

    private static Reply.Names names(String prefix) {
        return new Reply.Names(
                List.of(),
                0,
                IntStream.range(0, NAMES)
                        .mapToObj(i -> new Reply.Name(i, Bytes.of(prefix + "-name-of-a-bucket-" + i)))
                        .toList());
    }

    /** A node whose answers to the question are withheld. */
    private static final class Withheld {
        private final Reply.Names answer;
        private final List<CompletableFuture<Reply>> asked = Collections.synchronizedList(new ArrayList<>());
        private final AtomicReference<CommandThread> loop = new AtomicReference<>();

        Withheld(Host host, Reply.Names answer) {
            this.answer = answer;
            Store plain = host.store;
            host.store = (command, _) -> {
                if (!(command instanceof Command.Names)) {
                    return plain.run(command);
                }
                loop.set(CommandThread.current().orElseThrow());
                asked.add(new CompletableFuture<>());
                return asked.getLast();
            };
        }

        void answer(IntPredicate which) {
            loop.get()
                    .execute(() -> IntStream.range(0, asked.size())
                            .filter(which)
                            .forEach(i -> asked.get(i).complete(answer)));
        }
    }

    private Withheld ofBar;
    private Withheld ofBaz;

    /** All clients ask, or one asks as often. */
    private List<CompletableFuture<Reply>> ask(int clients) throws Exception {
        ofBar = new Withheld(bar, names("n"));
        ofBaz = new Withheld(baz, names("z"));
        foo.roomBytes = 2 << 20;
        for (Host host : List.of(foo, bar, baz)) {
            host.timeout = Duration.ofSeconds(30);
        }
        startAll("a..m=bar@h,n..z=baz@h", "*=bar@h", "*=baz@h");
        awaitServed(foo, "apples");
        awaitServed(foo, "nuts");
        List<CompletableFuture<Reply>> replies = new ArrayList<>();
        List<Store> asking = Stream.generate(foo::clientOnLoop).limit(clients).toList();
        for (int i = 0; i < CLIENTS; i++) {
            replies.add(asking.get(i % clients).run(ALL).toCompletableFuture());
        }
        Await.until(() -> ofBar.asked.size() == CLIENTS && ofBaz.asked.size() == CLIENTS);
        return replies;
    }

    private void assertAllAreAnswered(List<CompletableFuture<Reply>> replies) throws Exception {
        for (CompletableFuture<Reply> reply : replies) {
            assertThat(reply.get(20, TimeUnit.SECONDS))
                    .isInstanceOfSatisfying(
                            Reply.Names.class, all -> assertThat(all.names()).hasSize(2 * NAMES));
        }
        Await.until(() -> foo.roomTaken() == 0 && bar.repliesTaken() == 0 && baz.repliesTaken() == 0);
    }

    @Test
    void partsOfANodeWaitForThoseOfAPausedOneWithinHalfOfTheMemory() throws Exception {
        List<CompletableFuture<Reply>> replies = ask(CLIENTS);
        firewalls.get("baz@h").silence();
        ofBar.answer(_ -> true);
        Await.until(() -> foo.roomTaken() > 0 && foo.roomWaits());
        for (int i = 0; i < 100; i++) {
            assertThat(foo.ask(put("apples", "k", "v"))).isEqualTo(Reply.OK);
        }
        assertThat(foo.roomTaken()).isBetween(2L * PART_BYTES_MIN, foo.roomBytes / 2);
        assertThat(bar.repliesTaken()).as("held there meanwhile").isGreaterThan(CLIENTS / 2 * PART_BYTES_MIN);
        assertThat(replies).noneMatch(CompletableFuture::isDone);

        ofBaz.answer(_ -> true);
        firewalls.get("baz@h").open();
        assertAllAreAnswered(replies);
    }

    /** Each question has the memory for one of its parts, and none is left. */
    @Test
    void questionsDoNotWaitForTheMemoryOfOneAnother() throws Exception {
        List<CompletableFuture<Reply>> replies = ask(CLIENTS);
        ofBar.answer(i -> i % 2 == 0);
        ofBaz.answer(i -> i % 2 != 0);
        Await.until(() -> foo.roomTaken() > 0 && foo.roomWaits());
        assertThat(foo.ask(put("nuts", "k", "v"))).isEqualTo(Reply.OK);
        ofBar.answer(i -> i % 2 != 0);
        ofBaz.answer(i -> i % 2 == 0);
        assertAllAreAnswered(replies);
    }

    /** The parts of the oldest question of a client are not younger than one another, and its next question is. */
    @Test
    void questionsOfOneClientAreAllAnswered() throws Exception {
        List<CompletableFuture<Reply>> replies = ask(1);
        ofBaz.answer(i -> i > 0);
        ofBar.answer(i -> i > 0);
        assertThat(foo.ask(put("nuts", "k", "v"))).isEqualTo(Reply.OK);
        ofBaz.answer(_ -> true);
        ofBar.answer(_ -> true);
        assertAllAreAnswered(replies);
    }

    /** The parts fit by themselves. */
    @Test
    void whatAnAnswerCannotHoldIsNotReceived() throws Exception {
        foo.messageMaxBytes = 3 * PART_BYTES_MIN / 2;
        List<CompletableFuture<Reply>> replies = ask(CLIENTS);
        ofBar.answer(_ -> true);
        Await.until(() -> foo.roomTaken() > 0 && foo.roomWaits());
        ofBaz.answer(_ -> true);
        for (CompletableFuture<Reply> reply : replies) {
            assertThat(reply.get(20, TimeUnit.SECONDS)).isEqualTo(new Reply.Failed(Reply.Reason.NAMES_TOO_LARGE));
        }
        Await.until(() -> foo.roomTaken() == 0 && bar.repliesTaken() == 0 && baz.repliesTaken() == 0);
    }

    @Test
    void aQuestionFailsWithItsFirstPartThatFails() throws Exception {
        List<CompletableFuture<Reply>> replies = ask(CLIENTS);
        ofBar.answer(i -> i > 0);
        Await.until(() -> foo.roomTaken() > 0 && foo.roomWaits());
        baz.close();
        for (CompletableFuture<Reply> reply : replies) {
            assertThat(reply.get(20, TimeUnit.SECONDS)).isInstanceOf(Reply.Failed.class);
        }
        Await.until(() -> foo.roomTaken() == 0 && !foo.roomWaits() && bar.repliesTaken() == 0);
        Await.until(() -> ofBar.asked.getFirst().isCancelled());
    }
}
