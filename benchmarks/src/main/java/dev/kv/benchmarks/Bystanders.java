package dev.kv.benchmarks;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.IntFunction;

/** How long other clients wait while one client runs a command on a bucket of 3 000 000 keys. */
final class Bystanders {
    private static final int KEYS = 3_000_000;

    /** What the commands that name keys name. */
    private static final int NAMED = 200_000;

    private static final int KEYS_AT_ONCE = 500;
    private static final int REQUESTS_AHEAD = 50;

    /** A bystander asks at this interval, so that two of them leave the processors to the command. */
    private static final Duration PAUSE = Duration.ofMillis(1);

    private final int port;

    private Bystanders(int port) {
        this.port = port;
    }

    /** Measures a node at a port of this host, which holds nothing. */
    static void measure(int port) throws Exception {
        new Bystanders(port).measure();
    }

    private void measure() throws Exception {
        try (Client client = new Client(port)) {
            client.ask("HSET", "other", "k", "v");
            fill(client);
            Map<String, String[]> commands = new LinkedHashMap<>();
            commands.put("PING, for comparison", new String[] {"PING"});
            commands.put("HGETALL", new String[] {"HGETALL", "huge"});
            commands.put("HKEYS", new String[] {"HKEYS", "huge"});
            commands.put("HSCAN COUNT 3000000", new String[] {"HSCAN", "huge", "0", "COUNT", "" + KEYS});
            commands.put("SCAN COUNT 3000000", new String[] {"SCAN", "0", "COUNT", "" + KEYS});
            commands.put("KEYS *", new String[] {"KEYS", "*"});
            commands.put("HRANDFIELD -200000", new String[] {"HRANDFIELD", "huge", "-200000"});
            commands.put("HMGET of 200 000 keys", words("HMGET", NAMED, i -> "key" + i));
            commands.put(
                    "HSET of 200 000 pairs",
                    words("HSET", 2 * NAMED, i -> i % 2 == 0 ? "key" + i / 2 * 7 : "changed" + i));
            commands.put("HDEL of 200 000 keys", words("HDEL", NAMED, i -> "key" + i * 3));
            commands.put("RENAME", new String[] {"RENAME", "huge", "renamed"});
            commands.put("DEL", new String[] {"DEL", "renamed"});
            for (Map.Entry<String, String[]> command : commands.entrySet()) {
                measure(client, command.getKey(), command.getValue());
            }
        }
    }

    private static String[] words(String command, int count, IntFunction<String> word) {
        String[] words = new String[count + 2];
        words[0] = command;
        words[1] = "huge";
        for (int i = 0; i < count; i++) {
            words[i + 2] = word.apply(i);
        }
        return words;
    }

    private static void fill(Client client) throws IOException {
        int ahead = 0;
        for (int first = 0; first < KEYS; first += KEYS_AT_ONCE) {
            int from = first;
            client.send(
                    words("HSET", 2 * KEYS_AT_ONCE, i -> i % 2 == 0 ? "key" + (from + i / 2) : "value" + (from + i)));
            ahead++;
            if (ahead == REQUESTS_AHEAD || first + KEYS_AT_ONCE >= KEYS) {
                client.flush();
                for (; ahead > 0; ahead--) {
                    client.skipReply();
                }
            }
        }
    }

    private void measure(Client client, String name, String[] request) throws Exception {
        AtomicBoolean isDone = new AtomicBoolean();
        try (ExecutorService threads = Executors.newCachedThreadPool()) {
            List<Future<Double>> longest = new ArrayList<>();
            longest.add(threads.submit(() -> longestMillis(isDone, "HGET", "other", "k")));
            longest.add(threads.submit(() -> longestMillis(isDone, "HSET", "other", "k", "v")));
            longest.add(threads.submit(() -> longestMillis(isDone, "HGET", "huge", "key1")));
            long start = System.nanoTime();
            try {
                client.ask(request);
            } finally {
                isDone.set(true);
            }
            double took = (System.nanoTime() - start) / 1e6;
            System.out.printf(
                    Locale.ROOT,
                    "%-62s %-9s %6.1f ms  (writer %.1f, reader of the bucket %.1f, the command %.0f)%n",
                    name + ": longest wait of another client",
                    "<= 50",
                    longest.get(0).get(),
                    longest.get(1).get(),
                    longest.get(2).get(),
                    took);
        }
    }

    private double longestMillis(AtomicBoolean isDone, String... request) throws Exception {
        long longest = 0;
        try (Client client = new Client(port)) {
            client.ask(request);
            do {
                long start = System.nanoTime();
                client.ask(request);
                longest = Math.max(longest, System.nanoTime() - start);
                Thread.sleep(PAUSE);
            } while (!isDone.get());
        }
        return longest / 1e6;
    }

    /** A client that reads replies and forgets them. */
    private static final class Client implements AutoCloseable {
        private final Socket socket;
        private final InputStream input;
        private final OutputStream output;

        Client(int port) throws IOException {
            socket = new Socket(InetAddress.getLoopbackAddress(), port);
            socket.setTcpNoDelay(true);
            input = new BufferedInputStream(socket.getInputStream(), 1 << 16);
            output = new BufferedOutputStream(socket.getOutputStream(), 1 << 16);
        }

        void send(String... words) throws IOException {
            output.write(("*" + words.length + "\r\n").getBytes(ISO_8859_1));
            for (String word : words) {
                output.write(("$" + word.length() + "\r\n" + word + "\r\n").getBytes(ISO_8859_1));
            }
        }

        void flush() throws IOException {
            output.flush();
        }

        void ask(String... words) throws IOException {
            send(words);
            flush();
            skipReply();
        }

        void skipReply() throws IOException {
            String line = line();
            switch (line.charAt(0)) {
                case '$' -> {
                    int bytes = Integer.parseInt(line.substring(1));
                    if (bytes >= 0) {
                        input.skipNBytes(bytes + 2L);
                    }
                }
                case '*' -> {
                    for (int n = Integer.parseInt(line.substring(1)); n > 0; n--) {
                        skipReply();
                    }
                }
                case '-' -> throw new IOException("the node answered " + line);
                default -> {}
            }
        }

        private String line() throws IOException {
            StringBuilder line = new StringBuilder();
            for (int next = input.read(); next != '\n'; next = input.read()) {
                if (next < 0) {
                    throw new EOFException();
                }
                line.append((char) next);
            }
            return line.substring(0, line.length() - 1);
        }

        @Override
        public void close() throws IOException {
            socket.close();
        }
    }
}
