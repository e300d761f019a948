package dev.kv.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** Starts the servers that benchmarks compare: nodes of kv, Redis, and Redis behind nutcracker. */
final class Servers {
    private final Path release;
    private final Path folder;

    /**
     * Servers of one benchmark.
     *
     * @param release an unpacked combined release
     * @param folder for their data
     */
    Servers(Path release, Path folder) {
        this.release = release;
        this.folder = folder;
    }

    Side kv(String name, String... settings) throws Exception {
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

    Optional<Side> redis(String name, String sync) throws Exception {
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

    static boolean isMissing(String program) {
        boolean isThere = Arrays.stream(System.getenv("PATH").split(":"))
                .anyMatch(dir -> Files.isExecutable(Path.of(dir).resolve(program)));
        if (!isThere) {
            System.out.println("left out: " + program + " is not installed (Debian: redis, nutcracker, gcc)");
        }
        return !isThere;
    }

    Side twoNodes(String table) throws Exception {
        int frontPort = Server.freePort();
        int frontPeerPort = Server.freePort();
        int backPeerPort = Server.freePort();
        String peers = "kv.router.peers.\"back@localhost\"=127.0.0.1:" + backPeerPort;
        Server back = node("back", Server.freePort(), backPeerPort, "kv.router.table=*=back@localhost");
        Server front = node("front", frontPort, frontPeerPort, "kv.router.table=" + table, peers);
        return new Side(frontPort, List.of(back, front));
    }

    Side behindNutcracker() throws Exception {
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
}
