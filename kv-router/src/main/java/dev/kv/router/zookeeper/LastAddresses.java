package dev.kv.router.zookeeper;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigUtil;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Where the other nodes were last, on disk: a node that starts without ZooKeeper looks for them there. */
final class LastAddresses {
    private static final Logger LOG = LoggerFactory.getLogger(LastAddresses.class);

    private final Path file;
    private Map<String, String> kept = Map.of();

    LastAddresses(Path folder) {
        this.file = folder.resolve("addresses");
    }

    /** What was kept, as {@code host:port} by the nodes' names; empty if there is nothing, or nothing sound. */
    Map<String, String> read() {
        Map<String, String> addresses = new HashMap<>();
        try {
            Config config = Json.parse(Files.readAllBytes(file));
            config.entrySet()
                    .forEach(entry -> addresses.put(
                            ConfigUtil.splitPath(entry.getKey()).getFirst(),
                            String.valueOf(entry.getValue().unwrapped())));
        } catch (NoSuchFileException e) {
            return Map.of();
        } catch (IOException | ConfigException e) {
            LOG.warn("{} cannot be read: {}", file, e.toString());
            return Map.of();
        }
        kept = Map.copyOf(addresses);
        return kept;
    }

    /** Keeps the addresses, if they are not those that are kept. */
    void keep(Map<String, String> addresses) {
        if (addresses.equals(kept)) {
            return;
        }
        try {
            Json.replace(file, new HashMap<>(addresses));
            kept = Map.copyOf(addresses);
        } catch (IOException e) {
            LOG.error(
                    "{} cannot be written, and a start without ZooKeeper would look for nodes where they were",
                    file,
                    e);
        }
    }
}
