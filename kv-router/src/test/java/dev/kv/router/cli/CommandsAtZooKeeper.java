package dev.kv.router.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.kv.router.Bytes;
import dev.kv.router.zookeeper.Membership;
import dev.kv.router.zookeeper.Znodes;
import dev.kv.router.zookeeper.ZooKeeperSettings;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.retry.RetryOneTime;
import org.apache.curator.test.TestingServer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The commands of operators in this process, with a ZooKeeper server and nodes that follow its table. */
@Timeout(60)
abstract class CommandsAtZooKeeper {
    static final String HALVES = "a..m=foo@h,n..z=bar@h";
    static final String SHIFTED = "a..f=foo@h,g..z=bar@h";

    @TempDir
    Path folder;

    final Deque<AutoCloseable> opened = new ArrayDeque<>();
    TestingServer server;
    CuratorFramework raw;

    /** The outcome of a command. */
    record Outcome(int status, String out, String err) {
        Config json() {
            return ConfigFactory.parseString("it: " + out);
        }
    }

    @BeforeEach
    void start() throws Exception {
        server = new TestingServer();
        opened.push(server);
        raw = CuratorFrameworkFactory.newClient(server.getConnectString(), new RetryOneTime(100));
        opened.push(raw);
        raw.start();
    }

    @AfterEach
    void stop() throws Exception {
        for (AutoCloseable resource : opened) {
            resource.close();
        }
    }

    Outcome kv(String... words) {
        return kvOn(server.getConnectString(), words);
    }

    static Outcome kvOn(String connect, String... words) {
        List<String> all = new ArrayList<>(Arrays.asList(words));
        all.add("-Dkv.router.zookeeper.connect=" + connect);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        PrintStream oldOut = System.out;
        PrintStream oldErr = System.err;
        System.setOut(new PrintStream(out, true, UTF_8));
        System.setErr(new PrintStream(err, true, UTF_8));
        try {
            int status = Main.commandLine().execute(all.toArray(String[]::new));
            return new Outcome(status, out.toString(UTF_8), err.toString(UTF_8));
        } finally {
            System.setOut(oldOut);
            System.setErr(oldErr);
        }
    }

    ZooKeeperSettings settings(int documentMaxBytes) {
        return new ZooKeeperSettings(
                server.getConnectString(),
                new Znodes("/kv"),
                Duration.ofSeconds(5),
                Duration.ofSeconds(5),
                Duration.ofSeconds(1),
                documentMaxBytes,
                1000,
                Optional.empty(),
                Map.of());
    }

    /** A node that follows its table and holds buckets. */
    void node(String name, String role, Map<String, Long> buckets) throws Exception {
        node(name, role, buckets, 512 * 1024);
    }

    void node(String name, String role, Map<String, Long> buckets, int documentMaxBytes) throws Exception {
        Path own = Files.createDirectory(folder.resolve(name));
        Membership membership = new Membership(
                settings(documentMaxBytes),
                new Membership.Self(name, role, "1.0", "instance of " + name, own),
                64 * 1024,
                visitor -> {
                    var _ = buckets.entrySet().stream()
                            .allMatch(bucket -> visitor.test(Bytes.of(bucket.getKey()), bucket.getValue()));
                });
        membership.begin();
        membership.join("127.0.0.1:4041", _ -> {}, _ -> {});
        opened.push(membership);
    }

    void node(String name) throws Exception {
        node(name, "combined", Map.of());
    }

    String mzxid(String path) throws Exception {
        return "0x" + Long.toHexString(raw.checkExists().forPath(path).getMzxid());
    }

    String table() throws Exception {
        return new String(raw.getData().forPath("/kv/table"), UTF_8);
    }
}
