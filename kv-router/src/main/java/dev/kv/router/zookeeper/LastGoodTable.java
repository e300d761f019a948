package dev.kv.router.zookeeper;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import java.io.IOException;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The last table that routed here, on disk: a node starts with it while ZooKeeper has none for it. */
final class LastGoodTable {
    private static final Logger LOG = LoggerFactory.getLogger(LastGoodTable.class);

    private final KeptFile file;

    LastGoodTable(Path folder) {
        this.file = new KeptFile(folder.resolve("table"), "a start without ZooKeeper would take an older table");
    }

    /**
     * A table that routed.
     *
     * @param since when it came into force
     */
    record Kept(SeenTable table, Instant since) {}

    /** What was kept; empty if there is nothing, or nothing sound, which is logged. */
    Optional<Kept> read() {
        try {
            Optional<Config> read = file.read();
            if (read.isEmpty()) {
                return Optional.empty();
            }
            Config config = read.get();
            byte[] text = config.getString("text").getBytes(UTF_8);
            SeenTable table = SeenTable.of(
                    config.getString("source"), Long.decode(config.getString("mzxid")), text, Integer.MAX_VALUE);
            if (table.table().isEmpty()) {
                LOG.warn("{} holds no routing table: {}", file, table.reason());
                return Optional.empty();
            }
            return Optional.of(new Kept(table, Instant.parse(config.getString("since"))));
        } catch (IOException | ConfigException | NumberFormatException | DateTimeException e) {
            LOG.warn("{} cannot be read: {}", file, e.toString());
            return Optional.empty();
        }
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
