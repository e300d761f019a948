package dev.kv.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.server.testing.RespClient;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What INFO and CLIENT LIST tell of requests and clients. */
@Timeout(60)
final class StatisticsTest {
    private static final Store STORE = (command, _) -> CompletableFuture.completedFuture(
            switch (command) {
                case Command.Rename _ -> Reply.NOT_FOUND;
                case Command.Size _ -> new Reply.Failed(Reply.Word.NOROUTE, "no entry");
                case Command.Batch batch ->
                    new Reply.Many(batch.commands().stream()
                            .<Reply>map(one -> one instanceof Command.Size
                                    ? new Reply.Failed(Reply.Word.NOSPACE, "full")
                                    : new Reply.Amount(1))
                            .toList());
                default -> new Reply.Amount(1);
            });

    private static String line(RespClient client, String section, String name) throws Exception {
        return client.say("INFO " + section)
                .lines()
                .filter(line -> line.startsWith(name + ":"))
                .findFirst()
                .orElse("");
    }

    @Test
    void requestsAreCountedByCommandOnAllLoopsUntilTheReset() throws Exception {
        try (TestDoor door = new TestDoor(STORE);
                RespClient one = door.respClient();
                RespClient other = door.respClient();
                RespClient third = door.respClient()) {
            for (RespClient client : List.of(one, other, third)) {
                for (int i = 0; i < 100; i++) {
                    assertThat(client.say("HSET b k v")).isEqualTo(":1");
                }
            }
            String hset = line(one, "commandstats", "cmdstat_hset");
            assertThat(hset)
                    .matches("cmdstat_hset:calls=300,usec=[1-9][0-9]*,usec_per_call=[0-9]+\\.[0-9]{2},rejected_calls=0,"
                            + "failed_calls=0");
            assertThat(line(one, "latencystats", "latency_percentiles_usec_hset"))
                    .matches("[a-z_]+:p50=[0-9]+\\.[0-9]{3},p99=[0-9]+\\.[0-9]{3},p99\\.9=[0-9]+\\.[0-9]{3}");
            assertThat(line(one, "commandstats", "cmdstat_hget")).isEmpty();
            assertThat(one.say("INFO"))
                    .doesNotContain("cmdstat_", "latency_percentiles_")
                    .contains("# Errorstats");
            assertThat(one.say("INFO all")).contains("cmdstat_hset:calls=300", "latency_percentiles_usec_hset:");

            assertThat(other.say("CONFIG RESETSTAT")).isEqualTo("OK");
            assertThat(one.say("INFO all")).doesNotContain("cmdstat_hset", "latency_percentiles_usec_hset");
            assertThat(line(one, "stats", "total_connections_received")).isEqualTo("total_connections_received:0");
            for (int i = 0; i < 20; i++) {
                assertThat(one.say("HSET b k v")).isEqualTo(":1");
            }
            assertThat(line(one, "commandstats", "cmdstat_hset")).startsWith("cmdstat_hset:calls=20,usec=");
            assertThat(line(one, "latencystats", "latency_percentiles_usec_hset"))
                    .isNotEmpty();
        }
    }

