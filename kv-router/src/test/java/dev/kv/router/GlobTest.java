package dev.kv.router;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class GlobTest {
    private static final List<String> ELEMENTS = List.of("a", "b", "?", "[ab]", "[^a]", "*");

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
        "h[^-]llo, hallo, true",
        "h[^-]llo, h-llo, false",
        "[^-a]x, bx, true",
        "[^-a]x, -x, false",
        "[^, a, true",
        "[a-, -, true",
        "[], a, false",
        "'\\*', '*', true",
        "'\\*', a, false",
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
    void patternsOfAnyLengthMatchElementByElement() {
        Random random = new Random(7);
        for (int i = 0; i < 20_000; i++) {
            // Up to 150 elements: the automaton has up to three words of states.
            List<String> elements = random.ints(random.nextInt(random.nextInt(10) == 0 ? 150 : 8), 0, ELEMENTS.size())
                    .mapToObj(ELEMENTS::get)
                    .toList();
            String name = random.ints(random.nextInt(2 + elements.size()), 'a', 'c')
                    .mapToObj(Character::toString)
                    .collect(Collectors.joining());
            assertThat(new Glob(Bytes.of(String.join("", elements))).matches(Bytes.of(name)))
                    .as("%s, %s", elements, name)
                    .isEqualTo(matches(elements, name));
        }
    }

    private static boolean matches(List<String> elements, String name) {
        boolean[] ends = new boolean[name.length() + 1];
        ends[0] = true;
        for (String element : elements) {
            boolean[] next = new boolean[ends.length];
            for (int i = 0; i < ends.length; i++) {
                next[i] = element.equals("*")
                        ? ends[i] || (i > 0 && next[i - 1])
                        : i > 0 && ends[i - 1] && Pattern.matches(element.replace('?', '.'), name.substring(i - 1, i));
            }
            ends = next;
        }
        return ends[name.length()];
    }

    @Test
    void aNameIsMatchedInOnePassWhateverThePatternIs() {
        int size = 64 * 1024;
        Bytes name = Bytes.of("a".repeat(size));
        for (String pattern : List.of(
                "*a".repeat(500) + "b",
                "*" + "a".repeat(1000) + "b",
                "*[" + "b".repeat(size) + "]",
                "[^" + "b".repeat(1000) + "]*b")) {
            Glob glob = new Glob(Bytes.of(pattern));
            long start = System.nanoTime();
            for (int i = 0; i < 20; i++) {
                assertThat(glob.matches(name)).isFalse();
            }
            // The longest of these takes 20 million steps.
            assertThat(Duration.ofNanos(System.nanoTime() - start))
                    .as(pattern.substring(0, 10))
                    .isLessThan(Duration.ofSeconds(2));
        }
    }
}
