package dev.kv.router.peer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.CommandThread;
import dev.kv.router.Held;
import dev.kv.router.LongReply;
import dev.kv.router.NameSpace;
import dev.kv.router.Reply;
import dev.kv.router.Reply.Failed;
import dev.kv.router.Reply.Word;
import dev.kv.router.Store;
import dev.kv.router.testing.Await;
import dev.kv.router.testing.Firewall;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;

/** Requests that nodes pass to each other. */
class PeersTest extends ThreeHosts {
    @Test
    void routesRequestsAcrossNodesInBothDirections() {
        startAll(HALVES, HALVES, HALVES);

        assertThat(foo.ask(create("nuts"))).isEqualTo(Reply.OK);
        assertThat(foo.ask(put("nuts", "almond", "1"))).isEqualTo(Reply.OK);
        assertThat(bar.buckets).containsOnlyKeys(Bytes.of("nuts"));
        assertThat(foo.ask(get("nuts", "almond"))).isEqualTo(value("1"));
        assertThat(foo.ask(get("nuts", "brazil"))).isEqualTo(Reply.ABSENT);
        assertThat(foo.ask(get("olives", "almond"))).isEqualTo(Reply.NOT_FOUND);
        assertThat(foo.ask(new Command.Delete(Bytes.of("nuts"), Bytes.of("almond"))))
                .isEqualTo(Reply.OK);
        assertThat(foo.ask(get("nuts", "almond"))).isEqualTo(Reply.ABSENT);
        assertThat(bar.ask(create("apples"))).isEqualTo(Reply.OK);
        assertThat(foo.buckets).containsOnlyKeys(Bytes.of("apples"));
    }

    @Test
    void everyNodeLooksInItsOwnTable() {
        startAll("*=bar@h", "*=baz@h", "*=baz@h");

        assertThat(foo.ask(create("nuts"))).isEqualTo(Reply.OK);
        assertThat(baz.buckets).containsOnlyKeys(Bytes.of("nuts"));
        assertThat(foo.ask(new Command.Route(Bytes.of("nuts"))))
                .isEqualTo(new Reply.Way(
                        List.of(
                                new Reply.Hop("foo@h", 0, "*=bar@h", 1, 1),
                                new Reply.Hop("bar@h", 0, "*=baz@h", 1, 1),
                                new Reply.Hop("baz@h", 0, "*=baz@h", 1, 1)),
                        java.util.Optional.empty()));
    }

    @Test
    void aRoutingLoopIsAnError() {
        startAll("*=bar@h", "*=foo@h", "");

        assertThat(foo.ask(create("x"))).isEqualTo(new Failed(Word.CIRCLE, "foo@h -> bar@h -> foo@h"));
        Reply.Way way = (Reply.Way) foo.ask(new Command.Route(Bytes.of("x")));
        assertThat(way.hops()).extracting(Reply.Hop::node).containsExactly("foo@h", "bar@h", "foo@h");
        assertThat(way.failure()).map(Failed::word).contains(Word.CIRCLE);
    }

    @Test
    void aMissingEntryAtTheSecondNodeNamesThatNode() {
        startAll("*=bar@h", "a=bar@h", "");

        assertThat(foo.ask(create("x")))
                .isEqualTo(new Failed(Word.NOROUTE, "could not find entry for \"x\" in table [a=bar@h] of bar@h"));
        assertThat(bar.ask(create("x")))
                .isEqualTo(new Failed(Word.NOROUTE, "could not find entry for \"x\" in table [a=bar@h]"));
    }

    /** Over any number of nodes, and for the part of a question that each answers. */
    @Test
    void theNodeThatRunsACommandIsToldWhenTheFirstOneTookIt() {
        startAll("*=bar@h", "a..m=baz@h,n..z=bar@h", "*=baz@h");
        ConcurrentLinkedQueue<String> times = new ConcurrentLinkedQueue<>();
        for (Host host : List.of(bar, baz)) {
            Store plain = host.store;
            host.store = (command, takenMillis) -> {
                times.add(command.getClass().getSimpleName() + " " + takenMillis);
                return command instanceof Command.Count
                        ? CompletableFuture.completedFuture(new Reply.Amount(1))
                        : plain.run(command, takenMillis);
            };
        }

        assertThat(Host.await(foo.client().run(create("nuts"), 1_234))).isEqualTo(Reply.OK);
        assertThat(Host.await(foo.client().run(create("apples"), 5_678))).isEqualTo(Reply.OK);
        assertThat(Host.await(foo.client().run(new Command.Count(NameSpace.ALL), 9)))
                .isEqualTo(new Reply.Amount(2));
        assertThat(times).containsExactlyInAnyOrder("Create 1234", "Create 5678", "Count 9", "Count 9");
    }

