package dev.kv.server;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.testing.Await;
import dev.kv.router.testing.MapStore;
import dev.kv.server.testing.LineClient;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.slf4j.LoggerFactory;

@Timeout(60)
final class ConversationTest {
    @Test
    void theConversationOfTheGuide() throws Exception {
        try (TestDoor door = new TestDoor(new MapStore());
                LineClient client = door.client()) {
            assertThat(client.ask("UNKNOWN shopping")).isEqualTo("UNKNOWN COMMAND");
            assertThat(client.ask("GET shopping eggs")).isEqualTo("NOT FOUND");
            assertThat(client.ask("CREATE shopping")).isEqualTo("OK");
            assertThat(client.ask("PUT shopping eggs 3")).isEqualTo("OK");
            assertThat(client.ask("GET shopping eggs")).isEqualTo("3");
            assertThat(client.line()).isEqualTo("OK");
            assertThat(client.ask("DELETE shopping eggs")).isEqualTo("OK");
            assertThat(client.ask("GET shopping eggs")).isEmpty();
            assertThat(client.line()).isEqualTo("OK");
        }
    }

    @Test
    void commandsRunWithoutWaitingForEarlierRepliesAndRepliesLeaveInOrder() throws Exception {
        HeldStore store = new HeldStore();
        try (TestDoor door = new TestDoor(store);
                LineClient client = door.client()) {
            client.send("GET b first\n");
            store.next().answer();
            assertThat(List.of(client.line(), client.line())).containsExactly("first", "OK");
            StringBuilder requests = new StringBuilder();
            StringBuilder replies = new StringBuilder();
            for (int i = 0; i < 100; i++) {
                requests.append("GET b k").append(i).append("\nPUT b k v\nWHAT\n");
                replies.append('k').append(i).append("\r\nOK\r\nOK\r\nUNKNOWN COMMAND\r\n");
            }
            client.send(requests.toString());
            List<HeldStore.Held> held = new ArrayList<>();
            for (int i = 0; i < 100; i++) {
                held.add(store.next());
            }
            held.reversed().forEach(HeldStore.Held::answer);
            client.endOutput();

            assertThat(client.rest()).isEqualTo(replies.toString());
        }
    }

    @Test
    void aReplyLeavesAsSoonAsThoseBeforeItHave() throws Exception {
        HeldStore store = new HeldStore();
        try (TestDoor door = new TestDoor(store);
                LineClient client = door.client()) {
            client.send("GET b first\nGET b second\nGET b third\n");
            HeldStore.Held first = store.next();
            HeldStore.Held second = store.next();
            HeldStore.Held third = store.next();

            third.answer();
            first.answer();
            assertThat(client.line()).isEqualTo("first");
            assertThat(client.line()).isEqualTo("OK");
            second.answer();
            assertThat(client.line()).isEqualTo("second");
            assertThat(client.line()).isEqualTo("OK");
            assertThat(client.line()).isEqualTo("third");
            assertThat(client.line()).isEqualTo("OK");
            assertThat(client.ask("PUT b k v")).isEqualTo("OK");
        }
    }

    @Test
    void aClientThatEndsItsOutputGetsAllReplies() throws Exception {
        HeldStore store = new HeldStore();
        try (TestDoor door = new TestDoor(store);
                LineClient client = door.client()) {
            client.send("GET b first\nGET b second\nGET b dropped");
            client.endOutput();
            HeldStore.Held first = store.next();
            HeldStore.Held second = store.next();
            second.answer();
            first.answer();

            assertThat(client.rest()).isEqualTo("first\r\nOK\r\nsecond\r\nOK\r\n");
            assertThat(store.waiting()).isZero();
        }
    }

    @Test
    void aWholeRequestBeforeAResetIsRunAndHalfARequestIsNot() throws Exception {
        BlockingQueue<Command> run = new LinkedBlockingQueue<>();
        try (TestDoor door = new TestDoor((command, _) -> {
            run.add(command);
            return CompletableFuture.completedFuture(Reply.OK);
        })) {
            LineClient whole = door.client();
            whole.send("CREATE whole\n");
            whole.reset();
            assertThat(run.poll(20, TimeUnit.SECONDS)).isEqualTo(new Command.Create(Bytes.of("whole")));

            LineClient half = door.client();
            assertThat(half.ask("CREATE b")).isEqualTo("OK");
            half.send("CREATE half");
            half.reset();
            Await.until("the door has 0 connections", () -> door.connections() == 0);
            assertThat(run).containsExactly(new Command.Create(Bytes.of("b")));
        }
    }

