package dev.kv.benchmarks;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * kv beside Redis on one machine, both driven by redis-benchmark, in turns: what is told is the ratio of medians. Programs that
 * are missing are named, and what needs them is left out.
 */
public final class RedisBenchmark {
    private static final int ROUNDS = 5;
    private static final int CONNECTIONS = 50;

    /** After so long without requests a node has given back what it took under load. */
    private static final Duration AT_REST = Duration.ofSeconds(30);

    private static final String VALUE = "v".repeat(64);

    private final Path release;
    private final Path folder;
    private final int scale;

    /** One measurement of a side. */
    private record Sample(double perSecond, double p99Millis, double cpuMicros) {}

    /** What runs against a side. */
    private record Load(String name, int requests, List<String> arguments) {}

    /** What is measured: the port to talk to, and the processes whose CPU counts. */
    private record Side(int port, List<Server> servers) implements AutoCloseable {
        double cpuSeconds() {
            return servers.stream().mapToDouble(Server::cpuSeconds).sum();
        }

        @Override
        public void close() {
            servers.reversed().forEach(Server::close);
        }
    }

    private RedisBenchmark(Path release, Path folder, int scale) {
        this.release = release;
        this.folder = folder;
        this.scale = scale;
    }

    /**
     * Runs the benchmarks.
     *
     * @param arguments an unpacked combined release; a folder for data; by how much to multiply the number of requests, in
     *     percent; then the names of benchmarks, none for all
     */
    public static void main(String[] arguments) throws Exception {
        Path folder = Files.createDirectories(Path.of(arguments[1])).toAbsolutePath();
        RedisBenchmark benchmark =
                new RedisBenchmark(Path.of(arguments[0]).toAbsolutePath(), folder, Integer.parseInt(arguments[2]));
        List<String> wanted = Arrays.asList(arguments).subList(3, arguments.length);
        for (String name : wanted.isEmpty()
                ? List.of("one", "always", "large", "many", "routed", "half", "lines", "memory", "bystanders")
                : wanted) {
            switch (name) {
                case "one" -> benchmark.one();
                case "always" -> benchmark.always();
                case "large" -> benchmark.large();
                case "many" -> benchmark.many();
                case "routed" -> benchmark.routed();
                case "half" -> benchmark.half();
                case "lines" -> benchmark.lines();
                case "memory" -> benchmark.memory();
                case "bystanders" -> benchmark.bystanders();
                default -> throw new IllegalArgumentException("no benchmark is called " + name);
            }
        }
    }

    private Side kv(String name, String... settings) throws Exception {
        int port = Server.freePort();
        return new Side(port, List.of(node(name, port, Server.freePort(), settings)));
    }

    private Server node(String name, int port, int peerPort, String... settings) throws Exception {
        Path dir = folder.resolve(name);
        List<String> command = new ArrayList<>(List.of(
                release.resolve("bin/kv").toString(),
                "run",
                "-Dkv.node.name=" + name + "@localhost",
                "-Dkv.node.dir=" + dir,
                "-Dkv.router.cookie-file=" + cookie(),
                "-Dkv.router.host=127.0.0.1",
                "-Dkv.router.port=" + peerPort,
                "-Dkv.server.port=" + port));
        for (String setting : settings) {
            command.add("-D" + setting);
        }
        return Server.start(folder.resolve(name + ".log"), port, command);
    }

    private Path cookie() throws IOException {
        Path cookie = folder.resolve("cookie");
        if (!Files.exists(cookie)) {
            Files.writeString(cookie, "the secret of the benchmarks");
            Files.setPosixFilePermissions(cookie, PosixFilePermissions.fromString("rw-------"));
        }
        return cookie;
    }

    private Optional<Side> redis(String name, String sync) throws Exception {
        if (isMissing("redis-server")) {
            return Optional.empty();
        }
        int port = Server.freePort();
        return Optional.of(new Side(port, List.of(redisServer(name, port, sync))));
    }

    private Server redisServer(String name, int port, String sync) throws Exception {
        Path dir = Files.createDirectories(folder.resolve(name));
        return Server.start(
                folder.resolve(name + ".log"),
                port,
                List.of(
                        "redis-server",
                        "--port",
                        String.valueOf(port),
                        "--bind",
                        "127.0.0.1",
                        "--dir",
                        dir.toString(),
                        "--save",
                        "",
                        "--appendonly",
                        sync.isEmpty() ? "no" : "yes",
                        "--appendfsync",
                        sync.isEmpty() ? "no" : sync));
    }

