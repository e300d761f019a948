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
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.IntFunction;

/**
 * How long other clients of a node wait while one client runs a command on a large bucket, or many clients ask for large replies. The node listens at a port of this host. The
 * acceptance tests run the same commands on a smaller bucket.
 */
public final class Bystanders {
    private static final int KEYS_AT_ONCE = 500;
    private static final int REQUESTS_AHEAD = 50;
    private static final int LARGE_BYTES = 64 << 20;
    private static final int LARGE_FIELDS = 2_048;

    /** A bystander asks at this interval, so that they leave the processors to the command. */
    private static final Duration PAUSE = Duration.ofMillis(1);

    private final int port;

    /**
     * A command of one client.
     *
     * @param isRead whether it leaves the bucket as it is: then clients of the bucket do not wait either. Else they wait until all of the
     *     change is in force
     * @param isLast whether it can run only once, since the bucket has another name then, or is gone
     */
    public record Scenario(String name, boolean isRead, boolean isLast, List<String> request) {}

    /**
     * The longest waits during one command.
     *
     * @param reader of an HGET of another bucket
     * @param writer of an HSET of another bucket
     * @param ofBucket of an HGET of the same bucket, and of an HSET there if the command is a read
     * @param took the time that the command took
     */
    public record Waits(Duration reader, Duration writer, Duration ofBucket, Duration took) {}

    /**
     * @param port of the node
     */
    public Bystanders(int port) {
        this.port = port;
    }

    /** Makes a bucket {@code huge} of so many keys, and another one. */
    public void fill(int keys) throws IOException {
        try (Client client = new Client(port)) {
            client.ask(List.of("HSET", "other", "k", "v"));
            int ahead = 0;
            for (int first = 0; first < keys; first += KEYS_AT_ONCE) {
                int from = first;
                client.send(words(
                        "HSET", 2 * KEYS_AT_ONCE, i -> i % 2 == 0 ? "key" + (from + i / 2) : "value" + (from + i)));
                ahead++;
                if (ahead == REQUESTS_AHEAD || first + KEYS_AT_ONCE >= keys) {
                    client.flush();
                    for (; ahead > 0; ahead--) {
                        client.skipReply();
                    }
                }
            }
        }
    }

    /**
     * The commands, in the order in which they are to be run.
     *
     * @param keys the keys of the bucket
     * @param named how many the commands name that name keys, less than a third of them
     */
    public static List<Scenario> scenarios(int keys, int named) {
        return List.of(
                read("PING, for comparison", "PING"),
                read("HGETALL", "HGETALL", "huge"),
                read("HKEYS", "HKEYS", "huge"),
                read("HVALS", "HVALS", "huge"),
                read("HSCAN COUNT " + keys, "HSCAN", "huge", "0", "COUNT", "" + keys),
                read("SCAN COUNT " + keys, "SCAN", "0", "COUNT", "" + keys),
                read("KEYS *", "KEYS", "*"),
                read("HRANDFIELD -" + named, "HRANDFIELD", "huge", "-" + named),
                read("HRANDFIELD " + named, "HRANDFIELD", "huge", "" + named),
                new Scenario("HMGET of " + named + " keys", true, false, words("HMGET", named, i -> "key" + i)),
                new Scenario("EXISTS of " + named + " names", true, false, words("EXISTS", named, i -> "name" + i)),
                new Scenario(
                        "HSET of " + named + " pairs",
                        false,
                        false,
                        words("HSET", 2 * named, i -> i % 2 == 0 ? "key" + i / 2 * 3 : "changed" + i)),
                new Scenario("HDEL of " + named + " keys", false, false, words("HDEL", named, i -> "key" + i * 3)),
                new Scenario("HEXPIRE of " + named + " keys", false, false, expiring(named)),
                new Scenario("COPY", true, true, List.of("COPY", "huge", "copy")),
                new Scenario("COPY in the place of the copy", true, true, List.of("COPY", "huge", "copy", "REPLACE")),
                new Scenario("DEL", true, true, List.of("DEL", "copy")),
                new Scenario("RENAME", false, true, List.of("RENAME", "huge", "renamed")),
                new Scenario("COPY of what was renamed", false, true, List.of("COPY", "renamed", "copy")),
                new Scenario("RENAME in the place of the copy", false, true, List.of("RENAME", "renamed", "copy")),
                new Scenario("FLUSHALL", false, true, List.of("FLUSHALL")));
    }

    private static List<String> expiring(int count) {
        List<String> request = new ArrayList<>(List.of("HEXPIRE", "huge", "1000", "FIELDS", "" + count));
        for (int i = 0; i < count; i++) {
            request.add("key" + (3 * i + 1));
        }
        return request;
    }

    private static Scenario read(String name, String... request) {
        return new Scenario(name, true, false, List.of(request));
    }

    private static List<String> words(String command, int count, IntFunction<String> word) {
        List<String> words = new ArrayList<>(List.of(command, "huge"));
        for (int i = 0; i < count; i++) {
            words.add(word.apply(i));
        }
        return words;
    }

