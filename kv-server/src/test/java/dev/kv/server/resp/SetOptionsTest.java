package dev.kv.server.resp;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.Bytes;
import dev.kv.router.Command.Condition;
import dev.kv.server.testing.RespClient;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class SetOptionsTest {
    private static SetOptions of(String options) throws Exception {
        RespRequest request = new RespRequest(1024, "");
        String sent = RespClient.request(("SET k v " + options).strip().split(" "));
        assertThat(request.take(ByteBuffer.wrap(sent.getBytes(ISO_8859_1)), false))
                .isTrue();
        return SetOptions.of(request);
    }

    @Test
    void withoutOptionsAValueIsAlwaysSet() throws Exception {
        assertThat(of("")).isEqualTo(new SetOptions(Condition.ALWAYS, false));
    }

    @Test
    void conditionsAndGetStandInAnyOrderAndCase() throws Exception {
        assertThat(of("nx GET")).isEqualTo(new SetOptions(Condition.ABSENT, true));
        assertThat(of("get KeepTTL XX")).isEqualTo(new SetOptions(Condition.PRESENT, true));
        assertThat(of("IFEQ nx")).isEqualTo(new SetOptions(new Condition.IfEqual(Bytes.of("nx")), false));
        assertThat(of("NX NX GET GET")).isEqualTo(new SetOptions(Condition.ABSENT, true));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "NX XX",
                "XX NX",
                "IFEQ a NX",
                "NX IFEQ a",
                "IFEQ a IFEQ b",
                "IFEQ",
                "EX",
                "KEEPTTL EX 1",
                "EX 1 KEEPTTL",
                "PERSIST",
                "what",
                "NX what",
                "EX x NX XX",
            })
    void whatRedisDoesNotTakeTogetherIsASyntaxError(String options) {
        assertThatThrownBy(() -> of(options)).isInstanceOf(RespError.class).hasMessage("ERR syntax error");
    }

    @ParameterizedTest
    @ValueSource(strings = {"EX 10", "px 10", "EXAT 10", "NX PXAT 10", "EX x"})
    void anExpiryIsRefused(String options) {
        assertThatThrownBy(() -> of(options))
                .isInstanceOf(RespError.class)
                .hasMessageStartingWith("ERR SET with EX, PX, EXAT or PXAT is not supported: no key expires yet");
    }
}