    @Test
    void requestsOfOneClientOnOneBucketRunInOrder() {
        startAll("*=bar@h", "*=baz@h", "*=baz@h");
        ConcurrentLinkedQueue<String> order = new ConcurrentLinkedQueue<>();
        Store plain = baz.store;
        baz.store = (command, _) -> {
            if (command instanceof Command.Put put) {
                order.add(put.key().text());
            }
            return plain.run(command);
        };
        Store client = foo.client();
        List<CompletionStage<Reply>> replies = new ArrayList<>();
        List<String> expected = new ArrayList<>();
        replies.add(client.run(create("nuts")));
        for (int i = 0; i < 200; i++) {
            expected.add("k" + i);
            replies.add(client.run(put("nuts", "k" + i, "v".repeat(i % 10 == 0 ? 3_000_000 : 10))));
        }
        replies.forEach(reply -> assertThat(Host.await(reply)).isEqualTo(Reply.OK));
        assertThat(order).containsExactlyElementsOf(expected);
    }

    @Test
    void aLargeValueDelaysNoOtherRequestAndMayTakeLongerThanTheTimeout() throws Exception {
        foo.timeout = Duration.ofSeconds(1);
        startAll("*=bar@h", "*=bar@h", "");
        assertThat(foo.ask(create("nuts"))).isEqualTo(Reply.OK);
        firewalls.get("bar@h").throttle(64 * 1024, 20);

        String large = "v".repeat(8 << 20);
        CompletableFuture<Reply> put =
                foo.client().run(put("nuts", "large", large)).toCompletableFuture();
        for (int i = 0; i < 3; i++) {
            long start = System.nanoTime();
            assertThat(foo.ask(get("nuts", "k"))).isEqualTo(Reply.ABSENT);
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofMillis(2500));
        }
        assertThat(put).isNotDone();
        assertThat(put.get(30, TimeUnit.SECONDS)).isEqualTo(Reply.OK);
        assertThat(foo.ask(get("nuts", "large"))).isEqualTo(value(large));
    }

    /** A loop reads 64 KiB of a link in each iteration: what the kernel holds is what a short reply waits behind. */
    @Test
    void theKernelBuffersAtMostAMebibyteOfALink() throws Exception {
        startAll("*=bar@h", "*=bar@h", "");
        Firewall firewall = firewalls.get("bar@h");
        assertThat(foo.ask(create("nuts"))).isEqualTo(Reply.OK);
        assertThat(foo.ask(put("nuts", "large", "v".repeat(48 << 20)))).isEqualTo(Reply.OK);
        for (int i = 0; i < 5; i++) {
            // The kernel enlarges the buffer of a connection whose reader keeps up.
            assertThat(foo.ask(get("nuts", "large"))).isInstanceOf(Reply.Value.class);
        }
        firewall.throttle(64 * 1024, 1);
        long before = firewall.passedBytes();
        CompletableFuture<Reply> large = foo.client().run(get("nuts", "large")).toCompletableFuture();
        Await.until(() -> firewall.passedBytes() > before + (1 << 20));
        CompletableFuture<Long> passedAtStop = new CompletableFuture<>();
        CountDownLatch goOn = new CountDownLatch(1);
        var _ = foo.client().run(get("nuts", "small")).thenAccept(_ -> {
            passedAtStop.complete(firewall.passedBytes());
            try {
                goOn.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        long stopped = passedAtStop.get(20, TimeUnit.SECONDS);
        long passed;
        do {
            passed = firewall.passedBytes();
        } while (goOn.await(300, TimeUnit.MILLISECONDS) || firewall.passedBytes() > passed);
        goOn.countDown();
        System.out.println("PeersTest: " + (passed - stopped) + " bytes passed while the reader stood still");
        assertThat(passed - stopped).isLessThan(1 << 20);
        Held.releaseIn(large.get(30, TimeUnit.SECONDS));
    }

    @Test
    void aRequestThatIsTooLongForTheOtherNodeIsRefusedBeforeItIsPutIntoBytes() {
        startAll("*=bar@h", "*=bar@h", "");
        assertThat(foo.ask(create("nuts"))).isEqualTo(Reply.OK);
        Bytes value = Bytes.owning(new byte[40 << 20]);
        long passed = firewalls.get("bar@h").passedBytes();
        Reply reply = foo.ask(
                new Command.SetAll(Bytes.of("nuts"), List.of(Bytes.of("a"), value, Bytes.of("b"), value), false));
        assertThat(((Failed) reply).word()).isEqualTo(Word.TOOLARGE);
        assertThat(((Failed) reply).message()).startsWith("a request to bar@h has at most 68157440 bytes");
        assertThat(firewalls.get("bar@h").passedBytes()).isEqualTo(passed);
        assertThat(foo.ask(put("nuts", "a", "1"))).isEqualTo(Reply.OK);
    }

    @Test
    void aCommandThatGoesOnKeepsItsCallerWaitingAndOneThatHangsDoesNot() throws Exception {
        foo.timeout = Duration.ofMillis(500);
        startAll("*=bar@h", "*=bar@h", "");
        CompletableFuture<CommandThread> loop = new CompletableFuture<>();
        LongReply.UnderWay goesOn = new LongReply.UnderWay();
        bar.store = (_, _) -> {
            loop.complete(CommandThread.current().orElseThrow());
            return goesOn;
        };
        CompletableFuture<Reply> reply = foo.client().run(get("nuts", "k")).toCompletableFuture();
        long start = System.nanoTime();
        while (System.nanoTime() - start < 4 * foo.timeout.toNanos()) {
            goesOn.hadTurn();
            LockSupport.parkNanos(1_000_000);
        }
        loop.join().execute(() -> goesOn.complete(Reply.ABSENT));
        assertThat(reply.get(20, TimeUnit.SECONDS)).isEqualTo(Reply.ABSENT);

        LongReply.UnderWay hangs = new LongReply.UnderWay();
        hangs.hadTurn();
        bar.store = (_, _) -> hangs;
        assertThat(((Failed) foo.ask(get("nuts", "k"))).word()).isEqualTo(Word.UNCERTAIN);
    }

    @Test
    void progressFartherDownTheWayKeepsTheFirstNodeWaiting() {
        foo.timeout = Duration.ofSeconds(1);
        startAll("*=bar@h", "*=baz@h", "*=baz@h");
        assertThat(foo.ask(create("nuts"))).isEqualTo(Reply.OK);
        firewalls.get("baz@h").throttle(64 * 1024, 20);

        String large = "v".repeat(6 << 20);
        assertThat(foo.ask(put("nuts", "large", large))).isEqualTo(Reply.OK);
        assertThat(foo.ask(get("nuts", "large"))).isEqualTo(value(large));
    }

    @Test
    void theLinkToANodeThatTheTableDoesNotNameClosesWhenItHasAnswered() throws Exception {
        startAll(HALVES, HALVES, "a..m=foo@h,n..z=baz@h");
        CompletableFuture<String> thread = new CompletableFuture<>();
        CompletableFuture<Command> arrived = new CompletableFuture<>();
        CompletableFuture<Reply> slow = new CompletableFuture<>();
        bar.store = (command, _) -> {
            thread.complete(Thread.currentThread().getName());
            arrived.complete(command);
            return slow;
        };
        CompletionStage<Reply> inFlight = foo.client().run(get("nuts", "a"));
        arrived.join();
        assertThat(foo.linksOut()).isEqualTo(1);
        // MINA gives its threads names of its own, which tell nothing in a dump of threads.
        assertThat(thread).isCompletedWithValue("kv-io-0");
        foo.use("a..m=foo@h,n..z=baz@h");
        assertThat(foo.ask(create("nuts"))).isEqualTo(Reply.OK);
        assertThat(baz.buckets).containsOnlyKeys(Bytes.of("nuts"));
        assertThat(bar.links()).isEqualTo(1);
        slow.complete(Reply.ABSENT);

        assertThat(Host.await(inFlight)).isEqualTo(Reply.ABSENT);
        Await.until(() -> bar.links() == 0 && foo.linksOut() == 1);
        assertThat(baz.links()).isEqualTo(1);
    }

    @Test
    void aNodeThatIsNamedAgainIsServedAgain() {
        startAll(HALVES, HALVES, HALVES);
        for (int i = 0; i < 20; i++) {
            assertThat(foo.ask(create("nuts"))).isEqualTo(Reply.OK);
            foo.use("a..m=foo@h,n..z=baz@h");
            foo.use(HALVES);
        }
        assertThat(foo.ask(create("nuts"))).isEqualTo(Reply.OK);
    }

    @Test
    void aNodeThatStopsAnswersItsRequests() throws Exception {
        startAll(HALVES, HALVES, HALVES);
        assertThat(foo.ask(create("nuts"))).isEqualTo(Reply.OK);
        CompletableFuture<Command> arrived = new CompletableFuture<>();
        CompletableFuture<Reply> slow = new CompletableFuture<>();
        Store plain = bar.store;
        bar.store = (command, _) -> {
            if (!(command instanceof Command.Get)) {
                return plain.run(command);
            }
            arrived.complete(command);
            return slow;
        };
        CompletionStage<Reply> inFlight = foo.client().run(get("nuts", "a"));
        arrived.join();
        CompletableFuture<Void> stopped = CompletableFuture.runAsync(bar::stop);
        awaitUnreachable(foo, "nuts");
        slow.complete(Reply.ABSENT);

        assertThat(Host.await(inFlight)).isEqualTo(Reply.ABSENT);
        stopped.join();
    }

    @Test
    void aNodeOfVersion1IsServedAndAsked() throws Exception {
        VersionOneNode old = new VersionOneNode("old@h", foo.cookie);
        opened.addFirst(old);
        foo.addresses.put("old@h", old.address());
        foo.start("*=old@h");

        String large = "v".repeat(1 << 20);
        assertThat(foo.ask(put("nuts", "large", large))).isEqualTo(Reply.OK);
        assertThat(foo.ask(put("nuts", "small", "1"))).isEqualTo(Reply.OK);
        assertThat(foo.ask(get("nuts", "large"))).isEqualTo(value(large));
        assertThat(foo.ask(get("nuts", "small"))).isEqualTo(value("1"));
        assertThat(foo.ask(get("nuts", "none"))).isEqualTo(Reply.ABSENT);
    }

    private static Command many(int words, int seed) {
        List<Bytes> pairs = new ArrayList<>();
        for (int i = 0; i < words; i++) {
            pairs.add(Bytes.of("word" + seed + "-" + i));
        }
        return new Command.SetAll(Bytes.of("nuts"), pairs, false);
    }

    /** Another thread puts the long ones into bytes here, and makes them of bytes there. */
    @Test
    void requestsBehindLongOnesOfTheirClientRunAfterThem() throws Exception {
        List<Command> run = Collections.synchronizedList(new ArrayList<>());
        bar.store = (command, _) -> {
            run.add(command);
            return CompletableFuture.completedFuture(new Reply.Amount(run.size()));
        };
        startAll(HALVES, HALVES, HALVES);
        Store client = foo.client();
        List<Command> asked = new ArrayList<>();
        List<CompletableFuture<Reply>> replies = new ArrayList<>();
        for (int i = 0; i < 60; i++) {
            asked.add(i % 5 < 2 ? many(20_000, i) : get("nuts", "k" + i));
            replies.add(client.run(asked.getLast()).toCompletableFuture());
        }
        for (int i = 0; i < asked.size(); i++) {
            assertThat(Host.await(replies.get(i))).isEqualTo(new Reply.Amount(i + 1));
        }
        assertThat(run.equals(asked)).isTrue();
        Await.until(() -> bar.roomTaken() == 0);
    }

    @Test
    void longRequestsAreAnsweredWhenTheLinkBreaks() throws Exception {
        Store plain = bar.store;
        bar.store = (command, _) -> command instanceof Command.Create ? plain.run(command) : new CompletableFuture<>();
        startAll(HALVES, HALVES, HALVES);
        awaitServed(foo, "nuts");
        Store client = foo.client();
        List<CompletableFuture<Reply>> replies = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            replies.add(client.run(many(50_000, i)).toCompletableFuture());
            replies.add(client.run(get("nuts", "k")).toCompletableFuture());
        }
        bar.close();
        for (CompletableFuture<Reply> reply : replies) {
            assertThat(reply.get(20, TimeUnit.SECONDS)).isInstanceOf(Reply.Failed.class);
        }
    }

    /** On the loops, a million words made others wait for a tenth of a second and more. */
    @Test
    void aRequestOfManyWordsDelaysNobody() throws Exception {
        Store plain = bar.store;
        bar.store = (command, _) -> command instanceof Command.SetAll set
                ? CompletableFuture.completedFuture(new Reply.Amount(set.pairs().size()))
                : plain.run(command);
        startAll(HALVES, HALVES, HALVES);
        awaitServed(foo, "nuts");
        Command many = many(1_000_000, 1);
        LongestWait.isShort(
                "a request of a million words",
                () -> assertThat(foo.ask(put("nuts", "k", "v"))).isEqualTo(Reply.OK),
                () -> foo.client().run(many),
                new Reply.Amount(1_000_000));
    }
}
