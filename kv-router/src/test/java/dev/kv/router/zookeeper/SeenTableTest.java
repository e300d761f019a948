package dev.kv.router.zookeeper;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** When a table that is read again needs not be parsed again. */
class SeenTableTest {
    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            /kv/table       | 5 | *=foo@h | true
            /kv/table       | 6 | *=foo@h | false
            /kv/table       | 5 | *=bar@h | false
            /kv/tables/f@h  | 5 | *=foo@h | false
            """)
    void aTableIsTheSameByItsZnodeItsTransactionAndItsText(String path, long mzxid, String text, boolean isSame) {
        SeenTable seen = SeenTable.of("/kv/table", 5, "*=foo@h".getBytes(UTF_8), 100);

        assertThat(seen.isOf(path, mzxid, text.getBytes(UTF_8))).isEqualTo(isSame);
    }

    @Test
    void aTextThatIsRefusedIsTheSameToo() {
        byte[] text = "nonsense".getBytes(UTF_8);
        assertThat(SeenTable.of("/kv/table", 5, text, 100).isOf("/kv/table", 5, text))
                .isTrue();
    }
}
