package dev.kv.server;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.server.reply.PendingReplies;
import dev.kv.server.reply.Piece;
import dev.kv.server.resp.RespRequest;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a connection keeps when all its requests are answered does not depend on the largest of them. */
class KeptMemoryTest {
    private static final int CONNECTIONS = 64;
    private static final int LARGEST = 128 * 1024;
    private static final long KEPT_MAX_BYTES = CONNECTIONS * 128L * 1024;

    private static long usedBytes() {
        System.gc();
        return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
    }

    @Test
    void ofARequestWithManyArguments() throws Exception {
        byte[] bytes = ("*" + LARGEST + "\r\n" + "$1\r\na\r\n".repeat(LARGEST)).getBytes(US_ASCII);
        long before = usedBytes();
        List<RespRequest> requests = new ArrayList<>();
        for (int i = 0; i < CONNECTIONS; i++) {
            RespRequest request = new RespRequest(64, "x");
            assertThat(request.take(ByteBuffer.wrap(bytes), false)).isTrue();
            assertThat(request.count()).isEqualTo(LARGEST);
            request.clear();
            requests.add(request);
        }
        assertThat(usedBytes() - before).isLessThan(KEPT_MAX_BYTES);
        assertThat(requests).allMatch(request -> request.count() == 0);
    }

    @Test
    void ofManyRepliesThatWaitForAnOlderOne() {
        long before = usedBytes();
        List<PendingReplies> all = new ArrayList<>();
        for (int i = 0; i < CONNECTIONS; i++) {
            PendingReplies replies = new PendingReplies();
            for (int number = 0; number < LARGEST; number++) {
                replies.reserve();
            }
            for (int number = 0; number < LARGEST; number++) {
                replies.put(number, List.of());
            }
            int polled = 0;
            while (!replies.isEmpty() && replies.poll().isPresent()) {
                polled++;
            }
            assertThat(polled).isEqualTo(LARGEST);
            all.add(replies);
        }
        assertThat(usedBytes() - before).isLessThan(KEPT_MAX_BYTES);
        for (PendingReplies replies : all) {
            replies.put(replies.reserve(), List.of());
            assertThat(replies.poll()).isPresent();
        }
    }

    /** A closed connection may be reachable for a while. */
    @Test
    void ofTheRepliesOfAClosedConnection() {
        long before = usedBytes();
        List<PendingReplies> all = new ArrayList<>();
        for (int i = 0; i < CONNECTIONS; i++) {
            PendingReplies replies = new PendingReplies();
            replies.reserve();
            replies.put(replies.reserve(), List.of(new Piece.Array(Bytes.owning(new byte[1 << 20]))));
            replies.release();
            all.add(replies);
        }
        assertThat(usedBytes() - before).isLessThan(KEPT_MAX_BYTES);
        assertThat(all).allMatch(PendingReplies::isEmpty);
    }
}
