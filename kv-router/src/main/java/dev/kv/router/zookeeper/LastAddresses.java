package dev.kv.router.zookeeper;

import com.typesafe.config.Config;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/** The last known addresses of the other nodes, on disk, for starts without ZooKeeper. */
final class LastAddresses {
    private final KeptFile file;

    LastAddresses(Path folder) {
        this.file = new KeptFile(
                folder.resolve("addresses"), "a start without ZooKeeper would look for nodes where they were");
    }

    /** The addresses, as {@code host:port} by name of the node; empty if there is no readable file. */
    Map<String, String> read() {
        return file.read(LastAddresses::addresses).orElse(Map.of());
    }

    private static Map<String, String> addresses(Config config) {
        Map<String, String> addresses = new HashMap<>();
        config.root().forEach((name, address) -> addresses.put(name, String.valueOf(address.unwrapped())));
        return Map.copyOf(addresses);
    }

    /** Writes the addresses if they have changed. */
    void keep(Map<String, String> addresses) {
        file.keep(Map.copyOf(addresses));
    }

    /** Why they could not be written; empty if they were. Any thread. */
    Optional<String> trouble() {
        return file.trouble();
    }
}
