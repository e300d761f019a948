package dev.kv.server.resp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.server.resp.Syntax.Keys;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class SyntaxTest {
    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            value = {
                "ping [message]; -1; PING [message]",
                "time; 1; TIME",
                "hset key<RW,update> data:(field value) ...; -4; HSET key field value [field value ...]",
                "hdel key<RW,delete> field ...; -3; HDEL key field [field ...]",
                "rename key<RW> newkey<OW>; 3; RENAME key newkey",
                "hscan key<RO> cursor:integer [MATCH pattern:pattern] [NOVALUES]; -3; HSCAN key cursor [MATCH pattern] [NOVALUES]",
                "hrandfield key<RO> [options:(count:integer [WITHVALUES])]; -2; HRANDFIELD key [count [WITHVALUES]]",
                "set key<RW> value [condition:(NX | XX)] [expiry:(EX seconds:integer | KEEPTTL)];"
                        + " -3; SET key value [NX | XX] [EX seconds | KEEPTTL]",
                "client|reply mode:(ON | OFF | SKIP); 3; CLIENT REPLY <ON | OFF | SKIP>",
                "client|kill what:(address | filter:(ID id | USER name) ...); -3; CLIENT KILL <address | <ID id | USER name> ...>",
                "auth [username] password; -2; AUTH [username] password",
                "info [section] ...; -1; INFO [section [section ...]]",
            })
    void theNumberOfWordsAndTheTextForPeopleFollowFromTheSyntax(String text, int arity, String shown) {
        Syntax syntax = Syntax.of(text);

        assertThat(syntax.arity()).isEqualTo(arity);
        assertThat(syntax.shown()).isEqualTo(shown);
    }

    @Test
    void thePositionsOfKeysFollowFromTheSyntax() {
        assertThat(Syntax.of("hget key<RO,access> field").keys())
                .containsExactly(new Keys(1, 1, 1, List.of("RO", "access")));
        assertThat(Syntax.of("rename key<RW> newkey<OW>").keys())
                .containsExactly(new Keys(1, 1, 1, List.of("RW")), new Keys(2, 2, 1, List.of("OW")));
        assertThat(Syntax.of("del key<RM> ...").keys()).containsExactly(new Keys(1, -1, 1, List.of("RM")));
        assertThat(Syntax.of("mset pair:(key<OW> value) ...").keys())
                .containsExactly(new Keys(1, -1, 2, List.of("OW")));
        assertThat(Syntax.of("object|encoding key<RO>").keys()).containsExactly(new Keys(2, 2, 1, List.of("RO")));
        assertThat(Syntax.of("ping [message]").keys()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"a [b", "a b]", "a [b c]", "a b:(c", "a b:nosuchtype", "a |"})
    void aTextThatIsNoSyntaxIsRefused(String text) {
        assertThatThrownBy(() -> Syntax.of(text)).isInstanceOf(IllegalArgumentException.class);
    }
}
