package dev.kv.router.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.config.BadStart;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Files of a node's folder that are no regular files, or hold something else. To open a FIFO would not end. */
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class NodeFolderTest {
    @TempDir
    private Path folder;

    private Path fifo(String name) throws Exception {
        Path file = folder.resolve(name);
        assertThat(new ProcessBuilder("mkfifo", file.toString()).start().waitFor())
                .isZero();
        return file;
    }

    @Test
    void aLockThatIsNoRegularFileIsRefused() throws Exception {
        Path lock = fifo("lock");

        assertThatThrownBy(() -> NodeFolder.hold(folder))
                .isInstanceOf(IOException.class)
                .hasMessage("it is no regular file");
        assertThatThrownBy(() -> NodeFolder.isHeld(folder))
                .isInstanceOf(BadStart.class)
                .hasMessage(lock + " cannot be read: it is no regular file");
    }

    @Test
    void aFifoInPlaceOfTheProcessIsReplaced() throws Exception {
        Path pid = fifo("pid");
        assertThat(NodeFolder.pid(folder)).isEqualTo("unknown");

        try (NodeFolder _ = NodeFolder.hold(folder).orElseThrow()) {
            assertThat(pid).hasContent(ProcessHandle.current().pid() + "\n");
            assertThat(NodeFolder.pid(folder))
                    .isEqualTo(Long.toString(ProcessHandle.current().pid()));
        }
    }

    @Test
    void anInstanceThatIsNoRegularFileIsRefused() throws Exception {
        Path instance = fifo("instance");

        assertThatThrownBy(() -> NodeFolder.instance(folder))
                .isInstanceOf(BadStart.class)
                .hasMessage(instance + " cannot be used: it is no regular file");
    }

    /** A full disk leaves an empty file. */
    @Test
    void anEmptyInstanceIsMadeAnew() throws Exception {
        Files.createFile(folder.resolve("instance"));

        String made = NodeFolder.instance(folder);

        assertThat(made).hasSizeGreaterThan(30);
        assertThat(NodeFolder.instance(folder)).isEqualTo(made);
    }

    @Test
    void onlyTheFirstBytesOfALongFileAreRead() throws Exception {
        Files.writeString(folder.resolve("instance"), "x".repeat(100_000));

        assertThat(NodeFolder.instance(folder)).isEqualTo("x".repeat(128));
    }
}
