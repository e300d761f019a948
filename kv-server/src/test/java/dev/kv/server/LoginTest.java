package dev.kv.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.testing.Await;
import dev.kv.router.testing.MapStore;
import dev.kv.server.testing.LineClient;
import dev.kv.server.testing.RespClient;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The password, in both protocols, and the bounds for clients that have not logged in. */
@Timeout(60)
final class LoginTest {
    private static TestDoor locked() {
        return new TestDoor(TestDoor.ECHO, knobs -> {
            knobs.password = Bytes.of("open sesame");
            return knobs;
        });
    }

    @Test
    void aClientThatHasNotLoggedInIsRefused() throws Exception {
        try (TestDoor door = locked();
                RespClient client = door.respClient()) {
            assertThat(client.say("HGET b k")).isEqualTo("NOAUTH Authentication required.");
            assertThat(client.say("PING")).isEqualTo("NOAUTH Authentication required.");
            assertThat(client.say("NOSUCH")).startsWith("ERR unknown command");
            assertThat(client.say("HELLO 3")).startsWith("NOAUTH HELLO must be called with the client already");
            assertThat(client.ask("AUTH", "wrong"))
                    .isEqualTo("WRONGPASS invalid username-password pair or user is disabled.");
            assertThat(client.ask("AUTH", "other", "open sesame")).startsWith("WRONGPASS");
            assertThat(client.ask("AUTH", "open sesame")).isEqualTo("OK");
            assertThat(client.say("HGET b k")).isEqualTo("\"k\"");
            assertThat(client.say("RESET")).isEqualTo("RESET");
            assertThat(client.say("HGET b k")).startsWith("NOAUTH");
            assertThat(client.ask("HELLO", "3", "AUTH", "default", "open sesame"))
                    .startsWith("{");
            assertThat(client.say("HGET b k")).isEqualTo("\"k\"");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"*11\r\n", "*1\r\n$16385\r\n"})
    void requestsBeforeTheLoginAreShort(String request) throws Exception {
        try (TestDoor door = locked();
                RespClient client = door.respClient()) {
            client.send(request);
            assertThat(client.rest()).startsWith("-ERR Protocol error: unauthenticated ");
        }
    }

    @Test
    void theLineProtocolHasALogin() throws Exception {
        try (TestDoor door = new TestDoor(new MapStore(), knobs -> {
                    knobs.password = Bytes.of("sesame");
                    return knobs;
                });
                LineClient client = door.client()) {
            assertThat(client.ask("CREATE b")).isEqualTo("ERROR NOAUTH Authentication required.");
            assertThat(client.ask("AUTH wrong")).isEqualTo("ERROR WRONGPASS the password is wrong");
            assertThat(client.ask("AUTH sesame")).isEqualTo("OK");
            assertThat(client.ask("CREATE b")).isEqualTo("OK");
        }
        try (TestDoor door = new TestDoor(new MapStore());
                LineClient client = door.client()) {
            assertThat(client.ask("AUTH sesame")).startsWith("ERROR ERR this node asks for no password");
            assertThat(client.ask("CREATE b")).isEqualTo("OK");
        }
    }

    @Test
    void clientsThatDoNotLogInAreBoundedAndKeepOutNobodyElse() throws Exception {
        List<LineClient> strangers = new ArrayList<>();
        try (TestDoor door = new TestDoor(new MapStore(), knobs -> {
                    knobs.password = Bytes.of("sesame");
                    knobs.loginsMax = 4;
                    knobs.connectionsMax = 2;
                    return knobs;
                });
                LineClient first = door.client()) {
            assertThat(first.ask("AUTH sesame")).isEqualTo("OK");
            for (int i = 0; i < 50; i++) {
                LineClient stranger = door.client();
                strangers.add(stranger);
                // Answered, and so accepted: the next one takes a place later than this one did.
                assertThat(stranger.ask("CREATE b")).startsWith("ERROR NOAUTH ");
            }
            Await.until("the door has 5 connections", () -> door.connections() == 5);
            assertThat(first.ask("CREATE b")).isEqualTo("OK");

            LineClient late = door.client();
            assertThat(late.ask("AUTH wrong")).startsWith("ERROR WRONGPASS ");
            assertThat(late.ask("AUTH sesame")).isEqualTo("OK");
            assertThat(late.ask("CREATE b")).isEqualTo("OK");
            String refusal = "ERR too many connections: this node serves 2 at most (kv.server.connections-max)";
            try (LineClient tooMany = door.client();
                    RespClient respToo = door.respClient()) {
                tooMany.send("AUTH sesame\nCREATE c\n");
                assertThat(tooMany.rest()).isEqualTo("ERROR " + refusal + "\r\n");
                assertThat(respToo.say("AUTH sesame")).isEqualTo(refusal);
                assertThat(respToo.rest()).isEmpty();
            }

            late.close();
            Await.until("a client can log in", () -> logsIn(door));
        } finally {
            for (LineClient stranger : strangers) {
                stranger.close();
            }
        }
    }

    private static boolean logsIn(TestDoor door) {
        try (LineClient client = door.client()) {
            return client.ask("AUTH sesame").equals("OK");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void aClientThatDoesNotLogInInTimeIsClosed() throws Exception {
        try (TestDoor door = new TestDoor(new MapStore(), knobs -> {
                    knobs.password = Bytes.of("sesame");
                    knobs.loginTimeout = Duration.ofMillis(300);
                    return knobs;
                });
                LineClient client = door.client();
                LineClient stranger = door.client()) {
            assertThat(client.ask("AUTH sesame")).isEqualTo("OK");
            assertThat(stranger.isClosed()).isTrue();
            try (LineClient second = door.client()) {
                assertThat(second.isClosed()).isTrue();
            }
            assertThat(client.ask("CREATE b")).isEqualTo("OK");
        }
    }
}
