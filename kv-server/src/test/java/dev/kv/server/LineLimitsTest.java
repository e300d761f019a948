package dev.kv.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.testing.Await;
import dev.kv.router.testing.MapStore;
import dev.kv.server.testing.LineClient;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** How long a line may be. */
@Timeout(60)
final class LineLimitsTest {
    private static final int MIB = 1024 * 1024;
    private static final int LINE_MAX_BYTES = 2000;
    private static final String TOO_LONG = "ERROR TOOLARGE the line is longer than 2000 bytes (kv.server.line-max)";

    private static TestDoor.Knobs shortLines(TestDoor.Knobs knobs) {
        knobs.lineMaxBytes = LINE_MAX_BYTES;
        return knobs;
    }

    private static String create(int lineBytes) {
        return "CREATE " + "b".repeat(lineBytes - "CREATE ".length());
    }

    @Test
    void aLineIsAtMostAsLongAsTheLimit() throws Exception {
        try (TestDoor door = new TestDoor(new MapStore(), LineLimitsTest::shortLines);
                LineClient client = door.client()) {
            client.send(create(LINE_MAX_BYTES) + "\n" + create(LINE_MAX_BYTES + 1) + "\n" + create(LINE_MAX_BYTES - 1)
                    + "\r\n" + create(LINE_MAX_BYTES) + "\r\nCREATE b\n");

            assertThat(client.line()).isEqualTo("OK");
            assertThat(client.line()).isEqualTo(TOO_LONG);
            assertThat(client.line()).isEqualTo("OK");
            assertThat(client.line()).isEqualTo(TOO_LONG);
            assertThat(client.line()).isEqualTo("OK");
        }
    }

    @Test
    void aLineThatIsTooLongIsOneErrorWhereverItIsCutIntoPackets() throws Exception {
        try (TestDoor door = new TestDoor(new MapStore(), LineLimitsTest::shortLines);
                LineClient client = door.client()) {
            String line = create(LINE_MAX_BYTES + 500) + "\n";
            for (int cut : List.of(1, 1000, 1998, 1999, 2000, 2001, 2002, 2003, 2400, 2499, 2500)) {
                client.send(line.substring(0, cut));
                // The first piece has been read for sure once others were answered after it, on every loop.
                door.roundTrips();
                client.send(line.substring(cut) + "CREATE b\n");
                assertThat(client.line()).isEqualTo(TOO_LONG);
                assertThat(client.line()).isEqualTo("OK");
            }
        }
    }

    @Test
    void aLineWithoutEndTakesNoMemory() throws Exception {
        TestDoor.Knobs knobs = new TestDoor.Knobs();
        try (TestDoor door = new TestDoor(new MapStore(), _ -> {
                    knobs.bufferMaxBytes = 4 * MIB;
                    return knobs;
                });
                LineClient client = door.client()) {
            String piece = "x".repeat(MIB);
            client.send("PUT b k ");
            for (int i = 0; i < 64; i++) {
                client.send(piece);
            }
            client.send("\nCREATE b\n");

            assertThat(client.line()).startsWith("ERROR TOOLARGE ");
            assertThat(client.line()).isEqualTo("OK");
        }
    }

    /** Redis calls this the length of an inline request. */
    @ParameterizedTest
    @ValueSource(strings = {"", "PUTS b k ", "put b k ", "\0", " ", "\r\n\n"})
    void longInputWithoutARequestEndsTheConnection(String begin) throws Exception {
        try (TestDoor door = new TestDoor(new MapStore());
                LineClient client = door.client()) {
            int ofTheLine = begin.length() - 1 - begin.lastIndexOf('\n');
            // Not a byte more than is read: it would reset the connection.
            client.send(begin + "x".repeat(64 * 1024 + 1 - ofTheLine));

            assertThat(client.rest()).isEqualTo("-ERR Protocol error: too big inline request\r\n");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"PUT b k ", "  \tPUT\tb k ", "CREATE b\r\nPUT b k ", "nonsense\r\n", "AUTH "})
    void aLongLineThatBeginsWithACommandOrFollowsALineIsRead(String begin) throws Exception {
        try (TestDoor door = new TestDoor(new MapStore());
                LineClient client = door.client()) {
            client.send(begin + "x".repeat(100_000));
            client.send("\r\nCREATE end\r\n");
            client.endOutput();

            assertThat(client.rest()).doesNotContain("Protocol error").endsWith("OK\r\n");
        }
    }

    @Test
    void aLineThatIsTooLongAndNeverEndsIsDropped() throws Exception {
        try (TestDoor door = new TestDoor(new MapStore(), LineLimitsTest::shortLines);
                LineClient client = door.client()) {
            client.send("CREATE b\n" + create(3 * LINE_MAX_BYTES));
            client.endOutput();

            assertThat(client.rest()).isEqualTo("OK\r\n");
        }
    }

    @Test
    void aLineForWhichNoMemoryIsLeftEndsItsConnectionAlone() throws Exception {
        HeldStore store = new HeldStore();
        try (TestDoor door = new TestDoor(store, knobs -> {
                    knobs.bufferMaxBytes = 100_000;
                    return knobs;
                });
                LineClient greedy = door.client();
                LineClient other = door.client()) {
            greedy.send("GET b k\nCREATE ");
            HeldStore.Held held = store.next();
            greedy.send("b".repeat(200_000));
            held.answer();

            assertThat(greedy.line()).isEqualTo("k");
            assertThat(greedy.line()).isEqualTo("OK");
            assertThat(greedy.line())
                    .isEqualTo("ERROR ERR this node has no memory left for unfinished requests (kv.server.buffer-max);"
                            + " try again later");
            assertThat(greedy.isClosed()).isTrue();
            // It has given back what it had.
            Await.until("the door has 1 connections", () -> door.connections() == 1);
            other.send(create(30_000));
            other.send("\n");
            assertThat(other.line()).isEqualTo("OK");
        }
    }
}
