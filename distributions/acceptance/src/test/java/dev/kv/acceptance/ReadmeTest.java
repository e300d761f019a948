package dev.kv.acceptance;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.Cluster;
import dev.kv.acceptance.harness.Ended;
import dev.kv.acceptance.harness.RedisServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The examples of README print what stands below them there. */
@Timeout(60)
final class ReadmeTest {
    private static final Pattern BLOCK = Pattern.compile("(?ms)^```\\n(.*?)^```\\n");
    private static final Pattern COMMAND = Pattern.compile("(?m)^\\$ (.*)\\n((?:[^$].*\\n)*)");

    @TempDir
    private Path folder;

    private Cluster cluster;
    private String readme;

    @BeforeEach
    void start() throws IOException {
        readme = Files.readString(Path.of(System.getProperty("kv.root"), "README.md"));
        cluster = new Cluster(folder.resolve("nodes"), "foo");
        cluster.start("*=foo@h");
    }

    @AfterEach
    void close() {
        cluster.close();
    }

    private InetSocketAddress node() {
        return cluster.node("foo").clients();
    }

    /** The blocks that begin with this text. */
    private List<String> blocks(String beginning) {
        List<String> blocks = BLOCK.matcher(readme)
                .results()
                .map(block -> block.group(1))
                .filter(block -> block.startsWith(beginning))
                .toList();
        assertThat(blocks).isNotEmpty();
        return blocks;
    }

    @Test
    void theFirstExampleSetsAndReadsAValue() {
        assertThat(blocks("$ ").getFirst())
                .startsWith(
                        "$ redis-cli -p 4040 set greeting hello\nOK\n$ redis-cli -p 4040 get greeting\n\"hello\"\n");
    }

    @Test
    void redisCliPrintsWhatTheExamplesShow() {
        Assumptions.assumeTrue(RedisServer.isInstalled("redis-cli"), "no redis-cli is installed");
        for (String block : blocks("$ redis-cli ")) {
            Matcher command = COMMAND.matcher(block);
            while (command.find()) {
                // As at a terminal: with the types of the replies.
                String atNode = command.group(1)
                        .replace("redis-cli -p 4040 ", "redis-cli --no-raw -p " + node().getPort() + " ");
                // A time to live is shorter on a busy machine.
                String reply = Pattern.quote(command.group(2)).replace("60", "\\E([345][0-9]|60)\\Q");
                assertThat(Ended.of("sh", "-c", atNode).succeeded().out())
                        .as(command.group(1))
                        .matches(command.group(1).contains(" ttl ") ? reply : Pattern.quote(command.group(2)));
            }
        }
    }

    @Test
    void aSocketReceivesWhatTheExamplesShow() throws IOException {
        for (String block : blocks("$ printf ")) {
            Matcher command = COMMAND.matcher(block);
            while (command.find()) {
                String[] pipe = command.group(1).split(" \\| ", -1);
                assertThat(pipe).hasSize(2);
                assertThat(pipe[1]).isEqualTo("nc -q1 127.0.0.1 4040");
                String sent = Ended.of("sh", "-c", pipe[0]).succeeded().out();
                try (Socket socket = new Socket(node().getAddress(), node().getPort())) {
                    socket.getOutputStream().write(sent.getBytes(UTF_8));
                    socket.shutdownOutput();
                    assertThat(new String(socket.getInputStream().readAllBytes(), UTF_8))
                            .as(command.group(1))
                            .isEqualTo(command.group(2).replace("\n", "\r\n"));
                }
            }
        }
    }

    @Test
    void theProtocolByExampleIsWhatANodeAnswers() throws IOException {
        for (String block : blocks("> ")) {
            // What explains a line stands behind three blanks.
            String transcript = Arrays.stream(block.split("\n"))
                    .map(line -> line.replaceAll(" {3,}.*", ""))
                    .map(line -> line.equals("<") ? "< " : line)
                    .collect(Collectors.joining("\n"));
            cluster.node("foo").converse(transcript);
        }
    }
}
