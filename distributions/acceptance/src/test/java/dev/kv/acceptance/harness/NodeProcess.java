package dev.kv.acceptance.harness;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.kv.router.testing.Await;
import dev.kv.server.testing.LineClient;
import dev.kv.server.testing.RespClient;
import dev.kv.server.testing.Transcript;
import dev.kv.server.testing.Transcript.Pace;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/**
 * A node of a release as a process of its own, by {@code bin/kv run}. It keeps its ports, and can be started and ended more than
 * once.
 */
public final class NodeProcess implements AutoCloseable {
    private static final int PAGE_BYTES = 4096;

    private final UnpackedRelease release;
    private final Path site;
    private final String name;
    private final InetSocketAddress clients = new InetSocketAddress(InetAddress.getLoopbackAddress(), FreePorts.next());
    private final InetSocketAddress nodes = new InetSocketAddress(InetAddress.getLoopbackAddress(), FreePorts.next());
    private final Map<String, String> settings = new LinkedHashMap<>();
    private final Map<String, String> environment =
            new HashMap<>(Map.of("KV_JAVA_OPTIONS", UnpackedRelease.SHORT_LIVED));
    private OptionalInt descriptorsMax = OptionalInt.empty();
    private Optional<Process> running = Optional.empty();

    /** The signals that tests send. */
    public enum Signal {
        TERM,
        INT,
        HUP,
        KILL,
        STOP,
        CONT
    }

    /**
     * A node that does not run yet.
     *
     * @param site an existing folder, below which it writes; nodes of one site share its cookie
     * @param name the part of its name before {@code @h}
     */
    public NodeProcess(UnpackedRelease release, Path site, String name) throws IOException {
        this.release = release;
        this.site = site;
        this.name = name + "@h";
        Path cookie = site.resolve("cookie");
        if (!Files.exists(cookie)) {
            SecretFile.write(cookie, SecretFile.SHARED);
        }
        set("kv.node.name", this.name);
        set("kv.node.dir", folder().toString());
        set("kv.router.host", "127.0.0.1");
        set("kv.router.port", String.valueOf(nodes.getPort()));
        set("kv.router.cookie-file", cookie.toString());
        set("kv.router.reconnect-max", "100ms");
        set("kv.server.port", String.valueOf(clients.getPort()));
    }

    /** Configures each node with the addresses of the others. */
    public static void introduce(NodeProcess... nodes) {
        for (NodeProcess from : nodes) {
            for (NodeProcess to : nodes) {
                if (from != to) {
                    from.set("kv.router.peers.\"" + to.name + "\"", "127.0.0.1:" + to.nodes.getPort());
                }
            }
        }
    }

    /** Starts the nodes with the same table, one after the other. */
    public static void start(String table, NodeProcess... nodes) throws Exception {
        for (NodeProcess node : nodes) {
            node.set("kv.router.table", table);
            node.start();
        }
    }

    public String name() {
        return name;
    }

    /** Its {@code kv.node.dir}. */
    public Path folder() {
        return site.resolve(name);
    }

    /** The address of its client listener, whether it runs or not. */
    public InetSocketAddress clients() {
        return clients;
    }

    /** The address of its node listener, whether it runs or not. */
    public InetSocketAddress nodes() {
        return nodes;
    }

    /** Sets a key of the configuration, from the next start on. */
    public void set(String key, String value) {
        settings.put(key, value);
    }

    /**
     * Gives its JVM flags that win over those of the release, from the next start on, in place of
     * {@link UnpackedRelease#SHORT_LIVED}.
     */
    public void setJavaOptions(String options) {
        environment.put("KV_JAVA_OPTIONS", options);
    }

    /** Sets a variable of the environment of its process, from the next start on. */
    public void setVariable(String variable, String value) {
        environment.put(variable, value);
    }

    /** Limits the file descriptors of the process, from the next start on. */
    public void limitDescriptors(int max) {
        descriptorsMax = OptionalInt.of(max);
    }

    /** Limits the file descriptors of the running process from now on. */
    public void limitDescriptorsNow(long max) {
        Ended prlimit = Ended.of("prlimit", "--pid", Long.toString(pid()), "--nofile=" + max + ":");
        if (prlimit.status() != 0) {
            throw new AssertionError(prlimit.err());
        }
    }

    /** The limit of file descriptors of the running process. */
    public long descriptorsLimit() throws IOException {
        String limits = Files.readString(Path.of("/proc/" + pid() + "/limits"), UTF_8);
        return limits.lines()
                .filter(line -> line.startsWith("Max open files"))
                .mapToLong(line -> Long.parseLong(line.split(" {2,}", -1)[1]))
                .findFirst()
                .orElseThrow();
    }

