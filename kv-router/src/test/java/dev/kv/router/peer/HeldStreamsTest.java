package dev.kv.router.peer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.CommandThread;
import dev.kv.router.LongReply;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.testing.Await;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Clients of one link to a node of which each write waits for its disk, and holds back what its client sends behind it. */
@Timeout(60)
class HeldStreamsTest extends WithBackHost {
    private static final Bytes KEY = Bytes.of("key");
    private static final int VALUE_BYTES = 60_000;

    /** Each runs the next write. */
    private final BlockingQueue<Runnable> writes = new LinkedBlockingQueue<>();

    /** Grows as the disk takes what was written. */
    private final AtomicLong moves = new AtomicLong();

    @BeforeEach
    void prepare() {
        Store plain = back.store;
        back.store = (command, _) -> {
            if (!(command instanceof Command.Put)) {
                return plain.run(command);
            }
            CompletableFuture<Void> placed = new CompletableFuture<>();
            LongReply.UnderWay answer = new LongReply.UnderWay(moves::get, placed);
            CommandThread loop = CommandThread.current().orElseThrow();
            writes.add(() -> loop.execute(() -> {
                var _ = plain.run(command).thenAccept(answer::complete);
                placed.complete(null);
            }));
            return answer;
        };
    }

    private static CompletableFuture<Reply> write(Store client, int number) {
        return client.run(new Command.Put(NUTS, KEY, value(number))).toCompletableFuture();
    }

    private static CompletableFuture<Reply> read(Store client) {
        return client.run(new Command.Get(NUTS, KEY)).toCompletableFuture();
    }

    private static Bytes value(int number) {
        byte[] value = new byte[VALUE_BYTES];
        value[0] = (byte) number;
        return Bytes.owning(value);
    }

    private void runNextWrite() throws InterruptedException {
        writes.poll(20, TimeUnit.SECONDS).run();
    }

    @Test
    void whatIsBehindAWriteOfItsClientWaitsAndOtherClientsAreServed() throws Exception {
        startHosts();
        Store client = front.client();
        Store other = front.client();
        List<CompletableFuture<Reply>> replies = new ArrayList<>();
        for (int i = 1; i <= 5; i++) {
            replies.add(write(client, i));
            replies.add(read(client));
        }
        assertThat(Host.await(read(other))).isEqualTo(Reply.ABSENT);
        assertThat(replies).noneMatch(CompletableFuture::isDone);

        for (int i = 1; i <= 5; i++) {
            assertThat(writes).hasSizeLessThanOrEqualTo(1);
            runNextWrite();
            assertThat(Host.await(replies.get(2 * i - 2))).isEqualTo(Reply.OK);
            assertThat(Host.await(replies.get(2 * i - 1))).isEqualTo(new Reply.Value(value(i)));
            assertThat(Host.await(read(other))).isEqualTo(new Reply.Value(value(i)));
        }
    }

    @Test
    void aRequestThatIsCancelledBehindAWriteIsNotRun() throws Exception {
        startHosts();
        Store client = front.client();
        CompletableFuture<Reply> first = write(client, 1);
        CompletableFuture<Reply> cancelled = read(client);
        CompletableFuture<Reply> second = write(client, 2);
        CompletableFuture<Reply> last = read(client);
        Await.until(() -> writes.size() == 1);
        cancelled.cancel(false);
        assertThat(Host.await(read(front.client()))).isEqualTo(Reply.ABSENT);
        runNextWrite();
        assertThat(Host.await(first)).isEqualTo(Reply.OK);
        runNextWrite();
        assertThat(Host.await(second)).isEqualTo(Reply.OK);
        assertThat(Host.await(last)).isEqualTo(new Reply.Value(value(2)));
    }

    /** What waits on the called node is bounded, for each client and for all. */
    @Test
    void whatIsTooMuchBehindAWriteIsRefusedAndOtherClientsAreServed() throws Exception {
        back.unsentMaxBytes = 1 << 20;
        startHosts();
        List<Store> clients = List.of(front.client(), front.client(), front.client());
        List<List<CompletableFuture<Reply>>> replies = new ArrayList<>();
        for (Store client : clients) {
            replies.add(new ArrayList<>());
            for (int i = 0; i < 20; i++) {
                replies.getLast().add(write(client, i));
            }
            // Clients that send ahead together take turns: those of each are to come before those of the next one.
            assertThat(Host.await(read(front.client()))).isEqualTo(Reply.ABSENT);
        }
        // Of two clients half a MiB each waits, beginning with the write; of the third one what is left of a MiB.
        int[] waiting = {8, 8, 1};
        for (int i = 0; i < clients.size(); i++) {
            for (CompletableFuture<Reply> refused : replies.get(i).subList(waiting[i], 20)) {
                assertThat(Host.await(refused)).isInstanceOfSatisfying(Reply.Failed.class, failed -> {
                    assertThat(failed.word()).isEqualTo(Reply.Word.UNREACHABLE);
                    assertThat(failed.message()).contains("slow disk").contains("kv.router.unsent-max");
                });
            }
        }
        for (int i = 0; i < 17; i++) {
            runNextWrite();
        }
        for (int i = 0; i < clients.size(); i++) {
            replies.get(i)
                    .subList(0, waiting[i])
                    .forEach(reply -> assertThat(Host.await(reply)).isEqualTo(Reply.OK));
        }
    }

    /** They wait on the calling node, which is told so, for as long as that takes. */
    @Test
    void longRequestsWaitForCreditWhileOthersWaitForTheDisk() throws Exception {
        back.unsentMaxBytes = 1 << 20;
        front.unsentMaxBytes = 1 << 20;
        front.timeout = Duration.ofSeconds(1);
        back.timeout = front.timeout;
        startHosts();
        List<CompletableFuture<Reply>> replies = new ArrayList<>();
        writeThree(replies);
        Await.until(() -> writes.size() == 3);
        writeThree(replies);
        Store reader = front.client();
        long end = System.nanoTime() + front.timeout.toNanos() * 3 / 2;
        while (System.nanoTime() - end < 0) {
            assertThat(Host.await(read(reader))).isEqualTo(Reply.ABSENT);
            assertThat(writes).hasSize(3);
            moves.incrementAndGet();
        }
        for (int i = 0; i < 6; i++) {
            runNextWrite();
        }
        replies.forEach(reply -> assertThat(Host.await(reply)).isEqualTo(Reply.OK));
    }

    private void writeThree(List<CompletableFuture<Reply>> replies) {
        Bytes large = Bytes.owning(new byte[400_000]);
        for (int i = 0; i < 3; i++) {
            replies.add(front.client().run(new Command.Put(NUTS, KEY, large)).toCompletableFuture());
        }
    }
}
