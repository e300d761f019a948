package dev.kv.router.zookeeper;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.testing.Await;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Exchanger;
import java.util.concurrent.LinkedBlockingQueue;
import org.junit.jupiter.api.Test;

/** Rounds that fail are reported and retried. */
class RoundsTest extends NodesAtZooKeeper {
    /** A count of millions of buckets ends only for a new table: in a large cluster other nodes come and go all the time. */
    @Test
    void onlyAChangeOfTheTableShortensARound() throws Exception {
        BlockingQueue<Boolean> rounds = new LinkedBlockingQueue<>();
        Exchanger<String> steps = new Exchanger<>();
        Rounds[] all = {null};
        all[0] = new Rounds("none", Duration.ofHours(1), () -> "", new Rounds.Work() {
            @Override
            public boolean round() throws Exception {
                rounds.add(all[0].isTableDue());
                steps.exchange("begun");
                steps.exchange("woken");
                rounds.add(all[0].isTableDue());
                return true;
            }

            @Override
            public long askNanos() {
                return System.nanoTime() + Duration.ofHours(1).toNanos();
            }

            @Override
            public boolean isDueEarly() {
                return false;
            }
        });
        all[0].start();
        steps.exchange("");
        all[0].wake();
        steps.exchange("");
        steps.exchange("");
        all[0].wakeForTable();
        steps.exchange("");
        steps.exchange("");
        all[0].close();
        steps.exchange("");

        List<Boolean> isTableDue = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            isTableDue.add(rounds.take());
        }
        assertThat(isTableDue).containsExactly(false, false, false, true, false, true);
    }

    @Test
    void theStatusShowsSinceWhenZooKeeperDoesNotAnswer() throws Exception {
        create(ZNODES.table(), HALVES);
        Node foo = node("foo@h").join();
        assertThat(foo.status())
                .containsEntry("state", "connected")
                .containsEntry("table", "applied " + Znodes.hex(foo.inForce.version()));

        server.stop();
        firewall.cut();
        Await.until(() -> foo.status().get("state").matches("does not answer: no connection to a server, since \\S+Z"));

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
                .matches("cannot be followed: java.lang.StackOverflowError: deep, since \\S+Z"));

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
