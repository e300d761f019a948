package dev.kv.server.line;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.Bytes;
import dev.kv.router.Reply;
import dev.kv.server.reply.Piece;
import java.io.ByteArrayOutputStream;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class LineReplyTest {
    private static String written(Reply reply) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        for (Piece piece : LineReply.of(reply)) {
            bytes.writeBytes(((Piece.Array) piece).bytes().array());
        }
        return bytes.toString(UTF_8);
    }

    private static Reply value(String value) {
        return new Reply.Value(Bytes.of(value));
    }

    @Test
    void outcomesAreLines() {
        assertThat(written(Reply.OK)).isEqualTo("OK\r\n");
        assertThat(written(Reply.NOT_FOUND)).isEqualTo("NOT FOUND\r\n");
        assertThat(written(Reply.ABSENT)).isEqualTo("\r\nOK\r\n");
        assertThat(written(value("1"))).isEqualTo("1\r\nOK\r\n");
        assertThat(written(value(""))).isEqualTo("\r\nOK\r\n");
    }

    @Test
    void aTypedReasonIsToldWithoutTheWordsOfRedis() {
        for (Reply.Reason reason : Reply.Reason.values()) {
            if (reason != Reply.Reason.IN_MESSAGE) {
                Reply.Failed failed = new Reply.Failed(reason);
                assertThat(written(failed))
                        .isEqualTo("ERROR " + reason.word() + " " + failed.message() + "\r\n")
                        .doesNotContain("HSCAN", "SCAN", "hash");
            }
        }
    }

    @Test
    void aFailureIsOneLineWithItsWord() {
        for (Reply.Word word : Reply.Word.values()) {
            assertThat(written(new Reply.Failed(word, "no way to café")))
                    .isEqualTo("ERROR " + word.name() + " no way to café\r\n");
        }
        assertThat(written(new Reply.Failed(Reply.Word.ERR, "one\r\ntwo\nthree")))
                .isEqualTo("ERROR ERR one  two three\r\n");
    }

    @ParameterizedTest
    @ValueSource(strings = {"\n", "\r", "a\nb", "a\r", "\nOK", "NOT FOUND", "ERROR ", "ERROR ERR no"})
    void aValueThatReadsLikeAnotherReplyIsAnError(String value) {
        assertThat(written(value(value)))
                .isEqualTo("ERROR ERR this value cannot be told from the protocol's own lines: read it with HGET\r\n");
    }

    @ParameterizedTest
    @ValueSource(strings = {"NOT FOUND ", "not found", "ERROR", "ERRORS ", " ERROR ", "OK", "a b"})
    void aValueThatOnlyLooksSimilarIsAValue(String value) {
        assertThat(written(value(value))).isEqualTo(value + "\r\nOK\r\n");
    }

    @Test
    void noLineIsAnsweredWithAWay() {
        assertThatThrownBy(() -> LineReply.of(new Reply.Way(List.of(), Optional.empty())))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
