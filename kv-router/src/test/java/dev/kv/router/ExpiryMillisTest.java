package dev.kv.router;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class ExpiryMillisTest {
    private static final long TAKEN = 1_800_000_000_000L;
    private static final long BEFORE = TAKEN + 5;

    @Test
    void anExpirySaysTheTimeAfterIt() {
        assertThat(Expiry.NONE.millis(TAKEN, BEFORE)).isEqualTo(Expiry.NEVER);
        assertThat(Expiry.KEPT.millis(TAKEN, BEFORE)).isEqualTo(BEFORE);
        assertThat(Expiry.KEPT.millis(TAKEN, Expiry.NEVER)).isEqualTo(Expiry.NEVER);
        assertThat(new Expiry.At(7).millis(TAKEN, BEFORE)).isEqualTo(7);
        assertThat(new Expiry.At(-1).millis(TAKEN, BEFORE)).isZero();
        assertThat(new Expiry.In(7).millis(TAKEN, BEFORE)).isEqualTo(TAKEN + 7);
        assertThat(new Expiry.In(-7).millis(TAKEN, BEFORE)).isEqualTo(TAKEN - 7);
        assertThat(new Expiry.In(Long.MIN_VALUE).millis(TAKEN, BEFORE)).isZero();
        assertThat(new Expiry.In(Long.MAX_VALUE).millis(TAKEN, BEFORE)).isEqualTo(Long.MAX_VALUE);
    }

    /** A time of -1 is none. */
    @ParameterizedTest
    @CsvSource({
        "ALWAYS, -1, 5, true",
        "IF_NONE, -1, 5, true",
        "IF_NONE, 4, 5, false",
        "IF_ANY, 4, -1, true",
        "IF_ANY, -1, 5, false",
        "IF_LATER, 4, 5, true",
        "IF_LATER, 5, 5, false",
        "IF_LATER, -1, 5, false",
        "IF_SOONER_OR_NONE, -1, 5, true",
        "IF_SOONER_OR_NONE, 6, 5, true",
        "IF_SOONER_OR_NONE, 5, 5, false",
        "IF_SOONER, -1, 5, false",
        "IF_SOONER, 6, 5, true",
        "IF_SOONER, 5, 5, false",
    })
    void aConditionLooksAtBothTimes(Expiry.Condition condition, long before, long after, boolean holds) {
        assertThat(condition.holds(before, after)).isEqualTo(holds);
    }
}