    @Test
    void errorsAreCountedByTheirWordsAndByCommand() throws Exception {
        try (TestDoor door = new TestDoor(STORE);
                RespClient client = door.respClient()) {
            assertThat(client.say("RENAME a b")).isEqualTo("ERR no such key");
            assertThat(client.say("HLEN a")).isEqualTo("NOROUTE no entry");
            assertThat(client.say("HLEN")).startsWith("ERR wrong number");
            assertThat(client.say("HINCRBY a k x")).startsWith("ERR value is not an integer");
            assertThat(client.say("CLIENT ID x")).startsWith("ERR wrong number");
            assertThat(client.say("NOSUCH")).startsWith("ERR unknown command");
            assertThat(client.say("EXEC x")).startsWith("EXECABORT");
            client.send("SYNCX\r\n");
            assertThat(client.reply()).startsWith("ERR unknown command");

            assertThat(line(client, "commandstats", "cmdstat_rename")).endsWith(",rejected_calls=0,failed_calls=1");
            assertThat(line(client, "commandstats", "cmdstat_hlen")).endsWith("rejected_calls=1,failed_calls=1");
            assertThat(line(client, "commandstats", "cmdstat_hincrby")).endsWith("rejected_calls=0,failed_calls=1");
            assertThat(line(client, "commandstats", "cmdstat_client|id")).endsWith("rejected_calls=1,failed_calls=0");
            assertThat(line(client, "commandstats", "cmdstat_exec")).endsWith("rejected_calls=1,failed_calls=0");
            assertThat(client.say("INFO errorstats"))
                    .isEqualTo("\"# Errorstats\r\nerrorstat_ERR:count=6\r\nerrorstat_EXECABORT:count=1\r\n"
                            + "errorstat_NOROUTE:count=1\r\n\"");
            assertThat(line(client, "stats", "total_error_replies")).isEqualTo("total_error_replies:8");
        }
    }

    @Test
    void requestsOfATransactionAreCountedWhenItRuns() throws Exception {
        try (TestDoor door = new TestDoor(STORE);
                RespClient client = door.respClient()) {
            for (String request : List.of("MULTI", "HSET b k v", "HLEN b", "HINCRBY b k x", "DISCARD")) {
                client.say(request);
            }
            assertThat(client.say("INFO commandstats")).doesNotContain("cmdstat_hset", "cmdstat_hlen", "cmdstat_exec");
            for (String request : List.of("MULTI", "HSET b k v", "HLEN b", "HINCRBY b k x")) {
                client.say(request);
            }
            assertThat(client.say("EXEC")).isEqualTo("[:1 NOSPACE full ERR value is not an integer or out of range]");

            assertThat(line(client, "commandstats", "cmdstat_exec"))
                    .startsWith("cmdstat_exec:calls=1,")
                    .endsWith("failed_calls=0");
            assertThat(line(client, "commandstats", "cmdstat_hset")).startsWith("cmdstat_hset:calls=1,");
            assertThat(line(client, "commandstats", "cmdstat_hlen")).endsWith("failed_calls=1");
            assertThat(line(client, "commandstats", "cmdstat_hincrby")).endsWith("failed_calls=1");
            assertThat(line(client, "errorstats", "errorstat_NOSPACE")).isEqualTo("errorstat_NOSPACE:count=1");
        }
    }

    /** The time until the reply is there counts, not the time until it is asked for. */
    @Test
    void aRequestThatWaitsIsTimedUntilItIsAnswered() throws Exception {
        HeldStore held = new HeldStore();
        try (TestDoor door = new TestDoor(held);
                RespClient client = door.respClient();
                RespClient other = door.respClient()) {
            long before = System.nanoTime();
            client.send(RespClient.request("HGET", "b", "k"));
            HeldStore.Held waiting = held.next();
            long asked = System.nanoTime();
            for (int i = 0; i < 50; i++) {
                assertThat(other.say("PING")).isEqualTo("PONG");
            }
            long waited = (System.nanoTime() - asked) / 1000;
            waiting.answer();
            assertThat(client.reply()).isEqualTo("\"k\"");
            long whole = (System.nanoTime() - before) / 1000;

            String usec = line(client, "commandstats", "cmdstat_hget").replaceAll(".*usec=([0-9]+).*", "$1");
            assertThat(Long.parseLong(usec)).isBetween(waited, whole + 1);
        }
    }

