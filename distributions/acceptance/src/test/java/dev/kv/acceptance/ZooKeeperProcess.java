package dev.kv.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A ZooKeeper server as a process of its own, by {@code bin/kv zookeeper}, and its command line; it can be started and ended
 * more than once, and keeps its port and its data.
 */
final class ZooKeeperProcess implements AutoCloseable {
    private final Release release;
    private final Path site;
    private final int port;
    private Optional<Process> running = Optional.empty();

    /**
     * A server that does not run yet.
     *
     * @param site an existing folder, below which it writes
     */
    ZooKeeperProcess(Release release, Path site) throws IOException {
        this.release = release;
        this.site = site;
        this.port = freePort();
    }

    static int freePort() throws IOException {
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return free.getLocalPort();
        }
    }

    int port() {
        return port;
    }

    String address() {
        return "127.0.0.1:" + port;
    }

    /** Starts it and waits until it answers. */
    void start() throws Exception {
        Path out = site.resolve("zookeeper.out");
        Process process = release.command(
                        Map.of(),
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
    void kill() {
        running.ifPresent(process -> process.destroyForcibly().onExit().join());
    }

    @Override
    public void close() {
        kill();
    }

    /** The program {@code bin/zkCli.sh}. */
    String program() {
        return release.home().resolve("bin/zkCli.sh").toString();
    }

    /** Runs its command line with one command. */
    Ended cli(String... command) {
        List<String> words = new ArrayList<>(List.of(program(), "-server", address()));
        words.addAll(List.of(command));
        return Ended.of(words.toArray(String[]::new));
    }

    /** Runs one command, which has to succeed, and answers what it prints. */
    String ask(String... command) {
        Ended ended = cli(command);
        assertThat(ended.status()).as(ended.err()).isZero();
        return ended.out();
    }
}
