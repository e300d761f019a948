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

    /** What a million of are written, each with a value of 64 bytes: one request, without the value. */
    private enum Kind {
        ENTRIES(
                "entries",
                "*4\r\n$4\r\nHSET\r\n$10\r\nbucket-%2$03d\r\n$16\r\nkey-%1$012d\r\n$64\r\n%3$s\r\n",
                ":1\r\n"),
        VALUES("values", "*3\r\n$3\r\nSET\r\n$16\r\nkey-%1$012d\r\n$64\r\n%3$s\r\n", "+OK\r\n"),
        EXPIRING(
                "values that expire",
                "*5\r\n$3\r\nSET\r\n$16\r\nkey-%1$012d\r\n$64\r\n%3$s\r\n$2\r\nEX\r\n$5\r\n86400\r\n",
                "+OK\r\n");

        private final String text;
        private final String request;
        private final String reply;

        Kind(String text, String request, String reply) {
            this.text = text;
            this.request = request;
            this.reply = reply;
        }

        byte[] request(int number) {
            return request.formatted(number, number % 1000, RedisBenchmark.VALUE)
                    .getBytes(UTF_8);
        }
    }

    /** At rest, and with a million entries in a thousand buckets, or a million values. */
    void memory() throws Exception {
        for (Kind kind : Kind.values()) {
            try (Side kv = servers.kv("kv-memory-" + kind)) {
                if (kind == Kind.ENTRIES) {
                    Thread.sleep(AT_REST.toMillis());
                    tell("resident at rest", "<= 100", kv, "VmRSS");
                }
                fill(kv, kind);
                Thread.sleep(AT_REST.toMillis());
                tell("anonymous resident, 1 000 000 " + kind.text, "<= Redis", kv, "RssAnon");
            }
            Optional<Side> theirs = servers.redis("redis-memory-" + kind, "everysec");
            if (theirs.isPresent()) {
                try (Side redis = theirs.get()) {
                    fill(redis, kind);
                    tell("resident of Redis, 1 000 000 " + kind.text, "", redis, "VmRSS");
                }
            }
        }
    }

    private static void tell(String what, String aim, Side side, String figure) throws IOException {
        System.out.printf(
                Locale.ROOT,
                "%-62s %-9s %6.1f MB%n",
                what,
                aim,
                side.servers().getFirst().megabytes(figure));
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

    /** A million of a kind, sent ahead on one connection. */
    private static void fill(Side side, Kind kind) throws IOException {
        int entries = 1_000_000;
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), side.port())) {
            OutputStream output = new BufferedOutputStream(socket.getOutputStream(), 1 << 16);
            InputStream input = new BufferedInputStream(socket.getInputStream(), 1 << 16);
            int answered = 0;
            for (int sent = 0; sent < entries; sent++) {
                output.write(kind.request(sent));
                if (sent % 100 == 99) {
                    output.flush();
                    for (; answered <= sent; answered++) {
                        String reply = new String(input.readNBytes(kind.reply.length()), UTF_8);
                        if (!reply.equals(kind.reply)) {
                            throw new IOException("answered " + reply);
                        }
                    }
                }
            }
        }
    }
}
