package dev.kv.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.testing.MapStore;
import dev.kv.server.testing.Transcript;
import dev.kv.server.testing.Transcript.Pace;
import java.io.IOException;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

final class TranscriptTest {
    private static TestDoor door;

    @BeforeAll
    static void open() {
        door = new TestDoor(new MapStore());
    }

    @AfterAll
    static void close() {
        door.close();
    }

    @TestFactory
    Stream<DynamicTest> transcriptsAreReplayedAtEveryPace() throws IOException {
        return Transcript.all().stream()
                .flatMap(transcript -> Arrays.stream(Pace.values())
                        .map(pace -> DynamicTest.dynamicTest(
                                transcript + ", " + pace, () -> transcript.replay(door.address(), pace))));
    }

    @Test
    void anAnswerOtherThanThatOfTheTranscriptIsAFailure() {
        refuses("> CREATE a\n< NO\n", "told:2: expected <NO> but got <OK>");
        refuses("> CREATE a\n<~ OKAY\n", "told:2: expected <OKAY> but got <OK>");
        refuses("> CREATE a\n", "told: more came than it should: <OK\\x0D\\x0A>");
        refuses(">> CREATE a\n>.\n< OK\n", "told:3: expected <OK> but the server closed the connection after <>");
        refuses("> CREATE a\n<.\n", "told:2: an answer came where the connection should have been closed");
    }

    private static void refuses(String told, String why) {
        Transcript transcript = Transcript.parse("told", told);
        assertThatThrownBy(() -> transcript.replay(door.address(), Pace.TURNS))
                .isInstanceOf(AssertionError.class)
                .hasMessage(why);
    }

    @Test
    void aMalformedLineIsNoTranscript() {
        assertThatThrownBy(() -> Transcript.parse("told", "> CREATE a\nOK\n"))
                .hasMessage("told:2: not a line of a transcript: OK");
        assertThat(Transcript.parse("told", "# nothing\n\n")).hasToString("told");
    }
}