    /** Has one client send the request of the scenario, and others go on meanwhile. */
    public Waits during(Scenario scenario) throws Exception {
        AtomicBoolean isDone = new AtomicBoolean();
        try (ExecutorService threads = Executors.newCachedThreadPool();
                Client client = new Client(port)) {
            client.ask(List.of("PING"));
            Future<Duration> reader = threads.submit(() -> longestWait(isDone, "HGET", "other", "k"));
            Future<Duration> writer = threads.submit(() -> longestWait(isDone, "HSET", "other", "k", "v"));
            List<Future<Duration>> ofBucket = new ArrayList<>();
            ofBucket.add(threads.submit(() -> longestWait(isDone, "HGET", "huge", "key1")));
            if (scenario.isRead()) {
                ofBucket.add(threads.submit(() -> longestWait(isDone, "HSET", "huge", "key2", "v")));
            }
            long start = System.nanoTime();
            try {
                client.ask(scenario.request());
            } finally {
                isDone.set(true);
            }
            Duration took = Duration.ofNanos(System.nanoTime() - start);
            Duration longest = Duration.ZERO;
            for (Future<Duration> wait : ofBucket) {
                longest = wait.get().compareTo(longest) > 0 ? wait.get() : longest;
            }
            return new Waits(reader.get(), writer.get(), longest, took);
        }
    }

    /** Makes a bucket {@code fields} of 2 048 values of 32 KiB, a bucket {@code one} with a value of 64 MiB, and another one. */
    public void fillLarge() throws IOException {
        try (Client client = new Client(port)) {
            client.ask(List.of("HSET", "other", "k", "v"));
            String value = "v".repeat(LARGE_BYTES / LARGE_FIELDS);
            for (int i = 0; i < LARGE_FIELDS; i++) {
                client.ask(List.of("HSET", "fields", "field" + i, value));
            }
            client.ask(List.of("HSET", "one", "value", "v".repeat(LARGE_BYTES)));
        }
    }

    /** Has so many clients send the request at once and read the replies, and others go on meanwhile. */
    public Waits duringReplies(int clients, List<String> request) throws Exception {
        List<Client> opened = open(clients);
        try (ExecutorService threads = Executors.newCachedThreadPool()) {
            return meanwhile(threads, () -> {
                List<Future<?>> replies = new ArrayList<>();
                for (Client client : opened) {
                    replies.add(threads.submit(() -> {
                        client.ask(request);
                        return null;
                    }));
                }
                for (Future<?> reply : replies) {
                    reply.get();
                }
                return null;
            });
        } finally {
            close(opened);
        }
    }

    /** Has one client send the request so many times at once and read the replies, while others are connected and yet others go on. */
    public Waits duringPipeline(int times, List<String> request, int connected) throws Exception {
        List<Client> opened = open(connected);
        try (ExecutorService threads = Executors.newCachedThreadPool();
                Client client = new Client(port)) {
            client.ask(List.of("HSET", "other", "k", "v"));
            return meanwhile(threads, () -> {
                for (int i = 0; i < times; i++) {
                    client.send(request);
                }
                client.flush();
                for (int i = 0; i < times; i++) {
                    client.skipReply();
                }
                return null;
            });
        } finally {
            close(opened);
        }
    }

    /** Has so many clients send the request and read nothing for that time, and others go on meanwhile. */
    public Waits duringUnread(int clients, List<String> request, Duration time) throws Exception {
        List<Client> opened = open(clients);
        try (ExecutorService threads = Executors.newCachedThreadPool()) {
            return meanwhile(threads, () -> {
                for (Client client : opened) {
                    client.send(request);
                    client.flush();
                }
                Thread.sleep(time);
                return null;
            });
        } finally {
            close(opened);
        }
    }

    private List<Client> open(int clients) throws IOException {
        List<Client> opened = new ArrayList<>();
        for (int i = 0; i < clients; i++) {
            opened.add(new Client(port));
        }
        return opened;
    }

    private static void close(List<Client> clients) throws IOException {
        for (Client client : clients) {
            client.close();
        }
    }

    private Waits meanwhile(ExecutorService threads, Callable<Void> work) throws Exception {
        AtomicBoolean isDone = new AtomicBoolean();
        Future<Duration> reader = threads.submit(() -> longestWait(isDone, "HGET", "other", "k"));
        Future<Duration> writer = threads.submit(() -> longestWait(isDone, "HSET", "other", "k", "v"));
        long start = System.nanoTime();
        try {
            work.call();
        } finally {
            isDone.set(true);
        }
        Duration took = Duration.ofNanos(System.nanoTime() - start);
        return new Waits(reader.get(), writer.get(), Duration.ZERO, took);
    }

    private Duration longestWait(AtomicBoolean isDone, String... request) throws Exception {
        long longest = 0;
        try (Client client = new Client(port)) {
            client.ask(List.of(request));
            do {
                long start = System.nanoTime();
                client.ask(List.of(request));
                longest = Math.max(longest, System.nanoTime() - start);
                Thread.sleep(PAUSE);
            } while (!isDone.get());
        }
        return Duration.ofNanos(longest);
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

        void send(List<String> words) throws IOException {
            output.write(("*" + words.size() + "\r\n").getBytes(ISO_8859_1));
            for (String word : words) {
                output.write(("$" + word.length() + "\r\n" + word + "\r\n").getBytes(ISO_8859_1));
            }
        }

        void flush() throws IOException {
            output.flush();
        }

        void ask(List<String> words) throws IOException {
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
