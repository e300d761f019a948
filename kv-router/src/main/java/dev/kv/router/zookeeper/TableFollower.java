package dev.kv.router.zookeeper;

import dev.kv.router.table.RoutingTable;
import dev.kv.router.table.TableInForce;
import dev.kv.router.zookeeper.NodeDocument.InForce;
import dev.kv.router.zookeeper.NodeDocument.State;
import dev.kv.router.zookeeper.ZooKeeperSession.Data;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The routing table of this node: its own in ZooKeeper, else the common one, else the last good one. One thread, except for
 * {@link #trouble}.
 */
final class TableFollower {
    private static final Logger LOG = LoggerFactory.getLogger(TableFollower.class);

    private final String self;
    private final long tableMaxBytes;
    private final LastGoodTable lastGood;
    private Optional<SeenTable> newest = Optional.empty();
    private Instant newestSince = Instant.now();
    private Optional<SeenTable> inForce = Optional.empty();
    private Instant inForceSince = Instant.now();

    /**
     * @param self the name of this node
     * @param tableMaxBytes larger tables are rejected
     * @param folder the folder for the last good table
     */
    TableFollower(String self, long tableMaxBytes, Path folder) {
        this.self = self;
        this.tableMaxBytes = tableMaxBytes;
        this.lastGood = new LastGoodTable(folder);
    }

    /** The last good table, from the disk; in force from now on. */
    Optional<TableInForce> begin() {
        return lastGood.read().map(kept -> {
            inForce = Optional.of(kept.table());
            inForceSince = kept.since();
            return tableInForce(kept.table(), kept.since());
        });
    }

    /**
     * Reads the table, and puts it into force if it is new and valid.
     *
     * @param follow gets the table to put into force
     */
    void follow(ZooKeeperSession zookeeper, Consumer<TableInForce> follow) throws Exception {
        Znodes znodes = zookeeper.znodes();
        Optional<Data> own = zookeeper.read(znodes.tableOf(self));
        Optional<Data> chosen = own.isPresent() ? own : zookeeper.read(znodes.table());
        if (chosen.isPresent()) {
            Data data = chosen.get();
            byte[] text = data.bytes().array();
            if (newest.filter(table -> table.isOf(data.path(), data.mzxid(), text))
                    .isEmpty()) {
                take(SeenTable.of(data.path(), data.mzxid(), text, tableMaxBytes), follow);
            }
        } else {
            missing(znodes.table(), follow);
        }
        inForce.ifPresent(table -> lastGood.keep(table, inForceSince));
    }

    private void take(SeenTable seen, Consumer<TableInForce> follow) {
        if (newest.filter(seen::isSameAs).isPresent()) {
            return;
        }
        if (seen.table().isEmpty()) {
            LOG.warn(
                    "rejected the table {} of {}: {}; the last good one stays",
                    Znodes.hex(seen.mzxid()),
                    seen.source(),
                    seen.reason());
        } else if (inForce.filter(seen::isSameAs).isEmpty()) {
            Instant since = Instant.now();
            follow.accept(tableInForce(seen, since));
            inForce = Optional.of(seen);
            inForceSince = since;
            LOG.info(
                    "the table {} of {} is in force: [{}]",
                    Znodes.hex(seen.mzxid()),
                    seen.source(),
                    seen.table().orElseThrow().printable());
        }
        newest = Optional.of(seen);
        newestSince = Instant.now();
    }

    private void missing(String table, Consumer<TableInForce> follow) {
        if (inForce.isEmpty()) {
            follow.accept(TableInForce.none(table + " does not exist in ZooKeeper: create it by `kv table set`"));
        }
        if (newest.isPresent()) {
            LOG.warn("{} is gone; the last good table stays", newest.get().source());
            newest = Optional.empty();
            newestSince = Instant.now();
        }
    }

    private static TableInForce tableInForce(SeenTable seen, Instant since) {
        return new TableInForce(seen.table().orElseThrow(), seen.mzxid(), seen.source(), since);
    }

    /** The table in force; empty if there is none yet. */
    Optional<SeenTable> inForce() {
        return inForce;
    }

    /** When it came into force. */
    Instant inForceSince() {
        return inForceSince;
    }

    /** The newest text, if it is a valid table. */
    Optional<SeenTable> applied() {
        return newest.filter(table -> table.table().isPresent());
    }

    /** The nodes of that table, in its order. */
    Set<String> named() {
        return applied().flatMap(SeenTable::table).map(RoutingTable::nodeNames).orElse(Set.of());
    }

    /**
     * The state of the newest text, for this node's document.
     *
     * @param warnings the warnings about it
     */
    NodeDocument.Table seen(Znodes znodes, List<String> warnings) {
        String since = NodeDocument.text(newestSince);
        return newest.map(table -> new NodeDocument.Table(
                        table.source(),
                        table.mzxid(),
                        table.sha256(),
                        table.table().isPresent() ? State.APPLIED : State.REJECTED,
                        table.reason(),
                        warnings,
                        since))
                .orElseGet(() -> new NodeDocument.Table(
                        "", 0, "", State.MISSING, znodes.table() + " does not exist", List.of(), since));
    }

    /** The table in force, for this node's document. */
    Optional<InForce> routes() {
        return inForce.map(
                table -> new InForce(table.source(), table.mzxid(), table.sha256(), NodeDocument.text(inForceSince)));
    }

    /** Why the last good table could not be written to the disk; empty if it was. Any thread. */
    Optional<String> trouble() {
        return lastGood.trouble();
    }
}
