package dev.kv.acceptance;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.Cluster;
import dev.kv.acceptance.harness.Cluster.Member;
import dev.kv.acceptance.harness.Model;
import dev.kv.acceptance.harness.Model.Outcome;
import dev.kv.router.testing.Await;
import dev.kv.router.testing.Firewall;
import dev.kv.server.testing.LineClient;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Random pipelined commands on three nodes, compared with a map. Several clients run at once. Each has its own buckets, and one
 * connection to every node for the whole test. {@code -Dkv.seed=NUMBER} repeats the same commands.
 */
@Timeout(600)
class ClusterModelTest {
    private static final long SEED = Long.getLong("kv.seed", new Random().nextLong());
    private static final int CLIENTS = 3;
    private static final int BUCKETS_PER_CLIENT = 8;
    private static final int KEYS = 12;
    private static final int BATCH_MAX = 30;

    private Cluster cluster;

    @BeforeEach
    void makeNodes(@TempDir Path folder) throws IOException {
        System.out.println("ClusterModelTest: repeat with -Dkv.seed=" + SEED);
        cluster = new Cluster(folder, "foo", "bar", "baz");
    }

    @AfterEach
    void close() {
        cluster.close();
    }

    /** Starts the nodes with tables that put some buckets two hops away. */
    private void start(Duration timeout) {
        cluster.set("kv.router.timeout", timeout.toMillis() + "ms");
        cluster.node("foo").start("a..i=foo@h,j..r=bar@h,s..z=baz@h");
        cluster.node("bar").start("j..r=bar@h,*=foo@h");
        cluster.node("baz").start("s..z=baz@h,*=foo@h");
    }

    @Test
    void threeNodesAnswerAsAMapDoes() throws Exception {
        start(Duration.ofSeconds(20));
        runClients(Duration.ofSeconds(3), false);
    }

    @Test
    void threeNodesNeverContradictAMapWhileLinksFail() throws Exception {
        start(Duration.ofMillis(300));
        runClients(Duration.ofSeconds(8), true);
    }

    @Test
    @Tag("soak")
    void threeNodesNeverContradictAMapThroughMinutesOfFailingLinks() throws Exception {
        start(Duration.ofMillis(300));
        runClients(Duration.ofMinutes(5), true);
    }