    /** The open file descriptors of the running process. */
    public Set<Integer> descriptors() throws IOException {
        Set<Integer> open = new HashSet<>();
        try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(Path.of("/proc/" + pid() + "/fd"))) {
            descriptors.forEach(descriptor ->
                    open.add(Integer.parseInt(descriptor.getFileName().toString())));
        }
        return open;
    }

    /** Starts it and waits until it accepts connections. */
    public void start() throws Exception {
        Process process = spawn();
        running = Optional.of(process);
        InetSocketAddress lastToOpen = Files.exists(serverJar()) ? clients : nodes;
        Await.until(name + " answers", () -> {
            if (!process.isAlive()) {
                throw new AssertionError(name + " has ended with status " + process.exitValue() + ": " + err());
            }
            return accepts(lastToOpen);
        });
    }

    private Path serverJar() {
        return release.home().resolve("lib/kv-server-" + System.getProperty("kv.version") + ".jar");
    }

    private static boolean accepts(InetSocketAddress address) {
        try (Socket _ = new Socket(address.getAddress(), address.getPort())) {
            return true;
        } catch (IOException refused) {
            return false;
        }
    }

    private Process spawn() throws IOException {
        ProcessBuilder command = release.command(environment, words("run"));
        descriptorsMax.ifPresent(
                max -> command.command().addAll(0, List.of("sh", "-c", "ulimit -n " + max + " && exec \"$0\" \"$@\"")));
        return command.redirectOutput(site.resolve(name + ".out").toFile())
                .redirectError(site.resolve(name + ".err").toFile())
                .start();
    }

    /** Writes its present configuration to a file. */
    public Path configuration() throws IOException {
        StringBuilder text = new StringBuilder();
        settings.forEach((key, value) ->
                text.append(key).append(" = ").append(quoted(value)).append('\n'));
        return Files.writeString(site.resolve(name + ".conf"), text, UTF_8);
    }

    private String[] words(String... words) throws IOException {
        List<String> all = new ArrayList<>(List.of(words));
        all.addAll(List.of("--config", configuration().toString()));
        return all.toArray(String[]::new);
    }

    private static String quoted(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n") + '"';
    }

    /** Runs another command with this node's configuration to its end. */
    public Ended kv(String... words) throws IOException {
        return release.kv(environment, words(words));
    }

    /** A command with this node's configuration, which does not run yet. */
    public ProcessBuilder command(String... words) throws IOException {
        return release.command(environment, words(words));
    }

    private Process process() {
        return running.orElseThrow(() -> new AssertionError(name + " was not started"));
    }

    public long pid() {
        return process().pid();
    }

    public boolean isAlive() {
        return process().isAlive();
    }

    /** Sends it a signal. After {@link Signal#STOP} all of its threads are stopped. */
    public void signal(Signal signal) throws Exception {
        signal(pid(), signal);
        if (signal == Signal.STOP) {
            Await.until("all threads of " + name + " are stopped", this::isStopped);
        }
    }

    private boolean isStopped() throws IOException {
        try (DirectoryStream<Path> threads = Files.newDirectoryStream(Path.of("/proc/" + pid() + "/task"))) {
            for (Path thread : threads) {
                if (!Files.readString(thread.resolve("status"), UTF_8).contains("State:\tT")) {
                    return false;
                }
            }
        }
        return true;
    }

    public static void signal(long pid, Signal signal) {
        Ended kill = Ended.of("sh", "-c", "kill -s " + signal + " " + pid);
        if (kill.status() != 0) {
            throw new AssertionError(kill.err());
        }
    }

    /** Waits for the end of the process and returns its exit status. */
    public int awaitEnd() throws IOException {
        try {
            if (!process().waitFor(Await.TIMEOUT.toSeconds(), TimeUnit.SECONDS)) {
                throw new AssertionError(name + " does not end: " + err());
            }
            return process().exitValue();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError(e);
        }
    }

    /** Ends it as a crash does, even if it was stopped. */
    public void kill() throws IOException {
        process().destroyForcibly();
        awaitEnd();
    }

    /** What the process has written to standard output since it was started. */
    public String out() throws IOException {
        return Files.readString(site.resolve(name + ".out"), UTF_8);
    }

    /** What the process has written to standard error since it was started: the log. */
    public String err() throws IOException {
        return Files.readString(site.resolve(name + ".err"), UTF_8);
    }

    /** The anonymous memory of the process in bytes: without the files that it maps. */
    public long ownBytes() throws IOException {
        String status = Files.readString(Path.of("/proc/" + pid() + "/status"), UTF_8);
        return status.lines()
                .filter(line -> line.startsWith("RssAnon:"))
                .mapToLong(line -> 1024 * Long.parseLong(line.split("\\s+", -1)[1]))
                .findFirst()
                .orElseThrow();
    }

    /** The resident memory of the process in bytes. */
    public long residentBytes() throws IOException {
        String pages =
                Files.readString(Path.of("/proc/" + pid() + "/statm"), UTF_8).split(" ", -1)[1];
        return Long.parseLong(pages) * PAGE_BYTES;
    }

    /** The reply to {@code KV.ROUTE} for the bucket: the nodes on the way, and the entries that match. */
    public String route(String bucket) throws IOException {
        try (RespClient client = new RespClient(clients)) {
            return client.ask("KV.ROUTE", bucket);
        }
    }

    public LineClient connect() throws IOException {
        return LineClient.connect(clients);
    }

    /** Replays a {@link Transcript} twice: each request after the reply before it, and all requests at once. */
    public void converse(String transcript) throws IOException {
        Transcript told = Transcript.parse("conversation with " + name, transcript);
        told.replay(clients, Pace.TURNS);
        told.replay(clients, Pace.AT_ONCE);
    }

    @Override
    public void close() throws IOException {
        if (running.isPresent()) {
            kill();
        }
    }
}
