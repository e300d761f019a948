package dev.kv.router.zookeeper;

import com.typesafe.config.Config;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/** Where the other nodes were last, on disk: a node that starts without ZooKeeper looks for them there. */
final class LastAddresses {
    private final KeptFile file;

    LastAddresses(Path folder) {
        this.file = new KeptFile(
                folder.resolve("addresses"), "a start without ZooKeeper would look for nodes where they were");
    }

    /** What was kept, as {@code host:port} by the nodes' names; empty if there is nothing, or nothing sound. */
    Map<String, String> read() {
        return file.read(LastAddresses::addresses).orElse(Map.of());
    }

    private static Map<String, String> addresses(Config config) {
        Map<String, String> addresses = new HashMap<>();
        config.root().forEach((name, address) -> addresses.put(name, String.valueOf(address.unwrapped())));
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
