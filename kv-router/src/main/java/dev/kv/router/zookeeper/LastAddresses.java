package dev.kv.router.zookeeper;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigUtil;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Where the other nodes were last, on disk: a node that starts without ZooKeeper looks for them there. */
final class LastAddresses {
    private static final Logger LOG = LoggerFactory.getLogger(LastAddresses.class);

    private final KeptFile file;

    LastAddresses(Path folder) {
        this.file = new KeptFile(
                folder.resolve("addresses"), "a start without ZooKeeper would look for nodes where they were");
    }

    /** What was kept, as {@code host:port} by the nodes' names; empty if there is nothing, or nothing sound. */
    Map<String, String> read() {
        try {
            return file.read().map(LastAddresses::addresses).orElse(Map.of());
        } catch (IOException | ConfigException e) {
            LOG.warn("{} cannot be read: {}", file, e.toString());
            return Map.of();
        }
    }

    private static Map<String, String> addresses(Config config) {
        Map<String, String> addresses = new HashMap<>();
        config.entrySet()
                .forEach(entry -> addresses.put(
                        ConfigUtil.splitPath(entry.getKey()).getFirst(),
                        String.valueOf(entry.getValue().unwrapped())));
        return Map.copyOf(addresses);
    }

    /** Keeps the addresses, if they are not those that are kept. */
    void keep(Map<String, String> addresses) {
        file.keep(Map.copyOf(addresses));
    }

    /** Why they could not be kept; empty if they could. Any thread. */
    Optional<String> trouble() {
        return file.trouble();
    }
}
