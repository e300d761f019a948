package dev.kv.acceptance.harness;

import dev.kv.router.testing.Await;
import dev.kv.server.testing.RespClient;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Assumptions;

/** A real Redis in a process of its own, on a free port of the loopback address. */
public final class RedisServer implements AutoCloseable {
    private final Process process;
    private final InetSocketAddress address;

    private RedisServer(Process process, InetSocketAddress address) {
        this.process = process;
        this.address = address;
    }

    /** Starts one; where none is installed, the test is left out. */
    public static RedisServer start(Path folder, String... options) throws Exception {
        Assumptions.assumeTrue(
                isInstalled("redis-server"), "no redis-server is installed (Debian's package redis-server)");
        int port = FreePorts.next();
        List<String> command = new ArrayList<>(List.of(
                "redis-server",
                "--bind",
                "127.0.0.1",
                "--port",
                Integer.toString(port),
                "--save",
                "",
                "--slowlog-log-slower-than",
                "-1", // a busy machine is no slow command
                "--dir",
                folder.toString()));
        command.addAll(List.of(options));
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("redis.log").toFile())
                .start();
        RedisServer server = new RedisServer(process, new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
        Await.until("redis-server answers", server::answers);
        return server;
    }

    public static boolean isInstalled(String program) {
        String path = System.getenv().getOrDefault("PATH", "");
        return Pattern.compile(":")
                .splitAsStream(path)
                .anyMatch(folder -> Files.isExecutable(Path.of(folder, program)));
    }

    private boolean answers() {
        try (RespClient client = new RespClient(address)) {
            return client.say("PING").matches("PONG|NOAUTH.*");
        } catch (IOException e) {
            return false;
        }
    }

    public InetSocketAddress address() {
        return address;
    }

    @Override
    public void close() {
        process.destroyForcibly();
        process.onExit().join();
    }
}
