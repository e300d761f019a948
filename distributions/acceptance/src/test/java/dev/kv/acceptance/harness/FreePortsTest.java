package dev.kv.acceptance.harness;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class FreePortsTest {
    @Test
    void twoOwnersNeverGiveOutTheSamePort() {
        FreePorts one = new FreePorts();
        FreePorts other = new FreePorts();
        Set<Integer> given = new HashSet<>();
        // Two ranges each.
        for (int i = 0; i < 300; i++) {
            assertThat(given.add(one.take())).isTrue();
            assertThat(given.add(other.take())).isTrue();
        }
    }
}
