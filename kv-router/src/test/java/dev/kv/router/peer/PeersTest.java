package dev.kv.router.peer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.Reply.Failed;
import dev.kv.router.Reply.Word;
import dev.kv.router.Store;
import dev.kv.router.testing.Firewall;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.assertj.core.api.Assertions;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Nodes on one machine with a firewall before each. */
@Timeout(60)
class PeersTest {
    private static final String HALVES = "a..m=foo@h,n..z=bar@h";

    private final List<AutoCloseable> opened = new ArrayList<>();
    private final Map<String, Firewall> firewalls = new HashMap<>();
    private final Host foo = host("foo@h");
    private final Host bar = host("bar@h");
    private final Host baz = host("baz@h");

    /** A node that the others reach through a firewall. */
    private Host host(String name) {
        Host host = new Host(name);
        Firewall firewall = new Firewall(() -> host.port);
        firewalls.put(name, firewall);
        opened.addFirst(firewall);
        opened.addFirst(host);
        return host;
    }

    private void startAll(String fooTable, String barTable, String bazTable) {
        for (Host host : List.of(foo, bar, baz)) {
            firewalls.forEach((name, firewall) -> host.addresses.put(name, firewall.address()));
        }
        foo.start(fooTable);
        bar.start(barTable);
        baz.start(bazTable);
    }

    @AfterEach
    void stop() throws Exception {
        for (AutoCloseable one : opened) {
            one.close();
        }
    }

    private static Command.Create create(String bucket) {
        return new Command.Create(Bytes.of(bucket));
    }

    private static Command.Put put(String bucket, String key, String value) {
        return new Command.Put(Bytes.of(bucket), Bytes.of(key), Bytes.of(value));
    }

    private static Command.Get get(String bucket, String key) {
        return new Command.Get(Bytes.of(bucket), Bytes.of(key));
    }

    private static Reply value(String value) {
        return new Reply.Value(Bytes.of(value));
    }

    private static Failed failed(Reply reply, Word word) {
        assertThat(reply).isInstanceOf(Failed.class);
        assertThat(((Failed) reply).word()).as("%s", reply).isEqualTo(word);
        return (Failed) reply;
    }

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
    void aLookUpForWhichThereIsNoThreadFailsAtOnceAndIsFollowedByAnother() {
        AtomicBoolean isFirst = new AtomicBoolean(true);
        ThreadFactory system = foo.lookUps;
        foo.lookUps = task -> {
            if (isFirst.getAndSet(false)) {
                throw new OutOfMemoryError("unable to create native thread");
            }
            return system.newThread(task);
        };
        startAll(HALVES, HALVES, HALVES);

        assertThat(failed(foo.ask(create("nuts")), Word.UNREACHABLE).message())
                .contains("bar@h at ", " cannot be found: unable to create native thread; the request was not run");

        Reply reply = foo.ask(create("nuts"));
        while (reply instanceof Failed failed && failed.word() == Word.UNREACHABLE) {
            Thread.onSpinWait();
            reply = foo.ask(create("nuts"));
        }
        assertThat(reply).isEqualTo(Reply.OK);
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

    @Test
    void requestsToANodeThatIsDownFailAtOnceUntilItIsBack() {
        startAll(HALVES, HALVES, HALVES);
        foo.addresses.put("bar@h", InetSocketAddress.createUnresolved("127.0.0.1", bar.port));
        foo.close();
        foo.start(HALVES);
        assertThat(foo.ask(create("nuts"))).isEqualTo(Reply.OK);
        bar.close();

        Assertions.assertThatCode(() -> awaitUnreachable(foo, "nuts")).doesNotThrowAnyException();
        long start = System.nanoTime();
        Failed failed = failed(foo.ask(create("nuts")), Word.UNREACHABLE);
        assertThat(failed.message()).startsWith("bar@h").endsWith("; the request was not run");
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(2));

        bar.start(HALVES);
        awaitServed(foo, "nuts");
    }

    private static void awaitUnreachable(Host host, String bucket) {
        while (!(host.ask(create(bucket)) instanceof Failed failed && failed.word() == Word.UNREACHABLE)) {
            Thread.onSpinWait();
        }
    }

