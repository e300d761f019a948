package dev.kv.router.admin;

import com.typesafe.config.Config;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A folder with a local socket, and a client of it. */
@Timeout(30)
abstract class LocalSocketFolder {
    static final Duration LIMIT = Duration.ofSeconds(20);

    static final LocalSocketSettings BOUNDS =
            new LocalSocketSettings(16, 256 * 1024, Duration.ofSeconds(5), Duration.ofMinutes(1), 4);

    @TempDir
    Path folder;

    LocalAnswer ask(String line) {
        return LocalClient.ask(folder, line, LIMIT);
    }

    Config asked(String line) {
        return ask(line).document().orElseThrow();
    }

    static SocketChannel connect(Path folder) throws IOException {
        return SocketChannel.open(UnixDomainSocketAddress.of(folder.resolve("socket")));
    }
}