    private void runClients(Duration time, boolean failing) throws Exception {
        long endNanos = System.nanoTime() + time.toNanos();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<?> failures = threads.submit(() -> {
                if (failing) {
                    breakLinks(endNanos);
                }
            });
            List<Future<Boolean>> clients = new ArrayList<>();
            for (int i = 0; i < CLIENTS; i++) {
                Client client = new Client(i, failing);
                clients.add(threads.submit(() -> client.run(endNanos, failures)));
            }
            for (Future<Boolean> client : clients) {
                try {
                    assertThat(client.get()).isTrue();
                } catch (ExecutionException e) {
                    throw new AssertionError("with -Dkv.seed=" + SEED, e.getCause());
                }
            }
        }
    }

    private void breakLinks(long endNanos) {
        Random random = new Random(SEED - 1);
        List<Firewall> links = cluster.links();
        while (System.nanoTime() < endNanos) {
            Firewall link = links.get(random.nextInt(links.size()));
            switch (random.nextInt(4)) {
                case 0 -> link.cut();
                case 1 -> link.silence();
                case 2 -> link.throttle(1 + random.nextInt(4096), 1 + random.nextInt(20));
                default -> link.open();
            }
            LockSupport.parkNanos(Duration.ofMillis(random.nextInt(150)).toNanos());
            if (random.nextInt(4) == 0) {
                links.forEach(Firewall::open);
            }
        }
        links.forEach(Firewall::open);
    }

    /** One client and the model of its buckets. */
    private final class Client {
        private final Random random;
        private final boolean failing;
        private final Model model = new Model();
        private final List<String> buckets = new ArrayList<>();
        private final List<String> keys = new ArrayList<>();
        private long written;
        private int failures;

        Client(int number, boolean failing) {
            this.random = new Random(SEED + number);
            this.failing = failing;
            for (int i = 0; i < BUCKETS_PER_CLIENT; i++) {
                buckets.add((char) ('a' + random.nextInt(26)) + "-" + number + "-" + i + word());
            }
            for (int i = 0; i < KEYS; i++) {
                keys.add(i + word());
            }
        }

        /** Random bytes that may stand in a word of a line. */
        private String word() {
            byte[] bytes = new byte[random.nextInt(20)];
            for (int i = 0; i < bytes.length; i++) {
                int b = random.nextInt(256);
                bytes[i] = (byte) (b == ' ' || (b >= '\t' && b <= '\r') ? '_' : b);
            }
            return new String(bytes, ISO_8859_1);
        }

        private String value() {
            String value = written++ + word();
            return random.nextInt(50) == 0 ? value + "v".repeat(random.nextInt(200_000)) : value;
        }

        boolean run(long endNanos, Future<?> linksFail) throws Exception {
            List<LineClient> connections = new ArrayList<>();
            for (Member node : cluster.nodes()) {
                connections.add(node.connect());
            }
            while (System.nanoTime() < endNanos) {
                batch(connections.get(random.nextInt(connections.size())));
            }
            linksFail.get();
            if (failing) {
                assertThat(failures).as("failures seen by a client").isPositive();
                awaitServed(connections);
            }
            readAll(connections);
            for (LineClient connection : connections) {
                connection.close();
            }
            return true;
        }

        private void awaitServed(List<LineClient> connections) throws Exception {
            for (LineClient connection : connections) {
                for (String bucket : buckets) {
                    Await.until(
                            "all links work",
                            () -> connection.ask("CREATE " + bucket).equals("OK"));
                }
            }
            buckets.forEach(bucket -> model.created(bucket, Outcome.OK));
        }

        /** Sends several commands in one write and updates the model from their replies. */
        private void batch(LineClient connection) throws IOException {
            StringBuilder requests = new StringBuilder();
            List<Expectation> expectations = new ArrayList<>();
            for (int i = random.nextInt(BATCH_MAX); i >= 0; i--) {
                String bucket = buckets.get(random.nextInt(buckets.size()));
                String key = keys.get(random.nextInt(keys.size()));
                switch (random.nextInt(12)) {
                    case 0 -> {
                        requests.append("CREATE " + bucket + "\r\n");
                        expectations.add(replies -> model.created(bucket, outcome(replies.line())));
                    }
                    case 1 -> {
                        requests.append("DELETE " + bucket + " " + key + "\r\n");
                        expectations.add(
                                replies -> model.wrote(bucket, key, Optional.empty(), outcome(replies.line())));
                    }
                    case 2, 3, 4, 5 -> {
                        String value = value();
                        requests.append("PUT " + bucket + " " + key + " " + value + "\r\n");
                        expectations.add(
                                replies -> model.wrote(bucket, key, Optional.of(value), outcome(replies.line())));
                    }
                    default -> {
                        requests.append("GET " + bucket + " " + key + "\r\n");
                        expectations.add(replies -> read(replies, bucket, key));
                    }
                }
            }
            connection.send(requests.toString());
            for (Expectation expectation : expectations) {
                expectation.meet(connection);
            }
        }

        private void read(LineClient replies, String bucket, String key) throws IOException {
            String line = replies.line();
            if (line.equals("NOT FOUND") || line.startsWith("ERROR ")) {
                model.read(bucket, key, Optional.empty(), outcome(line));
            } else {
                assertThat(replies.line()).isEqualTo("OK");
                model.read(bucket, key, line.isEmpty() ? Optional.empty() : Optional.of(line), Outcome.OK);
            }
        }

        private Outcome outcome(String line) {
            if (line.equals("OK")) {
                return Outcome.OK;
            }
            if (line.equals("NOT FOUND")) {
                return Outcome.NOT_FOUND;
            }
            assertThat(failing).as(line).isTrue();
            failures++;
            assertThat(line).matches("ERROR (UNREACHABLE|UNCERTAIN) .*");
            return line.startsWith("ERROR UNREACHABLE ") ? Outcome.NOT_RUN : Outcome.UNCERTAIN;
        }

        /** Reads every key on every node; the model checks each value. */
        private void readAll(List<LineClient> connections) throws IOException {
            for (String bucket : buckets) {
                for (String key : keys) {
                    for (LineClient connection : connections) {
                        connection.send("GET " + bucket + " " + key + "\r\n");
                        read(connection, bucket, key);
                    }
                }
            }
        }
    }

    /** Reads and checks the replies of one command. */
    @FunctionalInterface
    private interface Expectation {
        void meet(LineClient replies) throws IOException;
    }
}
