package dev.kv.router.peer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.testing.Await;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;

/** For tests of a node in front that keeps nothing, a node behind it that keeps all buckets, and one between them if a test starts it. */
abstract class WithBackHost {
    static final Bytes NUTS = Bytes.of("nuts");
    static final Bytes SMALL = Bytes.of("small");

    final Host front = new Host("front@h");
    final Host middle = new Host("middle@h");
    final Host back = new Host("back@h");

    @AfterEach
    void stop() {
        front.close();
        middle.close();
        back.close();
    }

    /** Starts the two, and creates the bucket. */
    final void startHosts() throws Exception {
        back.start("*=back@h");
        front.knows(back);
        front.start("*=back@h");
        // The first connection may take longer than a test's timeout.
        Await.until(() -> front.ask(new Command.Create(NUTS)).equals(Reply.OK));
    }

    /** Starts the two, and writes a small value. */
    void start() throws Exception {
        startHosts();
        front.ask(new Command.Put(NUTS, SMALL, Bytes.of("1")));
    }

    final CompletableFuture<Reply> ask(Bytes key) {
        return front.client().run(new Command.Get(NUTS, key)).toCompletableFuture();
    }

    final void assertSmallIsServed() {
        assertThat(Host.await(ask(SMALL))).isEqualTo(new Reply.Value(Bytes.of("1")));
    }
}
