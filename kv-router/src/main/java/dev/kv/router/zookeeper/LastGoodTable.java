package dev.kv.router.zookeeper;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.typesafe.config.Config;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;

/** The last table that was in force here, on disk: a node starts with it until it has read one from ZooKeeper. */
final class LastGoodTable {
    private final KeptFile file;

    LastGoodTable(Path folder) {
        this.file = new KeptFile(folder.resolve("table"), "a start without ZooKeeper would take an older table");
    }

    /**
     * A table that was in force.
     *
     * @param since when it came into force
     */
    record Kept(SeenTable table, Instant since) {
        Kept {
            if (table.table().isEmpty()) {
                throw new IllegalArgumentException("no routing table: " + table.reason());
            }
        }
    }

    /** The table; empty if there is none, or if it cannot be read, which is logged. */
    Optional<Kept> read() {
        return file.read(LastGoodTable::kept);
    }

    private static Kept kept(Config config) {
        byte[] text = config.getString("text").getBytes(UTF_8);
        SeenTable table = SeenTable.of(
                config.getString("source"), Long.decode(config.getString("mzxid")), text, Integer.MAX_VALUE);
        return new Kept(table, Instant.parse(config.getString("since")));
    }

    /** Writes the table if it has changed. */
    void keep(SeenTable table, Instant since) {
        file.keep(Map.of(
                "source", table.source(),
                "mzxid", Znodes.hex(table.mzxid()),
                "since", since.toString(),
                "text", table.text()));
    }

    /** Why it could not be written; empty if it was. Any thread. */
    Optional<String> trouble() {
        return file.trouble();
    }
}
