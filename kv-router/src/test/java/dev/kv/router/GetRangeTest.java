package dev.kv.router;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The part that is read of a value is the one that GETRANGE of Redis 7 reads. */
final class GetRangeTest {
    @ParameterizedTest
    @CsvSource({
        "0, -1, abcde",
        "0, 0, a",
        "1, 3, bcd",
        "-3, -2, cd",
        "-3, 100, cde",
        "3, 2, ''",
        "5, 9, ''",
        "4, 9, e",
        "-100, -99, a",
        "0, -100, a",
        "-1, -100, ''",
        "-100, 0, a",
        "9223372036854775807, -1, ''",
        "0, 9223372036854775807, abcde",
        "-9223372036854775808, 9223372036854775807, abcde",
        "-1, -9223372036854775808, ''",
    })
    void endsAreCountedFromEitherSide(long first, long last, String part) {
        String value = "abcde";
        Command.GetRange range = new Command.GetRange(Bytes.of("v"), first, last);
        assertThat(value.substring(range.from(value.length()), range.to(value.length())))
                .isEqualTo(part);
        assertThat(range.from(0)).isZero();
        assertThat(range.to(0)).isZero();
    }
}
