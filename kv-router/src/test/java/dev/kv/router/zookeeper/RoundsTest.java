package dev.kv.router.zookeeper;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.testing.Await;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Rounds that fail are reported and retried. */
class RoundsTest extends NodesAtZooKeeper {
    @Test
    void theStatusShowsSinceWhenZooKeeperDoesNotAnswer() throws Exception {
        create(ZNODES.table(), HALVES);
        Node foo = node("foo@h").join();
        assertThat(foo.status())
                .containsEntry("state", "connected")
                .containsEntry("table", "applied " + Znodes.hex(foo.inForce.version()));

        server.stop();
        firewall.cut();
        Await.until(
                () -> foo.status()
                        .get("state")
                        .matches(
                                "does not answer: no connection to a server, since \\S+Z; requests go on by the last good table"));

        server.restart();
        Await.until(() -> foo.status().get("state").equals("connected"));
    }

    @Test
    void aFailedRoundIsReportedAndRetried() throws Exception {
        create(ZNODES.table(), HALVES);
        Node foo = node("foo@h");
        foo.fault = Optional.of(new StackOverflowError("deep"));
        foo.join();
        Await.until(() -> foo.status()
                .get("state")
                .matches(
                        "cannot be followed: java.lang.StackOverflowError: deep, since \\S+Z; requests are answered with"
                                + " NOROUTE until a table is read"));

        foo.fault = Optional.empty();
        awaitTable(foo, HALVES);
        Await.until(() -> foo.status().get("state").equals("connected"));
    }

    @Test
    void theStatusShowsThatTheThreadHasEnded() throws Exception {
        create(ZNODES.table(), HALVES);
        Node foo = node("foo@h").join();
        Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().equals("kv-zookeeper"))
                .forEach(Thread::interrupt);

        Await.until(() -> foo.status()
                .get("state")
                .startsWith("is no longer followed: the thread that does it has ended; restart this node, since "));
    }
}
