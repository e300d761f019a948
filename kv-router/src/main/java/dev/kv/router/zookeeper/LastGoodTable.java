package dev.kv.router.zookeeper;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.typesafe.config.Config;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;

/** The last table that routed here, on disk: a node starts with it while ZooKeeper has none for it. */
final class LastGoodTable {
    private final KeptFile file;

    LastGoodTable(Path folder) {
        this.file = new KeptFile(folder.resolve("table"), "a start without ZooKeeper would take an older table");
    }

    /**
     * A table that routed.
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

    /** What was kept; empty if there is nothing, or nothing sound, which is logged. */
    Optional<Kept> read() {
        return file.read(LastGoodTable::kept);
    }

    private static Kept kept(Config config) {
        byte[] text = config.getString("text").getBytes(UTF_8);
        SeenTable table = SeenTable.of(
                config.getString("source"), Long.decode(config.getString("mzxid")), text, Integer.MAX_VALUE);
        return new Kept(table, Instant.parse(config.getString("since")));
    }

    /** Keeps the table, if it is not the one that is kept. */
    void keep(SeenTable table, Instant since) {
        file.keep(Map.of(
                "source", table.source(),
                "mzxid", Znodes.hex(table.mzxid()),
                "since", since.toString(),
                "text", table.text()));
    }

    /** Why it could not be kept; empty if it could. Any thread. */
    Optional<String> trouble() {
        return file.trouble();
    }
}
