package dev.kv.benchmarks;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
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
 * kv beside Redis on one machine, both driven by redis-benchmark, in turns: it prints the ratio of medians. Programs that are
 * missing are named, and what needs them is left out.
 */
public final class RedisBenchmark {
    private static final int LINE_ROUNDS = 5;
    static final String VALUE = "v".repeat(64);

    private final Servers servers;
    private final LoadedNode loaded;
    private final Path folder;
    private final int scale;

    private RedisBenchmark(Path release, Path folder, int scale) {
        this.servers = new Servers(release, folder);
        this.loaded = new LoadedNode(servers);
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
                ? List.of(
                        "one",
                        "expiry",
                        "always",
                        "large",
                        "many",
                        "routed",
                        "half",
                        "lines",
                        "memory",
                        "bystanders",
                        "replies")
                : wanted) {
            switch (name) {
                case "one" -> benchmark.one();
                case "expiry" -> benchmark.expiry();
                case "always" -> benchmark.always();
                case "large" -> benchmark.large();
                case "many" -> benchmark.many();
                case "routed" -> benchmark.routed();
                case "half" -> benchmark.half();
                case "lines" -> benchmark.lines();
                case "memory" -> benchmark.loaded.memory();
                case "bystanders" -> benchmark.loaded.bystanders();
                case "replies" -> benchmark.loaded.replies();
                default -> throw new IllegalArgumentException("no benchmark is called " + name);
            }
        }
    }

    private RedisLoad hset(int requests, String... more) {
        return load("HSET", requests, List.of("HSET", "bucket:__rand_int__", "field", VALUE), more);
    }

    private RedisLoad hget(int requests, String... more) {
        return load("HGET", requests, List.of("HGET", "bucket:__rand_int__", "field"), more);
    }

    private RedisLoad set(int requests, String... more) {
        return load("SET", requests, List.of("SET", "value:__rand_int__", VALUE), more);
    }

    private RedisLoad setExpiring(int requests, String... more) {
        return load("SET EX", requests, List.of("SET", "value:__rand_int__", VALUE, "EX", "3600"), more);
    }

    private RedisLoad get(int requests, String... more) {
        return load("GET", requests, List.of("GET", "value:__rand_int__"), more);
    }

    private RedisLoad load(String name, int requests, List<String> command, String... more) {
        List<String> arguments = new ArrayList<>(List.of("-c", String.valueOf(RedisLoad.CONNECTIONS), "-r", "10000"));
        arguments.addAll(List.of(more));
        arguments.addAll(command);
        return new RedisLoad(name, Math.max(1, requests / 100 * scale), arguments);
    }

    private static void tell(String what, String aim, double ours, double theirs, double ratio) {
        System.out.printf(Locale.ROOT, "%-62s %-9s %6.2f x   (%.1f against %.1f)%n", what, aim, ratio, ours, theirs);
    }

    private void compare(
            String what, String aim, Side ours, Side theirs, RedisLoad load, boolean withCpu, boolean withP99)
            throws Exception {
        List<List<RedisLoad.Sample>> samples = load.inTurns(List.of(ours, theirs), Optional.empty());
        List<RedisLoad.Sample> a = samples.get(0);
        List<RedisLoad.Sample> b = samples.get(1);
        tell(
                what + ", requests/s",
                aim,
                RedisLoad.medianRate(a),
                RedisLoad.medianRate(b),
                RedisLoad.medianRate(a) / RedisLoad.medianRate(b));
        if (withCpu) {
            double cpuA =
                    RedisLoad.median(a.stream().map(RedisLoad.Sample::cpuMicros).toList());
            double cpuB =
                    RedisLoad.median(b.stream().map(RedisLoad.Sample::cpuMicros).toList());
            tell(what + ", server CPU us per request", "<= 0.80", cpuA, cpuB, cpuA / cpuB);
        }
        if (withP99) {
            double p99A =
                    RedisLoad.median(a.stream().map(RedisLoad.Sample::p99Millis).toList());
            double p99B =
                    RedisLoad.median(b.stream().map(RedisLoad.Sample::p99Millis).toList());
            tell(what + ", p99 ms", "<= 1.50", p99A, p99B, p99A / p99B);
        }
    }

    /** One node, synced each second. */
    private void one() throws Exception {
        Optional<Side> theirs = servers.redis("redis", "everysec");
        if (theirs.isEmpty()) {
            return;
        }
        try (Side kv = servers.kv("kv");
                Side redis = theirs.get()) {
            compare("HSET, 1 in flight", ">= 1.00", kv, redis, hset(300_000), false, true);
            compare("HGET, 1 in flight", ">= 1.00", kv, redis, hget(300_000), false, true);
            compare("HSET, 16 in flight", ">= 1.50", kv, redis, hset(2_000_000, "-P", "16"), true, false);
            compare("HGET, 16 in flight", ">= 1.20", kv, redis, hget(2_000_000, "-P", "16"), true, false);
            compare("SET, 1 in flight", ">= 1.00", kv, redis, set(300_000), false, true);
            compare("GET, 1 in flight", ">= 1.00", kv, redis, get(300_000), false, true);
            compare("SET, 16 in flight", ">= 1.50", kv, redis, set(2_000_000, "-P", "16"), true, false);
            compare("GET, 16 in flight", ">= 1.20", kv, redis, get(2_000_000, "-P", "16"), true, false);
        }
    }

    /** Values that expire, beside those that do not. */
    private void expiry() throws Exception {
        if (Servers.isMissing("redis-benchmark")) {
            return;
        }
        try (Side kv = servers.kv("kv-expiry")) {
            for (String inFlight : List.of("1", "16")) {
                int requests = inFlight.equals("1") ? 300_000 : 2_000_000;
                List<List<RedisLoad.Sample>> samples =
                        RedisLoad.inTurns(kv, setExpiring(requests, "-P", inFlight), set(requests, "-P", inFlight));
                double expiring = RedisLoad.medianRate(samples.get(0));
                double others = RedisLoad.medianRate(samples.get(1));
                tell("SET EX against SET, " + inFlight + " in flight", ">= 0.90", expiring, others, expiring / others);
            }
        }
    }

    /** Each write on the disk before it is acknowledged. */
    private void always() throws Exception {
        Optional<Side> theirs = servers.redis("redis-always", "always");
        if (theirs.isEmpty()) {
            return;
        }
        try (Side kv = servers.kv("kv-always", "kv.storage.sync=always");
                Side redis = theirs.get()) {
            compare("HSET, always, 1 in flight", ">= 1.00", kv, redis, hset(200_000), false, false);
            compare("HSET, always, 16 in flight", ">= 1.00", kv, redis, hset(400_000, "-P", "16"), false, false);
        }
    }

    /** Values of one MiB. */
    private void large() throws Exception {
        Optional<Side> theirs = servers.redis("redis-large", "everysec");
        if (theirs.isEmpty()) {
            return;
        }
        Path value = Files.writeString(folder.resolve("value"), "v".repeat(1 << 20));
        RedisLoad set = new RedisLoad(
                "HSET", 2000 / 100 * scale, List.of("-c", "50", "-r", "100", "HSET", "bucket:__rand_int__", "field"));
        RedisLoad get = new RedisLoad(
                "HGET", 4000 / 100 * scale, List.of("-c", "50", "-r", "100", "HGET", "bucket:__rand_int__", "field"));
        try (Side kv = servers.kv("kv-large");
                Side redis = theirs.get()) {
            List<List<RedisLoad.Sample>> sets = set.inTurns(List.of(kv, redis), Optional.of(value));
            tell(
                    "HSET of 1 MiB, MiB/s",
                    ">= 1.00",
                    RedisLoad.medianRate(sets.get(0)),
                    RedisLoad.medianRate(sets.get(1)),
                    RedisLoad.medianRate(sets.get(0)) / RedisLoad.medianRate(sets.get(1)));
            List<List<RedisLoad.Sample>> gets = get.inTurns(List.of(kv, redis), Optional.empty());
            tell(
                    "HGET of 1 MiB, MiB/s",
                    ">= 1.00",
                    RedisLoad.medianRate(gets.get(0)),
                    RedisLoad.medianRate(gets.get(1)),
                    RedisLoad.medianRate(gets.get(0)) / RedisLoad.medianRate(gets.get(1)));
        }
    }

    private void many() throws Exception {
        Optional<Side> theirs = servers.redis("redis-many", "everysec");
        if (theirs.isEmpty()) {
            return;
        }
        try (Side kv = servers.kv("kv-many");
                Side redis = theirs.get()) {
            compare("HSET, 1 000 connections", ">= 1.00", kv, redis, hset(300_000, "-c", "1000"), false, false);
            compare("HGET, 1 000 connections", ">= 1.00", kv, redis, hget(300_000, "-c", "1000"), false, false);
        }
    }

    /** Client, a node without data, a node with them; beside client, nutcracker, Redis. */
    private void routed() throws Exception {
        if (Servers.isMissing("redis-server") || Servers.isMissing("nutcracker")) {
            return;
        }
        try (Side kv = servers.twoNodes("*=back@localhost");
                Side redis = servers.behindNutcracker()) {
            compare("routed HSET, 1 in flight", ">= 1.00", kv, redis, hset(200_000), false, false);
            compare("routed HGET, 1 in flight", ">= 1.00", kv, redis, hget(200_000), false, false);
            compare("routed HSET, 16 in flight", ">= 1.50", kv, redis, hset(1_000_000, "-P", "16"), false, false);
            compare("routed HGET, 16 in flight", ">= 1.50", kv, redis, hget(1_000_000, "-P", "16"), false, false);
        }
    }

    /** Half of the buckets here and half on another node, beside all of them there. */
    private void half() throws Exception {
        if (Servers.isMissing("redis-benchmark")) {
            return;
        }
        String here = Arrays.stream(new String[] {"0", "1", "2", "3", "4"})
                .map(digit -> "bucket%3A00000000" + digit + "*=front@localhost")
                .collect(Collectors.joining(","));
        for (RedisLoad load : List.of(hset(1_000_000, "-P", "16"), hget(1_000_000, "-P", "16"))) {
            double mixed;
            double remote;
            try (Side side = servers.twoNodes(here + ",*=back@localhost")) {
                mixed = RedisLoad.medianRate(
                        load.inTurns(List.of(side), Optional.empty()).getFirst());
            }
            try (Side side = servers.twoNodes("*=back@localhost")) {
                remote = RedisLoad.medianRate(
                        load.inTurns(List.of(side), Optional.empty()).getFirst());
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
        if (Servers.isMissing("cc")) {
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
            try (Side side = servers.twoNodes(table.getValue())) {
                List<Double> perCpuSecond = new ArrayList<>();
                List<Double> perSecond = new ArrayList<>();
                String pids = side.servers().stream()
                        .map(server -> String.valueOf(server.pid()))
                        .collect(Collectors.joining(","));
                for (int round = 0; round < LINE_ROUNDS; round++) {
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
                        RedisLoad.median(perCpuSecond),
                        RedisLoad.median(perSecond));
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
}