    private static void awaitServed(Host host, String bucket) {
        while (!host.ask(create(bucket)).equals(Reply.OK)) {
            Thread.onSpinWait();
        }
    }

    @Test
    void aNodeThatHangsIsNamedAfterTheTimeoutAndTheRequestMayHaveRun() {
        foo.timeout = Duration.ofMillis(300);
        startAll(HALVES, HALVES, HALVES);
        assertThat(foo.ask(create("nuts"))).isEqualTo(Reply.OK);
        firewalls.get("bar@h").silence();

        long start = System.nanoTime();
        Store client = foo.client();
        CompletionStage<Reply> hung = client.run(put("nuts", "a", "1"));
        assertThat(Host.await(client.run(create("apples"))))
                .as("a bucket of another node")
                .isEqualTo(Reply.OK);
        Failed failed = failed(Host.await(hung), Word.UNCERTAIN);
        assertThat(failed.message())
                .isIn(
                        "bar@h did not answer within 0.3 s; the request may have run",
                        "bar@h was silent for 0.3 s; the request may have run");
        assertThat(Duration.ofNanos(System.nanoTime() - start))
                .isBetween(Duration.ofMillis(280), Duration.ofSeconds(2));

        awaitUnreachable(foo, "nuts");
        firewalls.get("bar@h").open();
        awaitServed(foo, "nuts");
    }

    @Test
    void theErrorNamesTheSilentNode() {
        foo.timeout = Duration.ofSeconds(2);
        startAll("*=bar@h", "*=baz@h", "*=baz@h");
        assertThat(foo.ask(create("nuts"))).isEqualTo(Reply.OK);
        firewalls.get("baz@h").silence();

        Failed failed = failed(foo.ask(put("nuts", "a", "1")), Word.UNCERTAIN);
        assertThat(failed.message()).isEqualTo("baz@h did not answer within 1.9 s; the request may have run");
    }

    @Test
    void aLinkThatBreaksLeavesTheRequestUncertain() {
        startAll(HALVES, HALVES, HALVES);
        CompletableFuture<Command> arrived = new CompletableFuture<>();
        bar.store = command -> {
            arrived.complete(command);
            return new CompletableFuture<>();
        };
        CompletionStage<Reply> reply = foo.client().run(create("nuts"));
        arrived.join();
        firewalls.get("bar@h").cut();

        assertThat(failed(Host.await(reply), Word.UNCERTAIN).message())
                .isEqualTo("bar@h closed the connection; the request may have run");
    }

    @Test
    void anotherCookieIsRefused() {
        bar.cookie = Bytes.of("another cookie, not theirs");
        startAll(HALVES, HALVES, HALVES);

        assertThat(failed(foo.ask(create("nuts")), Word.UNREACHABLE).message())
                .contains("bar@h", "has another cookie (kv.router.cookie-file)");
        assertThat(foo.ask(create("apples"))).isEqualTo(Reply.OK);
    }

    @Test
    void anotherNodeAtTheAddressIsRefused() {
        startAll(HALVES, HALVES, HALVES);
        foo.addresses.put("bar@h", firewalls.get("baz@h").address());
        foo.close();
        foo.start(HALVES);

        assertThat(failed(foo.ask(create("nuts")), Word.UNREACHABLE).message())
                .contains("bar@h", "is not there: at this address is baz@h");
    }

    @Test
    void aHostThatDoesNotResolveIsAnErrorThatSaysSo() {
        startAll("*=bar@no-such-host.invalid", "", "");

        assertThat(failed(foo.ask(create("nuts")), Word.UNREACHABLE).message())
                .contains("bar@no-such-host.invalid", "does not resolve");
    }