    @Test
    void infoTellsTheRoleTheTableTheTimeOfTheProcessorAndThatNoClientIsBlocked() throws Exception {
        try (TestDoor door = new TestDoor(STORE);
                RespClient client = door.respClient()) {
            assertThat(line(client, "routing", "kv_table_version")).isEqualTo("kv_table_version:none");
            assertThat(line(client, "replication", "role")).isEqualTo("role:master");
            assertThat(line(client, "clients", "blocked_clients")).isEqualTo("blocked_clients:0");
            assertThat(line(client, "cpu", "used_cpu_user")).matches("used_cpu_user:[0-9]+\\.[0-9]{6}");
            double before =
                    Double.parseDouble(line(client, "cpu", "used_cpu_user").substring("used_cpu_user:".length()));
            ThreadMXBean threads = ManagementFactory.getThreadMXBean();
            long endNanos = threads.getCurrentThreadUserTime() + 200_000_000;
            while (threads.getCurrentThreadUserTime() < endNanos) {
                for (int i = 0; i < 100_000; i++) {
                    Thread.onSpinWait();
                }
            }
            double after =
                    Double.parseDouble(line(client, "cpu", "used_cpu_user").substring("used_cpu_user:".length()));
            assertThat(after - before).isBetween(0.1, 60.0);
        }
    }

    @Test
    void theLineOfAClientHasTheFieldsOfRedis() throws Exception {
        try (TestDoor door = new TestDoor(STORE);
                RespClient client = door.respClient();
                RespClient other = door.respClient()) {
            other.say("MULTI");
            other.say("HSET b k v");
            String id = client.say("CLIENT ID").substring(1);
            assertThat(client.say("CLIENT INFO"))
                    .matches("\"id=" + id
                            + " addr=127.0.0.1:[0-9]+ laddr=127.0.0.1:[0-9]+ fd=-1 name= age=0 idle=0 flags=N db=0"
                            + " sub=0 psub=0 ssub=0 multi=-1 watch=0 qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0"
                            + " obl=0 oll=0 omem=0 tot-mem=0 events=r cmd=client\\|info user=default redir=-1 resp=2"
                            + " lib-name= lib-ver=\n\"");
            assertThat(client.say("CLIENT LIST"))
                    .containsPattern("flags=x db=0 .* multi=1 .* multi-mem=[1-9][0-9]* .* cmd=hset ");
        }
    }

    @Test
    void clientTrackingAndPauseAreRefusedWithAReason() throws Exception {
        try (TestDoor door = new TestDoor(STORE);
                RespClient client = door.respClient()) {
            assertThat(client.say("CLIENT TRACKING ON"))
                    .isEqualTo("ERR CLIENT TRACKING is not supported: turn off the cache of the client library,"
                            + " which is not told of changes");
            assertThat(client.say("CLIENT PAUSE 100"))
                    .isEqualTo("ERR CLIENT PAUSE is not supported: it would hold back the clients of this node alone");
            assertThat(client.say("CLIENT NO-TOUCH ON")).isEqualTo("OK");
            assertThat(client.say("CLIENT NO-TOUCH x")).isEqualTo("ERR syntax error");
        }
    }

    @Test
    void aClientThatWantsNoRepliesGetsNoneOfThoseThatComeLater() throws Exception {
        HeldStore held = new HeldStore();
        try (TestDoor door = new TestDoor(held);
                RespClient client = door.respClient()) {
            client.send(RespClient.request("HGET", "b", "first")
                    + RespClient.request("CLIENT", "REPLY", "SKIP")
                    + RespClient.request("HGET", "b", "second")
                    + RespClient.request("HGET", "b", "third")
                    + RespClient.request("CLIENT", "REPLY", "OFF")
                    + RespClient.request("EXISTS", "b", "c")
                    + RespClient.request("CLIENT", "REPLY", "ON"));
            HeldStore.Held first = held.next();
            List<HeldStore.Held> others = List.of(held.next(), held.next());
            others.reversed().forEach(HeldStore.Held::answer);
            first.answer();

            assertThat(client.reply()).isEqualTo("\"first\"");
            assertThat(client.reply()).isEqualTo("\"third\"");
            assertThat(client.reply()).isEqualTo("OK");
        }
    }
}
