package dev.kv.router;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigDecimal;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class LongDoubleTest {
    private static BigDecimal number(String text) {
        return LongDouble.parse(Bytes.of(text)).orElseThrow();
    }

    /** What {@code printf("%.17Lf")} of a C compiler on x86 prints for the sum, without zeros at its end. */
    @ParameterizedTest
    @CsvSource({
        "0, 0, 0",
        "-0.0, 0, 0",
        "0.1, 0.2, 0.3",
        "10.5, 0.1, 10.6",
        "5.0e3, 2.0e2, 5200",
        "3.141592653589793238, 0, 3.14159265358979324",
        "1e30, 0, 1000000000000000000024696061952",
        "18446744073709551615, 0, 18446744073709551615",
        "18446744073709551617, 0, 18446744073709551616",
        "18446744073709551619, 0, 18446744073709551620",
        "-18446744073709551619, 0, -18446744073709551620",
        "1e-18, 0, 0",
        "1.8226e-4951, 0, 0",
        ".5, 1., 1.5",
        "+7, -7, 0",
    })
    void sumsEqualThoseOfLongDoubleInC(String one, String other, String sum) {
        BigDecimal added = LongDouble.add(number(one), number(other)).orElseThrow();
        assertThat(LongDouble.text(added)).isEqualTo(Bytes.of(sum));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                " 1",
                "1 ",
                "x",
                "1x",
                "nan",
                "inf",
                "1e",
                "--1",
                "0x10",
                "1e5000",
                "-1e5000",
                "1e-5000",
                "1e-4951",
                "-1.8225e-4951",
                "1e2147483647",
                "1e-2147483647",
                "1e99999999999"
            })
    void malformedAndTooLargeNumbersAreRefused(String text) {
        assertThat(LongDouble.parse(Bytes.of(text))).isEmpty();
    }

    @Test
    void sumsThatAreTooLargeAreRefused() {
        BigDecimal large = number("1.1e4932");
        assertThat(LongDouble.add(large, large)).isEmpty();
        assertThat(LongDouble.add(large, number("-1.1e4932"))).isPresent();
        assertThat(LongDouble.add(new BigDecimal("1e2147483647"), BigDecimal.ONE))
                .isEmpty();
    }

    @Test
    void parsingTakesBoundedTime() {
        Bytes digits = Bytes.of("9".repeat(4_900) + "." + "9".repeat(200));
        long start = System.nanoTime();
        assertThat(LongDouble.parse(digits)).isPresent();
        assertThat(LongDouble.text(number("1.1e4931"))).extracting(Bytes::size).isEqualTo(4932);
        assertThat(LongDouble.text(number("1e-4940"))).isEqualTo(Bytes.of("0"));
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(2));
    }
}
