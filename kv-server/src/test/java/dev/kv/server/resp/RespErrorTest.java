package dev.kv.server.resp;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Reply;
import org.junit.jupiter.api.Test;

final class RespErrorTest {
    @Test
    void aTypedReasonIsToldInTheWordsOfRedis() {
        for (Reply.Reason reason : Reply.Reason.values()) {
            // A text of Redis that names no command: each door has it.
            boolean isSame = reason == Reply.Reason.IN_MESSAGE || reason == Reply.Reason.WRONG_TYPE;
            if (!isSame && reason != Reply.Reason.NAMES_APART) {
                Reply.Failed failed = new Reply.Failed(reason);
                assertThat(RespError.line(failed))
                        .startsWith(reason.word() + " ")
                        .doesNotContain(failed.message());
            }
        }
        assertThat(RespError.line(new Reply.Failed(Reply.Reason.CONTENT_TOO_LARGE)))
                .isEqualTo("ERR reply too large, use HSCAN");
        assertThat(RespError.line(new Reply.Failed(
                        Reply.Word.EXECABORT, Reply.Reason.NAMES_APART, "foo@h does not keep \"pear\"")))
                .isEqualTo("EXECABORT Transaction discarded because its keys are on several nodes:"
                        + " foo@h does not keep \"pear\"");
        assertThat(RespError.line(new Reply.Failed(Reply.Reason.WRONG_TYPE)))
                .isEqualTo("WRONGTYPE Operation against a key holding the wrong kind of value");
    }
}
