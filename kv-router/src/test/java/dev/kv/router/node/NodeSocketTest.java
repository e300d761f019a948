package dev.kv.router.node;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.Config;
import dev.kv.router.admin.LocalAnswer;
import dev.kv.router.admin.LocalClient;
import dev.kv.router.spi.Engine;
import dev.kv.router.testing.Await;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** What a node answers at its local socket. */
class NodeSocketTest extends NodeOfStandIns {
    @Test
    void reportsItsStateAtTheLocalSocket() {
        Node node = start(combined(), Map.of("kv.router.table", "a..m=foo@h"));

        Config status = ask("status");

        assertThat(status.getString("name")).isEqualTo("foo@h");
        assertThat(status.getString("state")).isEqualTo("running");
        assertThat(status.getString("role")).isEqualTo("combined");
        assertThat(status.getString("version")).isEqualTo("1.2.3");
        assertThat(status.getString("addresses.clients")).isEqualTo("127.0.0.1:1");
        assertThat(status.getString("addresses.nodes"))
                .isEqualTo("127.0.0.1:" + node.peerAddress().orElseThrow().getPort());
        assertThat(status.getString("table.version")).isEqualTo("static");
        assertThat(status.getString("table.text")).isEqualTo("a..m=foo@h");
        assertThat(status.getString("parts.storage.buckets")).isEqualTo("0");
        assertThat(status.getString("parts.clients.connections")).isEqualTo("0");
    }

    @Test
    void answersAtTheLocalSocketWhileItStarts() throws Exception {
        CountDownLatch opening = new CountDownLatch(1);
        CountDownLatch opened = new CountDownLatch(1);
        Engine slow = settings -> new ReadyStorage(() -> {
            opening.countDown();
            try {
                opened.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        CompletableFuture<Node> starting =
                CompletableFuture.supplyAsync(() -> start(release(Optional.of(slow), Optional.empty()), Map.of()));
        assertThat(opening.await(Await.TIMEOUT.toSeconds(), TimeUnit.SECONDS)).isTrue();

        assertThat(ask("status").getString("state")).isEqualTo("starting");
        assertThat(ask("status").getString("doing")).isEqualTo("opening the storage");
        assertThat(ask("route x").getString("failure.message")).isEqualTo("this node is still starting");

        opened.countDown();
        starting.get(Await.TIMEOUT.toSeconds(), TimeUnit.SECONDS);
        assertThat(ask("status").getString("state")).isEqualTo("running");
    }

    @Test
    void isAskedToStopAtTheLocalSocket() {
        start(combined(), Map.of("kv.node.drain", "3s"));

        assertThat(ask("stop").getInt("drainMillis")).isEqualTo(3000);
        assertThat(events).endsWith("asked to stop");
    }

    @Test
    void refusesUnknownCommandsAtTheLocalSocket() {
        start(combined(), Map.of());

        assertThat(LocalClient.ask(folder(), "dance now", LIMIT))
                .isEqualTo(new LocalAnswer.Refused("this release knows no `dance`"));
    }

    @Test
    void reportsThePathOfARequestAcrossNodes() {
        Node bar =
                start(combined(), Map.of("kv.node.name", "bar@h", "kv.node.dir", "bar", "kv.router.table", "n*=bar@h"));
        String barAddress = "127.0.0.1:" + bar.peerAddress().orElseThrow().getPort();
        start(
                combined(),
                Map.of(
                        "kv.router.table",
                        "a..m=foo@h,\nn..z=bar@h",
                        "kv.router.peers.\"bar@h\"",
                        barAddress,
                        "kv.router.cookie-file",
                        home.resolve("bar/cookie").toString()));

        Config stays = ask("route apples");
        assertThat(stays.getConfigList("hops")).singleElement().satisfies(hop -> {
            assertThat(hop.getString("node")).isEqualTo("foo@h");
            assertThat(hop.getString("entry")).isEqualTo("a..m=foo@h");
            assertThat(hop.getInt("line")).isEqualTo(1);
        });
        assertThat(stays.hasPath("failure")).isFalse();

        Config far = ask("route nuts");
        assertThat(far.getConfigList("hops"))
                .extracting(hop -> hop.getString("node") + " " + hop.getInt("line") + " " + hop.getInt("column"))
                .containsExactly("foo@h 2 1", "bar@h 1 1");
        assertThat(far.hasPath("failure")).isFalse();

        Config lost = ask("route %7a");
        assertThat(lost.getConfigList("hops")).hasSize(2);
        assertThat(lost.getString("failure.word")).isEqualTo("NOROUTE");
    }
}
