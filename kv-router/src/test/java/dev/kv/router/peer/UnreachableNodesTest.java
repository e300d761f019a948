package dev.kv.router.peer;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.LongReply;
import dev.kv.router.Reply;
import dev.kv.router.Reply.Failed;
import dev.kv.router.Reply.Word;
import dev.kv.router.Store;
import dev.kv.router.testing.Await;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

/** The errors for requests to nodes that are down, silent, foreign or overloaded. */
class UnreachableNodesTest extends ThreeHosts {
    private static Failed failed(Reply reply, Word word) {
        assertThat(reply).isInstanceOf(Failed.class);
        assertThat(((Failed) reply).word()).as("%s", reply).isEqualTo(word);
        return (Failed) reply;
    }

    @Test
    void aLookUpForWhichThereIsNoThreadFailsAtOnceAndIsFollowedByAnother() throws Exception {
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

        awaitServed(foo, "nuts");
    }

    @Test
    void requestsToANodeThatIsDownFailAtOnceUntilItIsBack() throws Exception {
        startAll(HALVES, HALVES, HALVES);
        foo.knows(bar);
        foo.close();
        foo.start(HALVES);
        assertThat(foo.ask(create("nuts"))).isEqualTo(Reply.OK);
        bar.close();

        awaitUnreachable(foo, "nuts");
        long start = System.nanoTime();
        Failed failed = failed(foo.ask(create("nuts")), Word.UNREACHABLE);
        assertThat(failed.message()).startsWith("bar@h").endsWith("; the request was not run");
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(2));

        bar.start(HALVES);
        awaitServed(foo, "nuts");
    }

    @Test
    void aNodeThatHangsIsNamedAfterTheTimeoutAndTheRequestMayHaveRun() throws Exception {
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
        bar.store = (command, _) -> {
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
    void anotherCookieIsRefused() throws Exception {
        bar.cookie = Bytes.of("another cookie, not theirs");
        startAll(HALVES, HALVES, HALVES);

        assertThat(failed(foo.ask(create("nuts")), Word.UNREACHABLE).message())
                .contains("bar@h", "has another cookie (kv.router.cookie-file)");
        // A request that makes no attempt of its own tells when the last one failed, and when the next one may begin.
        Await.until(() -> failed(foo.ask(create("nuts")), Word.UNREACHABLE)
                .message()
                .matches("bar@h at .* has another cookie \\(kv.router.cookie-file\\), [0-9.]+ s ago;"
                        + " the next attempt can begin in [0-9.]+ s; the request was not run"));
        assertThat(foo.ask(create("apples"))).isEqualTo(Reply.OK);
        assertThat(foo.unreached().orElseThrow())
                .startsWith("bar@h at ")
                .endsWith(" has another cookie (kv.router.cookie-file)");

        bar.cookie = foo.cookie;
        bar.close();
        bar.start(HALVES);
        awaitServed(foo, "nuts");
        assertThat(foo.unreached()).isEmpty();
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
    void anotherServerAtTheAddressIsQuoted() throws Exception {
        startAll(HALVES, HALVES, HALVES);
        try (ServerSocket other = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            foo.addresses.put("bar@h", (InetSocketAddress) other.getLocalSocketAddress());
            foo.close();
            foo.start(HALVES);
            CompletionStage<Reply> reply = foo.client().run(create("nuts"));
            try (Socket caller = other.accept()) {
                caller.getOutputStream().write("ERROR ERR this port is for clients\r\nmore".getBytes(US_ASCII));

                assertThat(failed(Host.await(reply), Word.UNREACHABLE).message())
                        .startsWith("bar@h at 127.0.0.1:" + other.getLocalPort())
                        .contains("is not there: what answers is no node, it says"
                                + " \"ERROR ERR this port is for clients\"; mend the address (kv.router.peers,");
            }
        }
    }

    @Test
    void aHostThatDoesNotResolveIsAnErrorThatSaysSo() {
        startAll("*=bar@no-such-host.invalid", "", "");

        assertThat(failed(foo.ask(create("nuts")), Word.UNREACHABLE).message())
                .contains("bar@no-such-host.invalid", "does not resolve");
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

    /** Else one client that sends thousands of requests ahead would have those of all others refused. */
    @Test
    void beyondHalfOfTheLimitInFlightARequestHoldsBackItsClient() {
        foo.inFlightMax = 10;
        startAll(HALVES, HALVES, HALVES);
        assertThat(foo.ask(create("nuts"))).isEqualTo(Reply.OK);
        firewalls.get("bar@h").silence();

        List<CompletableFuture<Reply>> replies = new ArrayList<>();
        List<Boolean> holdBack = new ArrayList<>();
        foo.onLoop(client -> {
            for (int i = 0; i < 7; i++) {
                replies.add(client.run(get("nuts", "a")).toCompletableFuture());
                holdBack.add(((LongReply.HoldingBack) replies.getLast()).holdsBack());
            }
            return null;
        });
        assertThat(holdBack).containsExactly(false, false, false, false, false, true, true);
        firewalls.get("bar@h").open();
        assertThat(replies.stream().map(Host::await)).containsOnly(Reply.ABSENT);
        assertThat(((LongReply.HoldingBack) replies.getLast()).holdsBack()).isFalse();
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
}
