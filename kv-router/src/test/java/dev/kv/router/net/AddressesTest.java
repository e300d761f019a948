package dev.kv.router.net;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AddressesTest {
    @ParameterizedTest
    @ValueSource(strings = {"computer-name:1", "10.0.0.1:4041", "[::1]:65535", "[fe80::1.2.3.4]:80"})
    void anAddressIsReadAndWrittenInOneWay(String text) {
        assertThat(Addresses.parse(text))
                .hasValueSatisfying(
                        address -> assertThat(Addresses.text(address)).isEqualTo(text));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", "h", "h:", ":1", "h:0", "h:65536", "h:999999", "h:-1", "h:1:2", "::1:80", "[::1]", "h /:1"})
    void anythingElseIsNone(String text) {
        assertThat(Addresses.parse(text)).isEmpty();
    }
}
