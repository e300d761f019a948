package dev.kv.router.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.Bytes;
import dev.kv.router.config.BadStart;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CookieTest {
    @TempDir
    private Path folder;

    private Path file;

    @BeforeEach
    void nameFile() {
        file = folder.resolve("cookie");
    }

    private void write(String content, String permissions) throws IOException {
        Files.writeString(file, content);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString(permissions));
    }

    @Test
    void isTheContentWithoutWhiteSpaceAtItsEnd() throws IOException {
        write(" a secret of the\tnodes \t\u000b\f\r\n\n", "rw-------");

        assertThat(Cookie.readOrMake(file)).isEqualTo(Bytes.of(" a secret of the\tnodes"));
    }

    @Test
    void isMadeForItsOwnerAloneWhereThereIsNone() throws IOException {
        Bytes made = Cookie.readOrMake(file);

        assertThat(made.text()).matches("[0-9a-f]{64}");
        assertThat(file).hasContent(made.text() + "\n");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
                .isEqualTo("rw-------");
        assertThat(Cookie.readOrMake(file)).isEqualTo(made);
        assertThat(Cookie.readOrMake(folder.resolve("another"))).isNotEqualTo(made);
    }

    @ParameterizedTest
    @ValueSource(strings = {"rw-r-----", "rw----r--", "rwxrwxrwx"})
    void isRefusedIfOthersMayReadIt(String permissions) throws IOException {
        write("0123456789abcdef", permissions);

        assertThatThrownBy(() -> Cookie.readOrMake(file))
                .isInstanceOf(BadStart.class)
                .hasMessage("the cookie " + file + " is refused: others than its owner may read it; chmod 600 it");
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 255})
    void hasFrom1To255Bytes(int length) throws IOException {
        write("x".repeat(length) + "\n", "r--------");

        assertThat(Cookie.readOrMake(file).size()).isEqualTo(length);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 256, 100_000})
    void isRefusedWithAnyOtherNumberOfBytes(int length) throws IOException {
        write("x".repeat(length) + "\n", "rw-------");

        assertThatThrownBy(() -> Cookie.readOrMake(file))
                .isInstanceOf(BadStart.class)
                .hasMessageStartingWith("the cookie " + file + " is refused: ")
                .hasMessageEndingWith("expected 1 to 255");
    }

    /** To open a FIFO would not end. */
    @Test
    @Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void isRefusedIfItIsNoRegularFile() throws Exception {
        assertThat(new ProcessBuilder("mkfifo", "-m", "600", file.toString())
                        .start()
                        .waitFor())
                .isZero();

        assertThatThrownBy(() -> Cookie.readOrMake(file))
                .isInstanceOf(BadStart.class)
                .hasMessage("the cookie " + file + " is refused: it is no regular file");
    }

    @Test
    void thatCannotBeMadeEndsTheStart() {
        Path nowhere = folder.resolve("nowhere/cookie");

        assertThatThrownBy(() -> Cookie.readOrMake(nowhere))
                .isInstanceOf(BadStart.class)
                .hasMessage("the cookie " + nowhere + " (kv.router.cookie-file) cannot be made: there is no folder "
                        + nowhere.getParent());
    }
}