    private static boolean isMissing(String program) {
        boolean isThere = Arrays.stream(System.getenv("PATH").split(":"))
                .anyMatch(dir -> Files.isExecutable(Path.of(dir).resolve(program)));
        if (!isThere) {
            System.out.println("left out: " + program + " is not installed (Debian: redis, nutcracker, gcc)");
        }
        return !isThere;
    }

    private Load hset(int requests, String... more) {
        return load("HSET", requests, List.of("HSET", "bucket:__rand_int__", "field", VALUE), more);
    }

    private Load hget(int requests, String... more) {
        return load("HGET", requests, List.of("HGET", "bucket:__rand_int__", "field"), more);
    }

    private Load load(String name, int requests, List<String> command, String... more) {
        List<String> arguments = new ArrayList<>(List.of("-c", String.valueOf(CONNECTIONS), "-r", "10000"));
        arguments.addAll(List.of(more));
        arguments.addAll(command);
        return new Load(name, Math.max(1, requests / 100 * scale), arguments);
    }

    private static final Pattern CSV = Pattern.compile("\"([^\"]*)\"");

    private static Sample run(Side side, Load load, Optional<Path> input) throws Exception {
        List<String> command = new ArrayList<>(List.of(
                "redis-benchmark", "-p", String.valueOf(side.port()), "--csv", "-n", String.valueOf(load.requests())));
        input.ifPresent(_ -> command.add("-x"));
        command.addAll(load.arguments());
        double cpu = side.cpuSeconds();
        ProcessBuilder builder = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD);
        input.ifPresent(file -> builder.redirectInput(file.toFile()));
        Process process = builder.start();
        String output = new String(process.getInputStream().readAllBytes(), UTF_8);
        process.waitFor();
        double used = side.cpuSeconds() - cpu;
        List<String> lines =
                output.lines().filter(line -> line.startsWith("\"")).toList();
        if (lines.size() < 2) {
            throw new IOException(String.join(" ", command) + " said: " + output);
        }
        List<String> head = fields(lines.getFirst());
        List<String> values = fields(lines.getLast());
        return new Sample(
                Double.parseDouble(values.get(head.indexOf("rps"))),
                Double.parseDouble(values.get(head.indexOf("p99_latency_ms"))),
                used * 1e6 / load.requests());
    }

    private static List<String> fields(String line) {
        Matcher matcher = CSV.matcher(line);
        List<String> fields = new ArrayList<>();
        while (matcher.find()) {
            fields.add(matcher.group(1));
        }
        return fields;
    }

    private static double median(List<Double> values) {
        return values.stream().sorted().toList().get(values.size() / 2);
    }

    /** Both sides in turns; the first round warms up and is not counted. */
    private List<List<Sample>> inTurns(List<Side> sides, Load load, Optional<Path> input) throws Exception {
        List<List<Sample>> samples =
                sides.stream().map(_ -> (List<Sample>) new ArrayList<Sample>()).collect(Collectors.toList());
        for (int round = 0; round <= ROUNDS; round++) {
            for (int i = 0; i < sides.size(); i++) {
                Sample sample = run(sides.get(i), load, input);
                if (round > 0) {
                    samples.get(i).add(sample);
                }
            }
        }
        return samples;
    }

    private static double medianRate(List<Sample> samples) {
        return median(samples.stream().map(Sample::perSecond).toList());
    }

    private static void tell(String what, String aim, double ours, double theirs, double ratio) {
        System.out.printf(Locale.ROOT, "%-62s %-9s %6.2f x   (%.1f against %.1f)%n", what, aim, ratio, ours, theirs);
    }

    private void compare(String what, String aim, Side ours, Side theirs, Load load, boolean withCpu, boolean withP99)
            throws Exception {
        List<List<Sample>> samples = inTurns(List.of(ours, theirs), load, Optional.empty());
        List<Sample> a = samples.get(0);
        List<Sample> b = samples.get(1);
        tell(what + ", requests/s", aim, medianRate(a), medianRate(b), medianRate(a) / medianRate(b));
        if (withCpu) {
            double cpuA = median(a.stream().map(Sample::cpuMicros).toList());
            double cpuB = median(b.stream().map(Sample::cpuMicros).toList());
            tell(what + ", server CPU us per request", "<= 0.80", cpuA, cpuB, cpuA / cpuB);
        }
        if (withP99) {
            double p99A = median(a.stream().map(Sample::p99Millis).toList());
            double p99B = median(b.stream().map(Sample::p99Millis).toList());
            tell(what + ", p99 ms", "<= 1.50", p99A, p99B, p99A / p99B);
        }
    }

    /** One node, synced each second. */
    private void one() throws Exception {
        Optional<Side> theirs = redis("redis", "everysec");
        if (theirs.isEmpty()) {
            return;
        }
        try (Side kv = kv("kv");
                Side redis = theirs.get()) {
            compare("HSET, 1 in flight", ">= 1.00", kv, redis, hset(300_000), false, true);
            compare("HGET, 1 in flight", ">= 1.00", kv, redis, hget(300_000), false, true);
            compare("HSET, 16 in flight", ">= 1.50", kv, redis, hset(2_000_000, "-P", "16"), true, false);
            compare("HGET, 16 in flight", ">= 1.20", kv, redis, hget(2_000_000, "-P", "16"), true, false);
        }
    }

    /** Each write on the disk before it is acknowledged. */
    private void always() throws Exception {
        Optional<Side> theirs = redis("redis-always", "always");
        if (theirs.isEmpty()) {
            return;
        }
        try (Side kv = kv("kv-always", "kv.storage.sync=always");
                Side redis = theirs.get()) {
            compare("HSET, always, 1 in flight", ">= 1.00", kv, redis, hset(200_000), false, false);
            compare("HSET, always, 16 in flight", ">= 1.00", kv, redis, hset(400_000, "-P", "16"), false, false);
        }
    }

    /** Values of one MiB. */
    private void large() throws Exception {
        Optional<Side> theirs = redis("redis-large", "everysec");
        if (theirs.isEmpty()) {
            return;
        }
        Path value = Files.writeString(folder.resolve("value"), "v".repeat(1 << 20));
        Load set = new Load(
                "HSET", 2000 / 100 * scale, List.of("-c", "50", "-r", "100", "HSET", "bucket:__rand_int__", "field"));
        Load get = new Load(
                "HGET", 4000 / 100 * scale, List.of("-c", "50", "-r", "100", "HGET", "bucket:__rand_int__", "field"));
        try (Side kv = kv("kv-large");
                Side redis = theirs.get()) {
            List<List<Sample>> sets = inTurns(List.of(kv, redis), set, Optional.of(value));
            tell(
                    "HSET of 1 MiB, MiB/s",
                    ">= 1.00",
                    medianRate(sets.get(0)),
                    medianRate(sets.get(1)),
                    medianRate(sets.get(0)) / medianRate(sets.get(1)));
            List<List<Sample>> gets = inTurns(List.of(kv, redis), get, Optional.empty());
            tell(
                    "HGET of 1 MiB, MiB/s",
                    ">= 1.00",
                    medianRate(gets.get(0)),
                    medianRate(gets.get(1)),
                    medianRate(gets.get(0)) / medianRate(gets.get(1)));
        }
    }

    private void many() throws Exception {
        Optional<Side> theirs = redis("redis-many", "everysec");
        if (theirs.isEmpty()) {
            return;
        }
        try (Side kv = kv("kv-many");
                Side redis = theirs.get()) {
            compare("HSET, 1 000 connections", ">= 1.00", kv, redis, hset(300_000, "-c", "1000"), false, false);
            compare("HGET, 1 000 connections", ">= 1.00", kv, redis, hget(300_000, "-c", "1000"), false, false);
        }
    }

    /** Client, a node without data, a node with them; beside client, nutcracker, Redis. */
    private void routed() throws Exception {
        if (isMissing("redis-server") || isMissing("nutcracker")) {
            return;
        }
        try (Side kv = twoNodes("*=back@localhost");
                Side redis = behindNutcracker()) {
            compare("routed HSET, 1 in flight", ">= 1.00", kv, redis, hset(200_000), false, false);
            compare("routed HGET, 1 in flight", ">= 1.00", kv, redis, hget(200_000), false, false);
            compare("routed HSET, 16 in flight", ">= 1.50", kv, redis, hset(1_000_000, "-P", "16"), false, false);
            compare("routed HGET, 16 in flight", ">= 1.50", kv, redis, hget(1_000_000, "-P", "16"), false, false);
        }
    }

    private Side twoNodes(String table) throws Exception {
        int frontPort = Server.freePort();
        int frontPeerPort = Server.freePort();
        int backPeerPort = Server.freePort();
        String peers = "kv.router.peers.\"back@localhost\"=127.0.0.1:" + backPeerPort;
        Server back = node("back", Server.freePort(), backPeerPort, "kv.router.table=*=back@localhost");
        Server front = node("front", frontPort, frontPeerPort, "kv.router.table=" + table, peers);
        return new Side(frontPort, List.of(back, front));
    }

    private Side behindNutcracker() throws Exception {
        int redisPort = Server.freePort();
        int port = Server.freePort();
        Server redis = redisServer("redis-routed", redisPort, "everysec");
        Path configuration = Files.writeString(folder.resolve("nutcracker.yml"), """
                kv:
                  listen: 127.0.0.1:%d
                  hash: fnv1a_64
                  redis: true
                  preconnect: true
                  servers:
                   - 127.0.0.1:%d:1
                """.formatted(port, redisPort));
        Server nutcracker = Server.start(
                folder.resolve("nutcracker.log"),
                port,
                List.of(
                        "nutcracker",
                        "-c",
                        configuration.toString(),
                        "-s",
                        String.valueOf(Server.freePort()),
                        "-m",
                        "16384"));
        return new Side(port, List.of(redis, nutcracker));
    }

    /** Half of the buckets here and half on another node, beside all of them there. */
    private void half() throws Exception {
        if (isMissing("redis-benchmark")) {
            return;
        }
        String here = Arrays.stream(new String[] {"0", "1", "2", "3", "4"})
                .map(digit -> "bucket%3A00000000" + digit + "*=front@localhost")
                .collect(Collectors.joining(","));
        for (Load load : List.of(hset(1_000_000, "-P", "16"), hget(1_000_000, "-P", "16"))) {
            double mixed;
            double remote;
            try (Side side = twoNodes(here + ",*=back@localhost")) {
                mixed = medianRate(
                        inTurns(List.of(side), load, Optional.empty()).getFirst());
            }
            try (Side side = twoNodes("*=back@localhost")) {
                remote = medianRate(
                        inTurns(List.of(side), load, Optional.empty()).getFirst());
            }
            tell(
                    load.name() + ", half local and half remote, against all remote",
                    ">= 1.00",
                    mixed,
                    remote,
                    mixed / remote);
        }
    }

    private static final Pattern OPERATIONS = Pattern.compile("ops/s ([0-9]+)");
    private static final Pattern CORES = Pattern.compile("servers\\[[^\\]]*\\] ([0-9.]+) cores");

    /** The line protocol, as the published system was measured. */
    private void lines() throws Exception {
        if (isMissing("cc")) {
            return;
        }
        Path kvload = folder.resolve("kvload");
        Process cc = new ProcessBuilder("cc", "-O2", "-o", kvload.toString(), "benchmarks/kvload.c")
                .inheritIO()
                .start();
        if (cc.waitFor() != 0) {
            throw new IOException("kvload.c could not be compiled");
        }
        for (Map.Entry<String, String> table : Map.of(
                        "one node", "*=front@localhost", "every request on the other node", "*=back@localhost")
                .entrySet()) {
            try (Side side = twoNodes(table.getValue())) {
                List<Double> perCpuSecond = new ArrayList<>();
                List<Double> perSecond = new ArrayList<>();
                String pids = side.servers().stream()
                        .map(server -> String.valueOf(server.pid()))
                        .collect(Collectors.joining(","));
                for (int round = 0; round < ROUNDS; round++) {
                    Process load = new ProcessBuilder(
                                    kvload.toString(),
                                    "127.0.0.1",
                                    String.valueOf(side.port()),
                                    "50",
                                    "5",
                                    "1",
                                    "--pids",
                                    pids)
                            .redirectErrorStream(true)
                            .start();
                    String output = new String(load.getInputStream().readAllBytes(), UTF_8);
                    load.waitFor(10, TimeUnit.SECONDS);
                    double operations = number(OPERATIONS, output);
                    perSecond.add(operations);
                    perCpuSecond.add(operations / number(CORES, output));
                }
                String aim = table.getKey().startsWith("one") ? ">= 60000" : ">= 25000";
                System.out.printf(
                        Locale.ROOT,
                        "%-62s %-9s %8.0f /s  (%.0f requests/s)%n",
                        "lines, " + table.getKey() + ", requests per second of CPU",
                        aim,
                        median(perCpuSecond),
                        median(perSecond));
            }
        }
    }

    private static double number(Pattern pattern, String text) throws IOException {
        Matcher matcher = pattern.matcher(text);
        if (!matcher.find()) {
            throw new IOException("the load client said: " + text);
        }
        return Double.parseDouble(matcher.group(1));
    }

    /** At rest, and with a million entries in a thousand buckets. */
    private void memory() throws Exception {
        try (Side kv = kv("kv-memory")) {
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
        Optional<Side> theirs = redis("redis-memory", "everysec");
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

    private void bystanders() throws Exception {
        try (Side kv = kv("kv-bystanders")) {
            Bystanders.measure(kv.port());
        }
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
                        .formatted(bucket, key, VALUE)
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
