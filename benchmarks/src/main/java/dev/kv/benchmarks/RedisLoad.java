package dev.kv.benchmarks;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * A run of redis-benchmark.
 *
 * @param name what it does, for the report
 * @param requests how many it sends
 * @param arguments of redis-benchmark beside the port and the number of requests
 */
record RedisLoad(String name, int requests, List<String> arguments) {
    private static final int ROUNDS = 5;
    static final int CONNECTIONS = 50;
    private static final Pattern CSV = Pattern.compile("\"([^\"]*)\"");

    /**
     * What one run has measured.
     *
     * @param perSecond requests
     * @param p99Millis 99 of 100 requests took at most this
     * @param cpuMicros CPU of all servers for each request
     */
    record Sample(double perSecond, double p99Millis, double cpuMicros) {}

    private Sample run(Side side, Optional<Path> input) throws Exception {
        List<String> command = new ArrayList<>(
                List.of("redis-benchmark", "-p", String.valueOf(side.port()), "--csv", "-n", String.valueOf(requests)));
        input.ifPresent(_ -> command.add("-x"));
        command.addAll(arguments);
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
                used * 1e6 / requests);
    }

    private static List<String> fields(String line) {
        Matcher matcher = CSV.matcher(line);
        List<String> fields = new ArrayList<>();
        while (matcher.find()) {
            fields.add(matcher.group(1));
        }
        return fields;
    }

    /** Both sides in turns; the first round warms up and is not counted. */
    List<List<Sample>> inTurns(List<Side> sides, Optional<Path> input) throws Exception {
        List<List<Sample>> samples =
                sides.stream().map(_ -> (List<Sample>) new ArrayList<Sample>()).collect(Collectors.toList());
        for (int round = 0; round <= ROUNDS; round++) {
            for (int i = 0; i < sides.size(); i++) {
                Sample sample = run(sides.get(i), input);
                if (round > 0) {
                    samples.get(i).add(sample);
                }
            }
        }
        return samples;
    }

    /** Several loads on one side in turns; the first round warms up and is not counted. */
    static List<List<Sample>> inTurns(Side side, RedisLoad... loads) throws Exception {
        List<List<Sample>> samples = Arrays.stream(loads)
                .map(_ -> (List<Sample>) new ArrayList<Sample>())
                .toList();
        for (int round = 0; round <= ROUNDS; round++) {
            for (int i = 0; i < loads.length; i++) {
                Sample sample = loads[i].run(side, Optional.empty());
                if (round > 0) {
                    samples.get(i).add(sample);
                }
            }
        }
        return samples;
    }

    static double median(List<Double> values) {
        return values.stream().sorted().toList().get(values.size() / 2);
    }

    static double medianRate(List<Sample> samples) {
        return median(samples.stream().map(Sample::perSecond).toList());
    }
}