    @Test
    void requestsOfOneClientOnOneBucketRunInOrder() {
        startAll("*=bar@h", "*=baz@h", "*=baz@h");
        ConcurrentLinkedQueue<String> order = new ConcurrentLinkedQueue<>();
        Store plain = baz.store;
        baz.store = command -> {
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

    @Test
    void progressFartherDownTheWayKeepsTheFirstNodeWaiting() {
        foo.timeout = Duration.ofMillis(500);
        startAll("*=bar@h", "*=baz@h", "*=baz@h");
        assertThat(foo.ask(create("nuts"))).isEqualTo(Reply.OK);
        firewalls.get("baz@h").throttle(64 * 1024, 20);

        String large = "v".repeat(3 << 20);
        assertThat(foo.ask(put("nuts", "large", large))).isEqualTo(Reply.OK);
        assertThat(foo.ask(get("nuts", "large"))).isEqualTo(value(large));
    }

    @Test
    void theLinkToANodeThatTheTableDoesNotNameClosesWhenItHasAnswered() {
        startAll(HALVES, HALVES, "a..m=foo@h,n..z=baz@h");
        CompletableFuture<Command> arrived = new CompletableFuture<>();
        CompletableFuture<Reply> slow = new CompletableFuture<>();
        bar.store = command -> {
            arrived.complete(command);
            return slow;
        };
        CompletionStage<Reply> inFlight = foo.client().run(get("nuts", "a"));
        arrived.join();
        foo.use("a..m=foo@h,n..z=baz@h");
        assertThat(foo.ask(create("nuts"))).isEqualTo(Reply.OK);
        assertThat(baz.buckets).containsOnlyKeys(Bytes.of("nuts"));
        assertThat(bar.links()).isEqualTo(1);
        slow.complete(Reply.ABSENT);

        assertThat(Host.await(inFlight)).isEqualTo(Reply.ABSENT);
        while (bar.links() > 0) {
            Thread.onSpinWait();
        }
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
    void aNodeThatStopsAnswersItsRequests() {
        startAll(HALVES, HALVES, HALVES);
        assertThat(foo.ask(create("nuts"))).isEqualTo(Reply.OK);
        CompletableFuture<Command> arrived = new CompletableFuture<>();
        CompletableFuture<Reply> slow = new CompletableFuture<>();
        Store plain = bar.store;
        bar.store = command -> {
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
    void requestsAboveTheLimitInFlightAreRefused() {
        foo.inFlightMax = 10;
        startAll(HALVES, HALVES, HALVES);
        assertThat(foo.ask(create("nuts"))).isEqualTo(Reply.OK);
        firewalls.get("bar@h").silence();
        List<CompletionStage<Reply>> replies = new ArrayList<>();
        Store client = foo.client();
        for (int i = 0; i < 40; i++) {
            replies.add(client.run(get("nuts", "a")));
        }
        List<Reply> refused = replies.subList(10, 40).stream().map(Host::await).toList();
        assertThat(refused)
                .allSatisfy(reply -> assertThat(failed(reply, Word.UNREACHABLE).message())
                        .contains("bar@h", "kv.router.in-flight-max"));
        firewalls.get("bar@h").open();
        assertThat(replies.subList(0, 10).stream().map(Host::await)).containsOnly(Reply.ABSENT);
    }

    @Test
    void aLinkServesLargeRequestsAfterOneThatExpiredHalfSent() throws Exception {
        foo.timeout = Duration.ofSeconds(2);
        startAll("*=bar@h", "*=baz@h", "*=baz@h");
        assertThat(foo.ask(create("nuts"))).isEqualTo(Reply.OK);
        firewalls.get("baz@h").silence();
        // foo waits for less than bar does, so that the request expires at bar before bar takes baz for dead.
        assertThat(failed(foo.ask(put("nuts", "large", "v".repeat(16 << 20))), Word.UNREACHABLE)
                        .message())
                .startsWith("baz@h did not take the request within");
        firewalls.get("baz@h").open();

        for (int kib = 100; kib <= 1000; kib += 100) {
            String value = "v".repeat(kib << 10);
            CompletableFuture<Reply> put =
                    bar.client().run(put("nuts", "k", value)).toCompletableFuture();
            assertThat(put.get(2, TimeUnit.SECONDS)).as("%d KiB", kib).isEqualTo(Reply.OK);
        }
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
}
