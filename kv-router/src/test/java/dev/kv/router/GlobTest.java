package dev.kv.router;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class GlobTest {
    @ParameterizedTest
    @CsvSource({
        "*, '', true",
        "*, anything, true",
        "'', '', true",
        "'', a, false",
        "h?llo, hello, true",
        "h?llo, hllo, false",
        "h*llo, hllo, true",
        "h*llo, heeello, true",
        "h*llo, heeell, false",
        "h[ae]llo, hallo, true",
        "h[ae]llo, hillo, false",
        "h[^e]llo, hallo, true",
        "h[^e]llo, hello, false",
        "h[a-b]llo, hbllo, true",
        "h[b-a]llo, hallo, true",
        "h[a-b]llo, hcllo, false",
        "h\\?llo, h?llo, true",
        "h\\?llo, hello, false",
        "h\\, h\\, true",
        "[\\]]x, ]x, true",
        "[ab, a, true",
        "[, a, false",
        "*a*b*, xxaxxbxx, true",
        "*a*b*, xxbxxaxx, false",
        "**x, ax, true",
        "a*, ba, false",
        "*?, '', false",
    })
    void matchesAsInRedis(String pattern, String name, boolean matches) {
        assertThat(new Glob(Bytes.of(pattern)).matches(Bytes.of(name))).isEqualTo(matches);
    }

    @Test
    void matchingTakesBoundedTime() {
        Glob stars = new Glob(Bytes.of("*a".repeat(1000) + "b"));
        Bytes name = Bytes.of("a".repeat(50_000));
        long start = System.nanoTime();
        assertThat(stars.matches(name)).isFalse();
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(5));
    }
}
