package dev.kv.server.line;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class LineCommandTest {
    private static Optional<Command> parse(String line) {
        byte[] bytes = ("before " + line + "\nafter").getBytes(ISO_8859_1);
        Words words = new Words();
        words.split(bytes, 7, bytes.length - 6);
        return LineCommand.parse(words);
    }

    private static Bytes bytes(String text) {
        return Bytes.owning(text.getBytes(ISO_8859_1));
    }

    @Test
    void aLineWithTheRightNumberOfWordsIsACommand() {
        assertThat(parse("CREATE shopping\r")).contains(new Command.Create(bytes("shopping")));
        assertThat(parse("PUT shopping milk 1\r"))
                .contains(new Command.Put(bytes("shopping"), bytes("milk"), bytes("1")));
        assertThat(parse("GET shopping milk\r")).contains(new Command.Get(bytes("shopping"), bytes("milk")));
        assertThat(parse("DELETE shopping eggs\r")).contains(new Command.Delete(bytes("shopping"), bytes("eggs")));
    }

    @Test
    void wordsAreSeparatedByAnyNumberOfSpaceHtVtFfAndCr() {
        Optional<Command> put = Optional.of(new Command.Put(bytes("b"), bytes("k"), bytes("v")));

        assertThat(parse("PUT b k v")).isEqualTo(put);
        assertThat(parse("  PUT  b  k  v  ")).isEqualTo(put);
        assertThat(parse("\tPUT\u000Bb\fk\rv \t\u000B\f\r")).isEqualTo(put);
    }

    @Test
    void everyOtherByteCanBePartOfAWord() {
        for (int b = 0; b < 256; b++) {
            if (" \t\u000B\f\r\n".indexOf(b) < 0) {
                String word = "a" + (char) b + "z";
                assertThat(parse("GET " + word + " " + (char) b))
                        .contains(new Command.Get(bytes(word), bytes(String.valueOf((char) b))));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "\r",
                "HELLO",
                "create shopping",
                "CREATE",
                "CREAT shopping",
                "CREATES shopping",
                "CREATE shopping now",
                "PUT shopping milk",
                "PUT shopping milk 1 2",
                "PUT shopping milk 1 2 3 4 5 6 7 8",
                "GET shopping",
                "GET shopping milk eggs",
                "DELETE shopping",
                "DELETE shopping milk eggs",
                "ROUTE shopping",
                "AUTH secret",
                "*1"
            })
    void otherLinesAreNoCommands(String line) {
        assertThat(parse(line)).isEmpty();
    }
}
