package dev.kv.server.resp;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.Bytes;
import dev.kv.router.Command.Condition;
import dev.kv.router.Expiry;
import dev.kv.server.testing.RespClient;
import java.nio.ByteBuffer;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
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
    void withoutOptionsAValueIsAlwaysSetAndDoesNotExpire() throws Exception {
        assertThat(of("")).isEqualTo(new SetOptions(Condition.ALWAYS, false, Optional.empty()));
    }

    @Test
    void conditionsAndGetStandInAnyOrderAndCase() throws Exception {
        assertThat(of("nx GET")).isEqualTo(new SetOptions(Condition.ABSENT, true, Optional.empty()));
        assertThat(of("get KeepTTL XX")).isEqualTo(new SetOptions(Condition.PRESENT, true, Optional.of(Expiry.KEPT)));
        assertThat(of("IFEQ nx"))
                .isEqualTo(new SetOptions(new Condition.IfEqual(Bytes.of("nx")), false, Optional.empty()));
        assertThat(of("NX NX GET GET").condition()).isEqualTo(Condition.ABSENT);
    }

    @ParameterizedTest
    @CsvSource({
        "EX 60, 60000",
        "ex 1, 1000",
        "PX 60, 60",
        "EX 1 EX 2, 2000",
        "EX 9000000000000000, 9000000000000000000",
    })
    void aTimeToLiveIsInMilliseconds(String options, long millis) throws Exception {
        assertThat(of(options).expiry()).contains(new Expiry.In(millis));
    }

    @ParameterizedTest
    @CsvSource({
        "EXAT 60, 60000",
        "PXAT 60, 60",
        "PXAT 9223372036854775807, 9223372036854775807",
    })
    void aTimeIsInMilliseconds(String options, long millis) throws Exception {
        assertThat(of(options).expiry()).contains(new Expiry.At(millis));
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
                "EX 1 PX 1",
                "PXAT 1 EXAT 1",
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
    @CsvSource({
        "EX x, ERR value is not an integer or out of range",
        "PX 1.5, ERR value is not an integer or out of range",
        "PX 9223372036854775808, ERR value is not an integer or out of range",
        "EX 0, ERR invalid expire time in 'set' command",
        "PX -1, ERR invalid expire time in 'set' command",
        "EX 9223372036854776, ERR invalid expire time in 'set' command",
        "PX 9223372036854775807, ERR invalid expire time in 'set' command",
        "EXAT -5, ERR invalid expire time in 'set' command",
    })
    void aTimeThatIsNoneIsNamedAsInRedis(String options, String error) {
        assertThatThrownBy(() -> of(options)).isInstanceOf(RespError.class).hasMessage(error);
    }
}
