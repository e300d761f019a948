package dev.kv.acceptance.harness;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.testing.Await;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.retry.RetryNTimes;
import org.apache.zookeeper.data.Stat;

/**
 * A ZooKeeper server as a process of its own, by {@code bin/kv zookeeper}. It can be started and ended more than once, and keeps
 * its port and its data. Tests read and write it with a client in their own process, and with its command line where that is
 * what they are about.
 */
public final class ZooKeeperProcess implements AutoCloseable {
    private static final int RETRIES = 100;
    private static final int RETRY_MILLIS = 100;

    private final UnpackedRelease release;
    private final Path site;
    private final int port = FreePorts.next();
    private Optional<Process> running = Optional.empty();

    /**
     * A server that does not run yet.
     *
     * @param site an existing folder, below which it writes
     */
    public ZooKeeperProcess(UnpackedRelease release, Path site) {
        this.release = release;
        this.site = site;
    }

    public int port() {
        return port;
    }

    public String address() {
        return "127.0.0.1:" + port;
    }

    /** Starts it and waits until it answers. */
    public void start() throws Exception {
        Path out = site.resolve("zookeeper.out");
        Process process = release.command(
                        Map.of("KV_JAVA_OPTIONS", UnpackedRelease.SHORT_LIVED),
                        "zookeeper",
                        "--port",
                        String.valueOf(port),
                        "--data",
                        site.resolve("zookeeper").toString())
                .redirectOutput(out.toFile())
                .redirectError(site.resolve("zookeeper.err").toFile())
                .start();
        running = Optional.of(process);
        Await.until("ZooKeeper answers", () -> Files.readString(out).contains("ZooKeeper answers at " + address()));
    }

    /** Ends it as a crash does. */
    public void kill() {
        running.ifPresent(process -> process.destroyForcibly().onExit().join());
    }

    @Override
    public void close() {
        kill();
    }

    /** A command of {@code bin/zkCli.sh} that talks to this server. */
    public ProcessBuilder commandLine(String... command) {
        List<String> words = new ArrayList<>(List.of(program(), "-server", address()));
        words.addAll(List.of(command));
        return new ProcessBuilder(words);
    }

    /** The program {@code bin/zkCli.sh}. */
    public String program() {
        return release.home().resolve("bin/zkCli.sh").toString();
    }

    /** Runs one command of {@code bin/zkCli.sh}, which has to succeed, and returns what it prints. */
    public String ask(String... command) {
        Ended ended = Ended.of(commandLine(command));
        assertThat(ended.status()).as(ended.err()).isZero();
        return ended.out();
    }

    @FunctionalInterface
    private interface Request<T> {
        T by(CuratorFramework client) throws Exception;
    }

    private <T> T request(Request<T> request) throws Exception {
        try (CuratorFramework client =
                CuratorFrameworkFactory.newClient(address(), new RetryNTimes(RETRIES, RETRY_MILLIS))) {
            client.start();
            return request.by(client);
        }
    }

    /** Creates the znode, and those above it where they do not exist. */
    public void create(String path, String text) throws Exception {
        request(client -> client.create().creatingParentsIfNeeded().forPath(path, text.getBytes(UTF_8)));
    }

    public void set(String path, String text) throws Exception {
        request(client -> client.setData().forPath(path, text.getBytes(UTF_8)));
    }

    public void delete(String path) throws Exception {
        request(client -> client.delete().forPath(path));
    }

    /** The data of the znode, which exists. */
    public String get(String path) throws Exception {
        return new String(request(client -> client.getData().forPath(path)), UTF_8);
    }

    /** The facts of the znode; empty if it does not exist. */
    public Optional<Stat> stat(String path) throws Exception {
        return Optional.ofNullable(request(client -> client.checkExists().forPath(path)));
    }
}
