package dev.kv.acceptance;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.Cluster;
import dev.kv.acceptance.harness.RedisServer;
import dev.kv.server.testing.RespClient;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The replies of the documentation of Redis, compared with those of a combined node, a server node and Redis itself. */
@Timeout(60)
final class RedisExamplesTest {
    private static Cluster cluster;
    private static List<Part> parts;

    @TempDir
    private static Path folder;

    @BeforeAll
    static void start() throws IOException {
        cluster = new Cluster(folder.resolve("nodes"), "foo", "front");
        cluster.node("front").keepNoData();
        cluster.start("*=foo@h");
        parts = Part.all();
    }

    @AfterAll
    static void close() {
        cluster.close();
    }

    static Stream<Part> parts() throws IOException {
        return Part.all().stream();
    }

    @ParameterizedTest
    @MethodSource("parts")
    void aNodeAnswersAsRedisDoes(Part part) throws IOException {
        part.holdAt(cluster.node("foo").clients());
    }

    @ParameterizedTest
    @MethodSource("parts")
    void aNodeThatKeepsNoDataAnswersTheSame(Part part) throws IOException {
        part.holdAt(cluster.node("front").clients());
    }

    @Test
    void redisItselfAnswersLikeThis() throws Exception {
        try (RedisServer redis = RedisServer.start(folder)) {
            for (Part part : parts) {
                part.holdAt(redis.address());
            }
        }
    }

    private record Exchange(int line, List<String> words, String reply, boolean anyOrder) {
        void check(String got) {
            if (anyOrder) {
                assertThat(sorted(got)).as(toString()).isEqualTo(sorted(reply));
            } else {
                assertThat(got).as(toString()).isEqualTo(reply);
            }
        }

        private static List<String> sorted(String reply) {
            return Arrays.stream(reply.split("[\\[\\] ]")).sorted().toList();
        }

        @Override
        public String toString() {
            return "line " + line + ", " + words;
        }
    }

    /** Requests to an empty server, and the expected replies. */
    record Part(List<Exchange> exchanges) {
        private static final Pattern WORD = Pattern.compile("\"([^\"]*)\"|(\\S+)");

        static List<Part> all() throws IOException {
            List<String> lines;
            try (InputStream in = RedisExamplesTest.class.getResourceAsStream("/redis/commands.txt")) {
                lines = new String(in.readAllBytes(), UTF_8).lines().toList();
            }
            List<Part> all = new ArrayList<>();
            List<Exchange> exchanges = new ArrayList<>();
            for (int i = 0; i < lines.size(); i++) {
                String line = lines.get(i);
                if (line.startsWith("> ") || line.startsWith("?> ")) {
                    boolean anyOrder = line.startsWith("?");
                    exchanges.add(
                            new Exchange(i + 1, words(line.substring(anyOrder ? 3 : 2)), lines.get(++i), anyOrder));
                } else if (line.startsWith("----")) {
                    all.add(new Part(exchanges));
                    exchanges = new ArrayList<>();
                } else if (!line.isEmpty() && !line.startsWith("#")) {
                    throw new IllegalArgumentException("line " + (i + 1) + ": " + line);
                }
            }
            all.add(new Part(exchanges));
            return all;
        }

        private static List<String> words(String request) {
            List<String> words = new ArrayList<>();
            Matcher word = WORD.matcher(request);
            while (word.find()) {
                words.add(word.group(1) == null ? word.group(2) : word.group(1));
            }
            return words;
        }

        /** Sends the requests twice: each after the reply before it, and all at once. */
        void holdAt(InetSocketAddress address) throws IOException {
            forgetAll(address);
            try (RespClient client = new RespClient(address)) {
                for (Exchange exchange : exchanges) {
                    exchange.check(client.ask(exchange.words.toArray(String[]::new)));
                }
            }
            forgetAll(address);
            try (RespClient client = new RespClient(address)) {
                StringBuilder requests = new StringBuilder();
                exchanges.forEach(
                        exchange -> requests.append(RespClient.request(exchange.words.toArray(String[]::new))));
                client.send(requests.toString());
                for (Exchange exchange : exchanges) {
                    exchange.check(client.reply());
                }
            }
        }

        private static void forgetAll(InetSocketAddress address) throws IOException {
            try (RespClient client = new RespClient(address)) {
                String names = client.say("KEYS *");
                if (!names.equals("[]")) {
                    List<String> drop = new ArrayList<>(words(names.substring(1, names.length() - 1)));
                    drop.addFirst("DEL");
                    client.ask(drop.toArray(String[]::new));
                }
            }
        }

        @Override
        public String toString() {
            return exchanges.getFirst().toString();
        }
    }
}
