package dev.kv.router.peer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.CommandThread;
import dev.kv.router.LongReply;
import dev.kv.router.NameSpace;
import dev.kv.router.PackedList;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.testing.Await;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Many clients of a node that keeps nothing ask for many values, or names, of another node. */
@Timeout(120)
class ManyValuesTest extends WithBackHost {
    private static final int REPLIES = 20;

    /** As an object each, made by the loop, a million values make all others wait for a quarter of a second. */
    @Test
    void aReplyOfManyValuesDelaysNobody() throws Exception {
        start();
        Store plain = back.store;
        PackedList.Builder builder = new PackedList.Builder();
        for (int i = 0; i < 1_000_000; i++) {
            builder.add(Bytes.of("value" + i));
        }
        Reply many = new Reply.Values(builder.build());
        List<Reply> each = new ArrayList<>();
        for (int i = 0; i < 50_000; i++) {
            each.add(new Reply.Value(Bytes.of("value" + i)));
        }
        back.store = (command, _) -> switch (command) {
            case Command.Content _ -> CompletableFuture.completedFuture(many);
            case Command.GetAll _ -> CompletableFuture.completedFuture(new Reply.Many(each));
            default -> plain.run(command);
        };
        for (int i = 0; i < 1000; i++) {
            assertSmallIsServed();
        }
        for (Command command :
                List.of(new Command.Content(NUTS, Command.Part.VALUES), new Command.GetAll(NUTS, List.of(SMALL)))) {
            LongestWait.isShort(
                    command.getClass().getSimpleName(),
                    this::assertSmallIsServed,
                    () -> front.client().run(command),
                    command instanceof Command.Content ? many : new Reply.Many(each));
        }
        Await.until(() -> front.roomTaken() == 0);
    }

    /** Replies of the longest size are as many under way as there is memory for; the others wait and are not forgotten. */
    @Test
    void aReplyTakesItsMemoryBeforeItIsBuilt() throws Exception {
        front.timeout = Duration.ofMillis(500);
        back.timeout = front.timeout;
        back.repliesBytes = 140L << 20;
        start();
        Store plain = back.store;
        AtomicReference<CommandThread> loop = new AtomicReference<>();
        List<CompletableFuture<Reply>> built = Collections.synchronizedList(new ArrayList<>());
        back.store = (command, _) -> {
            if (!(command instanceof Command.Content)) {
                return plain.run(command);
            }
            loop.set(CommandThread.current().orElseThrow());
            LongReply.UnderWay one = new LongReply.UnderWay();
            one.begin(() -> {});
            built.add(one);
            return one;
        };
        List<CompletableFuture<Reply>> replies = new ArrayList<>();
        for (int i = 0; i < REPLIES; i++) {
            replies.add(front.client()
                    .run(new Command.Content(NUTS, Command.Part.VALUES))
                    .toCompletableFuture());
        }
        Reply answer = new Reply.Values(List.of(Bytes.of("1")));
        for (int answered = 0; answered < REPLIES; answered++) {
            int sofar = answered;
            Await.until(() -> built.size() >= Math.min(REPLIES, sofar + 3));
            assertSmallIsServed();
            assertThat(built).hasSizeLessThanOrEqualTo(answered + 3);
            loop.get().execute(() -> built.get(sofar).complete(answer));
        }
        replies.forEach(reply -> assertThat(Host.await(reply)).isEqualTo(answer));
        Await.until(() -> back.repliesTaken() == 0);

        var _ = front.client().run(new Command.Content(NUTS, Command.Part.VALUES));
        Await.until(() -> built.size() == REPLIES + 1);
        assertThat(back.repliesTaken()).isEqualTo(65L << 20);
        front.close();
        Await.until(() -> back.repliesTaken() == 0);
    }

    /** Each may wait for its bucket for seconds, and take little then. */
    @Test
    void aReplyThatHasNotBegunHoldsUpNoOther() throws Exception {
        back.repliesBytes = 1;
        start();
        Store plain = back.store;
        List<LongReply.UnderWay> waiting = Collections.synchronizedList(new ArrayList<>());
        Reply small = new Reply.Many(List.of(new Reply.Value(Bytes.of("1"))));
        back.store = (command, _) -> switch (command) {
            case Command.Content _ -> {
                waiting.add(new LongReply.UnderWay());
                yield waiting.getLast();
            }
            case Command.GetAll _ -> CompletableFuture.completedFuture(small);
            default -> plain.run(command);
        };
        for (int i = 0; i < 10; i++) {
            var _ = front.client().run(new Command.Content(NUTS, Command.Part.VALUES));
        }
        Await.until(() -> waiting.size() == 10);
        assertThat(front.ask(new Command.GetAll(NUTS, List.of(SMALL)))).isEqualTo(small);
        assertThat(back.repliesTaken()).isZero();

        waiting.getFirst().begin(() -> {});
        assertThat(back.repliesTaken()).isEqualTo(1);
        CompletableFuture<Reply> later =
                front.client().run(new Command.GetAll(NUTS, List.of(SMALL))).toCompletableFuture();
        assertSmallIsServed();
        assertThat(later).isNotDone();
        front.close();
        Await.until(() -> back.repliesTaken() == 0);
    }

