package dev.kv.router.zookeeper;

import com.typesafe.config.Config;
import dev.kv.router.config.BadStart;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A document in a node's folder that follows what the node knows. A write that fails is told once and tried again each time
 * that the document is given. One thread, but for {@link #trouble}.
 */
final class KeptFile {
    private static final Logger LOG = LoggerFactory.getLogger(KeptFile.class);

    private final Path file;
    private final String otherwise;
    private byte[] kept = new byte[0];
    private volatile Optional<String> trouble = Optional.empty();

    /**
     * @param otherwise what happens at a start while the document is out of date, for messages
     */
    KeptFile(Path file, String otherwise) {
        this.file = file;
        this.otherwise = otherwise;
    }

    /** What the file holds; empty if there is none. */
    Optional<Config> read() throws IOException {
        try {
            kept = Files.readAllBytes(file);
            return Optional.of(Json.parse(kept));
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
    }

    /** Writes the document, if it is not the one that the file holds. */
    void keep(Map<String, Object> document) {
        byte[] json = Json.bytes(document);
        if (Arrays.equals(json, kept)) {
            return;
        }
        try {
            Json.replace(file, json);
        } catch (IOException e) {
            String what = file + " cannot be written: " + BadStart.reason(e) + "; " + otherwise;
            if (trouble.isEmpty()) {
                LOG.error("{}; it is tried again until it is written", what);
            }
            trouble = Optional.of(what);
            return;
        }
        kept = json;
        if (trouble.isPresent()) {
            LOG.info("{} is written again", file);
        }
        trouble = Optional.empty();
    }

    /** Why the file is out of date; empty if it is not. Any thread. */
    Optional<String> trouble() {
        return trouble;
    }

    @Override
    public String toString() {
        return file.toString();
    }
}
