package dev.kv.router.zookeeper;

import com.typesafe.config.Config;
import dev.kv.router.OperatorError;
import dev.kv.router.config.Json;
import dev.kv.router.config.WholeFile;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A JSON document in a node's folder. A failed write is logged once and repeated with each call of {@link #keep}. One thread,
 * except for {@link #trouble}.
 */
final class KeptFile {
    private static final Logger LOG = LoggerFactory.getLogger(KeptFile.class);

    /** More than a table of 1 MiB, the largest that ZooKeeper stores, with every character escaped. */
    private static final int MAX_BYTES = 8 * 1024 * 1024;

    private final Path file;
    private final String otherwise;
    private byte[] kept = new byte[0];
    private volatile Optional<String> trouble = Optional.empty();

    /**
     * @param otherwise the effect of an outdated document on a start, for messages
     */
    KeptFile(Path file, String otherwise) {
        this.file = file;
        this.otherwise = otherwise;
    }

    /** The document, converted by the reader; empty if there is none, or if it cannot be read, which is logged. */
    <T> Optional<T> read(Function<Config, T> reader) {
        if (Files.exists(file) && !Files.isRegularFile(file)) {
            // To open a FIFO, for one, does not end.
            LOG.warn("{} is no regular file, and is replaced", file);
            return Optional.empty();
        }
        try (InputStream input = Files.newInputStream(file)) {
            byte[] json = input.readNBytes(MAX_BYTES + 1);
            T read = Json.read(json, MAX_BYTES, reader);
            kept = json;
            return Optional.of(read);
        } catch (NoSuchFileException e) {
            return Optional.empty();
        } catch (IOException e) {
            LOG.warn("{} cannot be read: {}", file, OperatorError.reason(e));
        } catch (Json.Unreadable e) {
            LOG.warn("{} cannot be read: {}", file, e.getMessage());
        }
        return Optional.empty();
    }

    /** Writes the document if it has changed: completely or not at all, also if the process or the host ends. */
    void keep(Map<String, Object> document) {
        byte[] json = Json.bytes(document);
        if (Arrays.equals(json, kept)) {
            return;
        }
        try {
            WholeFile.replace(file, json);
        } catch (IOException e) {
            String what = file + " cannot be written: " + OperatorError.reason(e) + "; " + otherwise;
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

    /** Why the file is outdated; empty if it is not. Any thread. */
    Optional<String> trouble() {
        return trouble;
    }
}
