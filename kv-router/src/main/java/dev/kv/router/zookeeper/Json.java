package dev.kv.router.zookeeper;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigParseOptions;
import com.typesafe.config.ConfigRenderOptions;
import com.typesafe.config.ConfigSyntax;
import com.typesafe.config.ConfigValueFactory;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Map;

/** JSON on one line, as kv's znodes and the files beside them hold it. */
final class Json {
    private static final ConfigParseOptions JSON = ConfigParseOptions.defaults().setSyntax(ConfigSyntax.JSON);

    private Json() {}

    static byte[] bytes(Map<String, Object> object) {
        return ConfigValueFactory.fromMap(object)
                .render(ConfigRenderOptions.concise())
                .getBytes(UTF_8);
    }

    /**
     * Reads an object.
     *
     * @throws com.typesafe.config.ConfigException if it is none
     */
    static Config parse(byte[] json) {
        return ConfigFactory.parseString(new String(json, UTF_8), JSON);
    }

    /** Puts the document in the place of the file: whole or not at all, whatever ends the process or the power. */
    static void replace(Path file, byte[] json) throws IOException {
        Path fresh = file.resolveSibling(file.getFileName() + ".new");
        Files.write(fresh, json);
        sync(fresh);
        Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
        sync(file.toAbsolutePath().getParent());
    }

    private static void sync(Path path) throws IOException {
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }
}
