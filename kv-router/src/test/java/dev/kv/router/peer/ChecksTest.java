package dev.kv.router.peer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Held;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.testing.Await;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Which large values a node checks first, of those that many clients have asked for. */
@Timeout(60)
class ChecksTest extends WithBackHost {
    private static final int AHEAD = 20;
    private static final Bytes LARGE = Bytes.of("large");
    private static final Bytes LARGER = Bytes.of("larger");
    private static final Bytes LATE = Bytes.of("late");

    private final ByteBuffer large = ByteBuffer.allocateDirect(100_000);
    private final ByteBuffer larger = ByteBuffer.allocateDirect(40 << 20);
    private final AtomicInteger held = new AtomicInteger();
    private final List<LargeInMemory> values = Collections.synchronizedList(new ArrayList<>());
    private final CompletableFuture<Reply> late = new CompletableFuture<>();

    @Override
    void start() throws Exception {
        // No younger reply finds room.
        front.roomBytes = 60 << 20;
        Store plain = back.store;
        back.store = (command, _) -> switch (command) {
            case Command.Get(Bytes _, Bytes key)
            when key.equals(LARGE) -> CompletableFuture.completedFuture(value(large));
            case Command.Get(Bytes _, Bytes key)
            when key.equals(LARGER) -> CompletableFuture.completedFuture(value(larger));
            case Command.Get(Bytes _, Bytes key) when key.equals(LATE) -> late;
            default -> plain.run(command);
        };
        super.start();
    }

    private Reply value(ByteBuffer bytes) {
        LargeInMemory value = new LargeInMemory(bytes, held, Reply.OK);
        values.add(value);
        return new Reply.LargeValue(value);
    }

    private List<LargeInMemory> checked() {
        return List.copyOf(values).stream().filter(LargeInMemory::isChecked).toList();
    }

    private static CompletableFuture<Reply> ask(Store client, Bytes key) {
        return client.run(new Command.Get(NUTS, key)).toCompletableFuture();
    }

    @Test
    void ofAClientThatTakesNoReplyFewAreCheckedAndNoneBeforeThoseOfOthers() throws Exception {
        start();
        List<CompletableFuture<Reply>> untaken = front.onLoop(client -> {
            List<CompletableFuture<Reply>> replies = new ArrayList<>();
            for (int i = 0; i < AHEAD; i++) {
                replies.add(ask(client, LARGER));
            }
            return replies;
        });
        Held.releaseIn(ask(LARGE).get(20, TimeUnit.SECONDS));
        assertThat(checked())
                .as("the first, the one behind it, and that of the other")
                .hasSizeLessThanOrEqualTo(3);
        Await.until(front::roomWaits);
        Held.releaseIn(ask(LARGE).get(20, TimeUnit.SECONDS));
        assertThat(checked()).hasSize(4);

        for (CompletableFuture<Reply> reply : untaken) {
            Held.releaseIn(reply.get(20, TimeUnit.SECONDS));
        }
        Await.until(() -> held.get() == 0 && front.roomTaken() == 0);
    }

    @Test
    void aReplyThatIsReadyLateDoesNotWaitForYoungerOnes() throws Exception {
        start();
        List<CompletableFuture<Reply>> replies =
                front.onLoop(client -> List.of(ask(client, LATE), ask(client, LARGER), ask(client, LARGER)));
        Await.until(() -> front.roomWaits() && checked().size() == 1);
        back.onLoop(_ -> late.complete(value(larger)));
        for (CompletableFuture<Reply> reply : replies) {
            Held.releaseIn(reply.get(20, TimeUnit.SECONDS));
        }
        Await.until(() -> held.get() == 0 && front.roomTaken() == 0);
    }

    @Test
    void whatNobodyAwaitsIsNotCheckedAndLetsOthersFollow() throws Exception {
        start();
        List<CompletableFuture<Reply>> replies = front.onLoop(
                client -> List.of(ask(client, LATE), ask(client, LARGER), ask(client, LARGER), ask(client, LARGE)));
        Await.until(() -> front.roomWaits() && checked().size() == 1);
        front.onLoop(_ -> replies.get(1).cancel(false) && replies.get(2).cancel(false));
        Held.releaseIn(replies.getLast().get(20, TimeUnit.SECONDS));
        assertThat(checked())
                .as("the first one that was cancelled, and the last one")
                .hasSize(2);
        back.onLoop(_ -> late.complete(value(large)));
        Held.releaseIn(replies.getFirst().get(20, TimeUnit.SECONDS));
        Await.until(() -> held.get() == 0 && front.roomTaken() == 0);
    }
}