    /** The names of all buckets are asked of several nodes: the sum begins with its part of this node, and is cancelled with it. */
    @Test
    void theNamesOfAllBucketsTakeTheirMemoryBeforeTheyAreBuilt() throws Exception {
        back.repliesBytes = 140L << 20;
        start();
        Store plain = back.store;
        List<LongReply.UnderWay> built = Collections.synchronizedList(new ArrayList<>());
        back.store = (command, _) -> {
            if (!(command instanceof Command.Names)) {
                return plain.run(command);
            }
            LongReply.UnderWay one = new LongReply.UnderWay();
            one.begin(() -> {});
            built.add(one);
            return one;
        };
        for (int i = 0; i < 5; i++) {
            var _ = front.client().run(new Command.Names(NameSpace.ALL, 0, Bytes.of("*"), 10));
        }
        Await.until(() -> built.size() == 3);
        assertSmallIsServed();
        assertThat(built).hasSize(3);
        front.close();
        Await.until(() -> back.repliesTaken() == 0 && built.stream().allMatch(CompletableFuture::isCancelled));
    }

    /** A client that keeps many large reads in flight must not keep those of the other clients of the same link from their turn. */
    @Test
    void clientsOfOneLinkTakeTurnsWithLongReplies() throws Exception {
        back.repliesBytes = 1;
        start();
        Store plain = back.store;
        AtomicReference<CommandThread> loop = new AtomicReference<>();
        List<LongReply.UnderWay> built = Collections.synchronizedList(new ArrayList<>());
        Reply answer = new Reply.Values(List.of(Bytes.of("1")));
        back.store = (command, _) -> switch (command) {
            case Command.Content _ -> {
                loop.set(CommandThread.current().orElseThrow());
                built.add(new LongReply.UnderWay());
                built.getLast().begin(() -> {});
                yield built.getLast();
            }
            case Command.GetAll _ -> CompletableFuture.completedFuture(answer);
            default -> plain.run(command);
        };
        Store greedy = front.client();
        AtomicInteger answered = new AtomicInteger();
        for (int i = 0; i < 8; i++) {
            keepAsking(greedy, answered);
        }
        Await.until(() -> built.size() == 1);
        CompletableFuture<Reply> other =
                front.client().run(new Command.GetAll(NUTS, List.of(SMALL))).toCompletableFuture();
        assertSmallIsServed();
        for (int i = 0; i < 2; i++) {
            int turn = i;
            assertThat(other).isNotDone();
            loop.get().execute(() -> built.get(turn).complete(answer));
            Await.until(() -> answered.get() > turn);
        }

        assertThat(Host.await(other)).isEqualTo(answer);
    }

    /** Asks for a content again whenever one is there, until two were. */
    private static void keepAsking(Store client, AtomicInteger answered) {
        var _ = client.run(new Command.Content(NUTS, Command.Part.VALUES)).thenAccept(_ -> {
            if (answered.incrementAndGet() <= 2) {
                keepAsking(client, answered);
            }
        });
    }

    /** The node between tells the one behind it, which lets go of what it does for nobody. */
    @Test
    void aReadThatNobodyAwaitsIsCancelledOnAllNodes() throws Exception {
        CompletableFuture<Reply> endless = new CompletableFuture<>();
        start();
        Store plain = back.store;
        AtomicBoolean isAsked = new AtomicBoolean();
        back.store = (command, _) -> {
            if (command instanceof Command.Content) {
                isAsked.set(true);
                return endless;
            }
            return plain.run(command);
        };
        middle.knows(back);
        middle.start("*=back@h");
        front.close();
        front.knows(middle);
        front.start("*=middle@h");
        var _ = front.client().run(new Command.Content(NUTS, Command.Part.VALUES));
        Await.until(isAsked::get);
        assertThat(endless).isNotDone();

        front.close();
        assertThatThrownBy(() -> endless.get(20, TimeUnit.SECONDS)).isInstanceOf(CancellationException.class);
        front.start("*=middle@h");
        assertSmallIsServed();
    }
}
