package dev.kv.router.net;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DescriptorsTest {
    @ParameterizedTest
    @CsvSource({"1048576, 1024", "4096, 1024", "2048, 512", "1024, 256", "512, 128", "256, 128", "128, 64"})
    void aPartIsReservedForFiles(long limit, int reserved) {
        assertThat(new Descriptors(limit).grant(Integer.MAX_VALUE, 1)).isEqualTo((int) limit - reserved);
    }

    @Test
    void listenersGetWhatTheyWantUnlessItIsMoreThanTheirShareOfWhatIsLeft() {
        Descriptors descriptors = new Descriptors(1024);
        assertThat(descriptors.grant(1000, 0.25)).isEqualTo(192);
        assertThat(descriptors.grant(500, 1)).isEqualTo(500);
        assertThat(descriptors.grant(500, 1)).isEqualTo(76);
    }

    @Test
    void aListenerGetsOneAtLeast() {
        Descriptors descriptors = new Descriptors(3);
        assertThat(descriptors.grant(1000, 0.25)).isEqualTo(1);
        assertThat(descriptors.grant(1000, 1)).isEqualTo(1);
        assertThat(descriptors.grant(1000, 1)).isEqualTo(1);
    }
}
