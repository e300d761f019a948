package dev.kv.benchmarks;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** What load costs: the memory that a node takes, and how long other clients wait. */
final class LoadedNode {
    /** After so long without requests a node has given back what it took under load. */
    private static final Duration AT_REST = Duration.ofSeconds(30);

    /** How long clients leave their replies unread. */
    private static final Duration UNREAD_FOR = Duration.ofSeconds(8);

    private static final int BYSTANDERS_KEYS = 3_000_000;
    private static final int BYSTANDERS_NAMED = 200_000;

    private final Servers servers;

    LoadedNode(Servers servers) {
        this.servers = servers;
    }

    /** At rest, and with a million entries in a thousand buckets. */
    void memory() throws Exception {
        try (Side kv = servers.kv("kv-memory")) {
            Thread.sleep(AT_REST.toMillis());
            System.out.printf(
                    Locale.ROOT,
                    "%-62s %-9s %6.1f MB%n",
                    "resident at rest",
                    "<= 100",
                    kv.servers().getFirst().megabytes("VmRSS"));
            fill(kv);
            Thread.sleep(AT_REST.toMillis());
            System.out.printf(
                    Locale.ROOT,
                    "%-62s %-9s %6.1f MB%n",
                    "anonymous resident, 1 000 000 entries",
                    "<= Redis",
                    kv.servers().getFirst().megabytes("RssAnon"));
        }
        Optional<Side> theirs = servers.redis("redis-memory", "everysec");
        if (theirs.isPresent()) {
            try (Side redis = theirs.get()) {
                fill(redis);
                System.out.printf(
                        Locale.ROOT,
                        "%-62s %-9s %6.1f MB%n",
                        "resident of Redis, 1 000 000 entries",
                        "",
                        redis.servers().getFirst().megabytes("VmRSS"));
            }
        }
    }

    private static double millis(Duration duration) {
        return duration.toNanos() / 1e6;
    }

    void bystanders() throws Exception {
        try (Side kv = servers.kv("kv-bystanders")) {
            Bystanders bystanders = new Bystanders(kv.port());
            bystanders.fill(BYSTANDERS_KEYS);
            for (Bystanders.Scenario scenario : Bystanders.scenarios(BYSTANDERS_KEYS, BYSTANDERS_NAMED)) {
                Bystanders.Waits waits = bystanders.during(scenario);
                System.out.printf(
                        Locale.ROOT,
                        "%-62s %-9s %6.1f ms  (writer %.1f, clients of the bucket %.1f, the command %.0f)%n",
                        scenario.name() + ": longest wait of another client",
                        "<= 50",
                        millis(waits.reader()),
                        millis(waits.writer()),
                        millis(waits.ofBucket()),
                        millis(waits.took()));
            }
        }
    }

    /** Large replies through a node that keeps no buckets: to clients that read them, and to clients that do not. */
    void replies() throws Exception {
        try (Side kv = servers.twoNodes("*=back@localhost")) {
            Bystanders bystanders = new Bystanders(kv.port());
            bystanders.fillLarge();
            List<String> fields = List.of("HGETALL", "fields");
            List<String> one = List.of("HGET", "one", "value");
            // What is not compiled yet takes ten times as long.
            bystanders.duringReplies(20, fields);
            bystanders.duringReplies(20, one);
            tell("20 x HGETALL of 64 MiB", kv, bystanders.duringReplies(20, fields));
            tell("20 x HGET of 64 MiB", kv, bystanders.duringReplies(20, one));
            tell("200 x HGET of 64 MiB, never read", kv, bystanders.duringUnread(200, one, UNREAD_FOR));
        }
    }

    private static void tell(String what, Side kv, Bystanders.Waits waits) throws IOException {
        System.out.printf(
                Locale.ROOT,
                "%-62s %-9s %6.1f ms  (writer %.1f, all of them %.0f; anonymous memory %.0f and %.0f MB)%n",
                what + ": longest wait of another client",
                "<= 100",
                millis(waits.reader()),
                millis(waits.writer()),
                millis(waits.took()),
                kv.servers().getFirst().megabytes("RssAnon"),
                kv.servers().getLast().megabytes("RssAnon"));
    }

    /** A million entries of 16-byte keys and 64-byte values in a thousand buckets, sent ahead on one connection. */
    private static void fill(Side side) throws IOException {
        int entries = 1_000_000;
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), side.port())) {
            OutputStream output = new BufferedOutputStream(socket.getOutputStream(), 1 << 16);
            InputStream input = new BufferedInputStream(socket.getInputStream(), 1 << 16);
            int answered = 0;
            for (int sent = 0; sent < entries; sent++) {
                String bucket = "bucket-%03d".formatted(sent % 1000);
                String key = "key-%012d".formatted(sent);
                output.write("*4\r\n$4\r\nHSET\r\n$10\r\n%s\r\n$16\r\n%s\r\n$64\r\n%s\r\n"
                        .formatted(bucket, key, RedisBenchmark.VALUE)
                        .getBytes(UTF_8));
                if (sent % 100 == 99) {
                    output.flush();
                    for (; answered <= sent; answered++) {
                        if (!new String(input.readNBytes(4), UTF_8).equals(":1\r\n")) {
                            throw new IOException("HSET was not answered with 1");
                        }
                    }
                }
            }
        }
    }
}
