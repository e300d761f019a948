package dev.kv.acceptance;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.MeasuresTime;
import dev.kv.acceptance.harness.NodeProcess;
import dev.kv.acceptance.harness.UnpackedRelease;
import dev.kv.acceptance.harness.UnpackedRelease.Role;
import dev.kv.router.testing.Await;
import dev.kv.server.testing.LineClient;
import dev.kv.server.testing.RespClient;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Clients that read large values slowly or never, and a bystander. */
@Timeout(180)
@MeasuresTime
class LargeValueReadersTest {
    private static final int MIB = 1024 * 1024;

    /** More than a turn of an I/O loop takes, and less than sending one large value takes. */
    private static final Duration WAIT_MAX = Duration.ofMillis(500);

    private final UnpackedRelease release = UnpackedRelease.of(Role.COMBINED);

    @TempDir
    private Path site;

    private NodeProcess foo;

    @BeforeEach
    void start() throws Exception {
        foo = new NodeProcess(release, site, "foo");
        foo.setJavaOptions("");
        foo.start();
    }

    @AfterEach
    void close() throws IOException {
        foo.close();
    }

    private static byte[] value(int bytes, long seed) {
        byte[] value = new byte[bytes];
        new Random(seed).nextBytes(value);
        return value;
    }

    private static void set(InetSocketAddress clients, String key, byte[] value) throws IOException {
        try (Socket client = new Socket(clients.getAddress(), clients.getPort())) {
            String head =
                    "*4\r\n$4\r\nHSET\r\n$1\r\nb\r\n$" + key.length() + "\r\n" + key + "\r\n$" + value.length + "\r\n";
            client.getOutputStream().write(head.getBytes(US_ASCII));
            client.getOutputStream().write(value);
            client.getOutputStream().write("\r\n".getBytes(US_ASCII));
            assertThat(client.getInputStream().read()).isEqualTo(':');
        }
    }

    private Socket ask(String key, int receiveBufferBytes) throws IOException {
        Socket client = new Socket();
        client.setReceiveBufferSize(receiveBufferBytes);
        client.setSoTimeout((int) Await.TIMEOUT.toMillis());
        client.connect(foo.clients());
        client.getOutputStream().write(RespClient.request("HGET", "b", key).getBytes(ISO_8859_1));
        return client;
    }

    @Test
    void clientsThatNeverReadDelayNobodyAndTakeNoMemory() throws Exception {
        set(foo.clients(), "k", value(60 * MIB, 1));
        List<Socket> hogs = new ArrayList<>();
        try (LineClient bystander = foo.connect()) {
            assertThat(bystander.ask("CREATE a")).isEqualTo("OK");
            long before = foo.ownBytes();
            Duration longest = Duration.ZERO;
            long end = System.nanoTime() + Duration.ofSeconds(5).toNanos();
            while (System.nanoTime() < end) {
                if (hogs.size() < 200) {
                    hogs.add(ask("k", 64 * 1024));
                }
                long start = System.nanoTime();
                assertThat(bystander.ask("PUT a k v")).isEqualTo("OK");
                Duration took = Duration.ofNanos(System.nanoTime() - start);
                longest = took.compareTo(longest) > 0 ? took : longest;
            }
            long grown = foo.ownBytes() - before;
            System.out.println("LargeValueReadersTest: a bystander waited for " + longest.toMillis()
                    + " ms at most, memory grew by " + grown / MIB + " MiB");

            assertThat(longest).isLessThan(WAIT_MAX);
            assertThat(grown).isLessThan(400L * MIB);
        } finally {
            for (Socket hog : hogs) {
                hog.close();
            }
        }
    }

    @Test
    void aSlowReaderGetsAllOfAValueThatIsReplacedMeanwhile() throws Exception {
        byte[] value = value(64 * MIB, 2);
        set(foo.clients(), "k", value);
        try (Socket slow = ask("k", 64 * 1024)) {
            InputStream input = slow.getInputStream();
            byte[] head = ("$" + value.length + "\r\n").getBytes(US_ASCII);
            assertThat(input.readNBytes(head.length)).isEqualTo(head);
            byte[] taken = new byte[value.length];
            int first = 1000;
            assertThat(input.readNBytes(taken, 0, first)).isEqualTo(first);
            // The value that it reads is dead now, and there are enough dead bytes for compaction to run.
            for (int i = 0; i < 4; i++) {
                set(foo.clients(), "k", value(64 * MIB, 3 + i));
            }
            try (RespClient info = new RespClient(foo.clients())) {
                Await.until(
                        "compaction has run",
                        () -> info.ask("INFO", "persistence").matches("(?s).*\\bkv_storage_compactions:[1-9].*"));
            }

            assertThat(input.readNBytes(taken, first, value.length - first)).isEqualTo(value.length - first);
            assertThat(Arrays.equals(taken, value)).isTrue();
            assertThat(input.readNBytes(2)).isEqualTo("\r\n".getBytes(US_ASCII));
        }
    }
}
