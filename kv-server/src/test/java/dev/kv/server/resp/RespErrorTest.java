package dev.kv.server.resp;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Reply;
import org.junit.jupiter.api.Test;

final class RespErrorTest {
    @Test
    void aTypedReasonIsToldInTheWordsOfRedis() {
        for (Reply.Reason reason : Reply.Reason.values()) {
            if (reason != Reply.Reason.IN_MESSAGE) {
                Reply.Failed failed = new Reply.Failed(reason);
                assertThat(RespError.line(failed)).startsWith("ERR ").doesNotContain(failed.message());
            }
        }
        assertThat(RespError.line(new Reply.Failed(Reply.Reason.CONTENT_TOO_LARGE)))
                .isEqualTo("ERR reply too large, use HSCAN");
    }
}
