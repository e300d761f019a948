package dev.kv.router;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BytesTest {
    @Test
    void anyBytesArePrintableAndComeBack() {
        byte[] all = new byte[256];
        for (int i = 0; i < all.length; i++) {
            all[i] = (byte) i;
        }
        String printable = Bytes.owning(all).printable(256);

        assertThat(printable).startsWith("%00%01").contains("%20!\"#$%25&").endsWith("%FE%FF");
        assertThat(Bytes.ofPrintable(printable)).isEqualTo(Bytes.owning(all));
    }

    @Test
    void otherCharactersAreTakenInUtf8() {
        assertThat(Bytes.ofPrintable("ä b%2f")).isEqualTo(Bytes.of("ä b/"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"%", "a%2", "%zz", "%0g", "%%41"})
    void twoHexadecimalDigitsFollowAPercentSign(String text) {
        assertThatThrownBy(() -> Bytes.ofPrintable(text)).isInstanceOf(IllegalArgumentException.class);
    }
}