    @Test
    void aReplyToAClosedConnectionIsDropped() throws Exception {
        HeldStore store = new HeldStore();
        try (TestDoor door = new TestDoor(store);
                LineClient other = door.client()) {
            LineClient gone = door.client();
            gone.send("GET b k\n");
            HeldStore.Held held = store.next();
            gone.reset();
            Await.until("the door has 1 connections", () -> door.connections() == 1);
            held.answer();

            assertThat(other.ask("PUT b k v")).isEqualTo("OK");
        }
    }

    @Test
    void aFaultEndsOnlyItsConnection() throws Exception {
        HeldStore held = new HeldStore();
        try (TestDoor door = new TestDoor((command, _) -> switch (command) {
                    case Command.Create _ -> throw new IllegalStateException("thrown");
                    case Command.Delete _ ->
                        CompletableFuture.failedFuture(new IllegalStateException("failed at once"));
                    case Command.Put _ -> CompletableFuture.completedFuture(new Reply.Way(List.of(), Optional.empty()));
                    default -> held.run(command);
                });
                LineClient other = door.client();
                LineClient late = door.client();
                LineClient thrown = door.client();
                LineClient failed = door.client();
                LineClient senseless = door.client()) {
            late.send("GET b k\n");
            held.next().fail(new IllegalStateException("failed later"));
            thrown.send("CREATE b\n");
            failed.send("DELETE b k\n");
            senseless.send("PUT b k v\n");

            assertThat(late.isClosed()).isTrue();
            assertThat(thrown.isClosed()).isTrue();
            assertThat(failed.isClosed()).isTrue();
            assertThat(senseless.isClosed()).isTrue();
            other.send("GET b k\n");
            held.next().answer();
            assertThat(other.line()).isEqualTo("k");
        }
    }

    @Test
    void aFaultIsLoggedOnceWithCommandBucketAndAddress() throws Exception {
        HeldStore store = new HeldStore();
        Logger log = (Logger) LoggerFactory.getLogger("dev.kv");
        ListAppender<ILoggingEvent> events = new ListAppender<>();
        events.start();
        log.addAppender(events);
        try (TestDoor door = new TestDoor(store);
                LineClient client = door.client()) {
            client.send("GET shopping eggs\nGET shopping milk\n");
            HeldStore.Held first = store.next();
            HeldStore.Held second = store.next();
            first.fail(new IllegalStateException("disk on fire"));
            second.fail(new IllegalStateException("disk on fire"));

            assertThat(client.isClosed()).isTrue();
            Await.until("the door has 0 connections", () -> door.connections() == 0);
        } finally {
            log.detachAppender(events);
        }
        assertThat(events.list)
                .extracting(ILoggingEvent::getFormattedMessage)
                .filteredOn(line -> line.contains("fault"))
                .singleElement()
                .asString()
                .contains("Get", "bucket shopping", "127.0.0.1:");
    }

    @Test
    void aFailedCommandLeavesTheConnectionOpen() throws Exception {
        Reply failed = new Reply.Failed(Reply.Word.NOROUTE, "could not find entry for \"b\" in table []");
        try (TestDoor door = new TestDoor((command, _) -> CompletableFuture.completedFuture(failed));
                LineClient client = door.client()) {
            assertThat(client.ask("GET b k")).isEqualTo("ERROR NOROUTE could not find entry for \"b\" in table []");
            assertThat(client.ask("GET b k")).startsWith("ERROR NOROUTE ");
        }
    }

    @Test
    void aValueThatALineCannotCarryIsAnError() throws Exception {
        Reply value = new Reply.Value(Bytes.of("milk\r\nNOT FOUND"));
        try (TestDoor door = new TestDoor((command, _) ->
                        CompletableFuture.completedFuture(command instanceof Command.Get ? value : Reply.OK));
                LineClient client = door.client()) {
            client.send("GET b k\nPUT b k v\n");
            assertThat(client.line()).startsWith("ERROR ERR ").contains("HGET");
            assertThat(client.line()).isEqualTo("OK");
        }
    }
}
