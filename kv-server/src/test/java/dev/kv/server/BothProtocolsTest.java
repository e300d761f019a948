package dev.kv.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.testing.MapStore;
import dev.kv.server.testing.RespClient;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Lines and requests of RESP on one connection. */
@Timeout(60)
final class BothProtocolsTest {
    @Test
    void bothProtocolsTakeTurnsOnOneConnection() throws Exception {
        try (TestDoor door = new TestDoor(new MapStore());
                RespClient client = door.respClient()) {
            client.send("CREATE shopping\r\n" + RespClient.request("PING") + "PUT shopping milk 1\n"
                    + RespClient.request("HGET", "shopping", "milk") + "GET shopping milk\r\n"
                    + RespClient.request("ECHO", "line\r\nbreaks\r\n*1\r\n") + "GET shopping\n");

            assertThat(client.line()).isEqualTo("OK");
            assertThat(client.line()).isEqualTo("+PONG");
            assertThat(client.line()).isEqualTo("OK");
            assertThat(client.reply()).isEqualTo("\"1\"");
            assertThat(client.line()).isEqualTo("1");
            assertThat(client.line()).isEqualTo("OK");
            assertThat(client.reply()).isEqualTo("\"line\r\nbreaks\r\n*1\r\n\"");
            assertThat(client.line()).isEqualTo("-ERR unknown command 'GET', with args beginning with: 'shopping' ");
        }
    }

    /** A Redis client takes a line of the other protocol for a part of a reply, and is out of step from there on. */
    @Test
    void allErrorsOfAClientThatHasSpokenRespAreThoseOfResp() throws Exception {
        Store failing = (command, _) -> CompletableFuture.completedFuture(
                switch (command) {
                    case Command.Put _ -> new Reply.Failed(Reply.Word.NOSPACE, "the disk is full");
                    case Command.Get _ -> new Reply.Value(Bytes.of("a\r\nb"));
                    default -> Reply.NOT_FOUND;
                });
        try (TestDoor door = new TestDoor(failing, knobs -> {
                    knobs.lineMaxBytes = 1024;
                    return knobs;
                });
                RespClient client = door.respClient()) {
            client.send("PUT b k v\nGET b k\nSYNC\n");
            assertThat(client.line()).isEqualTo("ERROR NOSPACE the disk is full");
            assertThat(client.line()).startsWith("ERROR ERR this value");
            assertThat(client.line()).isEqualTo("UNKNOWN COMMAND");
            assertThat(client.say("PING")).isEqualTo("PONG");
            client.send("PUT b k v\nGET b k\nSYNC\nPUT b k " + "v".repeat(1024) + "\nAUTH x\nDELETE b k\n");
            assertThat(client.line()).isEqualTo("-NOSPACE the disk is full");
            assertThat(client.line()).startsWith("-ERR this value");
            assertThat(client.line()).isEqualTo("-ERR unknown command 'SYNC', with args beginning with: ");
            assertThat(client.line()).startsWith("-TOOLARGE the line is longer");
            assertThat(client.line()).startsWith("-ERR this node asks for no password");
            assertThat(client.line()).isEqualTo("NOT FOUND");
        }
    }

    @Test
    void emptyLinesAreNothingBeforeTheFirstLineOfWords() throws Exception {
        try (TestDoor door = new TestDoor(new MapStore());
                RespClient lines = door.respClient();
                RespClient requests = door.respClient()) {
            lines.send("\r\n\n \t\r\nCREATE b\n\r\n");
            assertThat(lines.line()).isEqualTo("OK");
            assertThat(lines.line()).isEqualTo("UNKNOWN COMMAND");
            requests.send("\r\n\n  \n" + RespClient.request("PING"));
            assertThat(requests.line()).isEqualTo("+PONG");
        }
    }

    /** As redis-cli --pipe sends one, before it asks for its last reply. */
    @Test
    void anEmptyLineIsNothingOnceAClientHasSpokenResp() throws Exception {
        try (TestDoor door = new TestDoor(new MapStore());
                RespClient client = door.respClient()) {
            client.send(
                    RespClient.request("PING") + "\r\n\n" + RespClient.request("PING") + "CREATE b\n\r\nCREATE b\n");

            assertThat(client.line()).isEqualTo("+PONG");
            assertThat(client.line()).isEqualTo("+PONG");
            assertThat(client.line()).isEqualTo("OK");
            assertThat(client.line()).isEqualTo("OK");
        }
    }
}
