package dev.kv.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.Ended;
import dev.kv.acceptance.harness.FreePorts;
import dev.kv.acceptance.harness.NodeProcess;
import dev.kv.acceptance.harness.UnpackedRelease;
import dev.kv.acceptance.harness.UnpackedRelease.Role;
import dev.kv.router.testing.Await;
import dev.kv.server.testing.LineClient;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A ZooKeeper server that speaks TLS alone and wants to see certificates, as {@code docs/zookeeper.md} sets it up, and what a
 * release needs to talk to it.
 */
@Timeout(120)
class TlsToZooKeeperTest {
    private static final String PASSWORD = "a password of stores";

    @TempDir
    private static Path site;

    private static UnpackedRelease release;
    private static Process server;
    private static int port;

    @TempDir
    private Path folder;

    private final Deque<NodeProcess> nodes = new ArrayDeque<>();

    @BeforeAll
    static void startZooKeeper() throws Exception {
        String pair = "-genkeypair -keyalg EC -validity 2";
        keytool(pair + " -alias server -dname CN=server -ext san=dns:localhost,ip:127.0.0.1", "server");
        keytool(pair + " -alias node -dname CN=node", "node");
        for (String owner : List.of("server", "node")) {
            keytool("-exportcert -alias " + owner + " -file " + site.resolve(owner + ".cer"), owner);
        }
        keytool("-importcert -noprompt -alias node -file " + site.resolve("node.cer"), "of-server");
        keytool("-importcert -noprompt -alias server -file " + site.resolve("server.cer"), "of-node");

        release = UnpackedRelease.of(Role.COMBINED);
        port = FreePorts.next();
        Path configuration = Files.writeString(site.resolve("zoo.cfg"), """
                dataDir=%s
                secureClientPort=%d
                secureClientPortAddress=127.0.0.1
                admin.enableServer=false
                ssl.keyStore.location=%s
                ssl.keyStore.password=%s
                ssl.trustStore.location=%s
                ssl.trustStore.password=%s
                """.formatted(
                        site.resolve("data"), port, store("server"), PASSWORD, store("of-server"), PASSWORD));
        server = new ProcessBuilder(
                        release.home().resolve("runtime/bin/java").toString(),
                        "-Dio.netty.noUnsafe=true",
                        "-Dzookeeper.serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
                        "-cp",
                        release.home().resolve("lib") + "/*",
                        "org.apache.zookeeper.server.ZooKeeperServerMain",
                        configuration.toString())
                .redirectOutput(site.resolve("server.out").toFile())
                .redirectError(site.resolve("server.err").toFile())
                .start();
        Await.until("the server listens", () -> {
            assertThat(server.isAlive())
                    .as(Files.readString(site.resolve("server.out")) + Files.readString(site.resolve("server.err")))
                    .isTrue();
            return listens();
        });
    }

    private static boolean listens() {
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    @AfterAll
    static void stopZooKeeper() throws InterruptedException {
        if (server != null) {
            server.destroyForcibly().waitFor();
        }
    }

    @AfterEach
    void stopNodes() throws IOException {
        for (NodeProcess node : nodes) {
            node.close();
        }
    }

    private static Path store(String name) {
        return site.resolve(name + ".p12");
    }

    private static void keytool(String words, String store) {
        ProcessBuilder command = new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin/keytool").toString());
        command.command().addAll(List.of(words.split(" ", -1)));
        command.command().addAll(List.of("-keystore", store(store).toString(), "-storepass", PASSWORD));
        Ended ended = Ended.of(command);
        assertThat(ended.status()).as(ended.out() + ended.err()).isZero();
    }

    /** What a client of the server has to be told. */
    private static Map<String, String> client() {
        Map<String, String> client = new LinkedHashMap<>();
        client.put("zookeeper.client.secure", "true");
        client.put("zookeeper.clientCnxnSocket", "org.apache.zookeeper.ClientCnxnSocketNetty");
        client.put("zookeeper.ssl.keyStore.location", store("node").toString());
        client.put("zookeeper.ssl.keyStore.password", PASSWORD);
        client.put("zookeeper.ssl.trustStore.location", store("of-node").toString());
        client.put("zookeeper.ssl.trustStore.password", PASSWORD);
        return client;
    }

    private NodeProcess node(String name, Map<String, String> client) throws IOException {
        NodeProcess node = new NodeProcess(release, folder, name);
        nodes.push(node);
        node.set("kv.router.zookeeper.connect", "127.0.0.1:" + port);
        client.forEach((key, value) -> node.set("kv.router.zookeeper.client.\"" + key + "\"", value));
        return node;
    }

    @Test
    void nodesCommandsAndZooKeepersCommandLineTalkToAServerByTls() throws Exception {
        NodeProcess foo = node("foo", client());
        foo.start();
        Ended set = foo.kv("table", "set", "*=foo@h", "--expect", "0x0");
        assertThat(set.status()).as(set.err()).isZero();
        assertThat(set.err()).isEmpty();
        assertThat(foo.kv("table", "wait").out()).contains("foo@h  applied 0x");
        try (LineClient client = foo.connect()) {
            assertThat(client.ask("CREATE shopping")).isEqualTo("OK");
        }

        // Its variable is split at blanks; this password has some.
        Path properties = Files.writeString(
                site.resolve("client.properties"),
                client().entrySet().stream()
                        .map(setting -> setting.getKey() + "=" + setting.getValue() + "\n")
                        .collect(Collectors.joining()));
        Ended get = Ended.of(
                release.home().resolve("bin/zkCli.sh").toString(),
                "-server",
                "127.0.0.1:" + port,
                "-client-configuration",
                properties.toString(),
                "get",
                "/kv/nodes/foo@h");
        assertThat(get.status()).as(get.err()).isZero();
        assertThat(get.out()).contains("\"state\":\"applied\"");
    }

    @Test
    void withoutTrustOrACertificateThereIsNoConnection() throws Exception {
        Map<String, String> stranger = client();
        stranger.remove("zookeeper.ssl.keyStore.location");
        stranger.remove("zookeeper.ssl.keyStore.password");
        Map<String, String> distrustful = client();
        distrustful.put("zookeeper.ssl.trustStore.location", store("of-server").toString());
        List<Map<String, String>> clients = List.of(stranger, distrustful, Map.of());
        List<Callable<Ended>> commands = new ArrayList<>();
        for (Map<String, String> client : clients) {
            NodeProcess node = node("foo" + commands.size(), client);
            commands.add(() -> node.kv("table", "show"));
        }
        // Side by side: each takes the five seconds.
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (Future<Ended> command : threads.invokeAll(commands)) {
                Ended show = command.get();
                assertThat(show.status()).isEqualTo(1);
                assertThat(show.complaints()).singleElement().asString().contains("does not answer within 5 s");
            }
        }
    }
}
