package dev.kv.router.zookeeper;

import dev.kv.router.config.Json;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import org.apache.zookeeper.KeeperException;

/** The applied tables in ZooKeeper: one node writes each, and the last 1000 are kept. One thread. */
final class TableHistory {
    /** All nodes keep the same number, so it is no setting of one: about 2 MiB of ZooKeeper's memory with tables of 2 KiB. */
    private static final int TABLES_MAX = 1000;

    private final long documentMaxBytes;

    /** The transaction of the last table that is known to be in the history. */
    private OptionalLong written = OptionalLong.empty();

    /**
     * @param documentMaxBytes larger documents are not written
     */
    TableHistory(long documentMaxBytes) {
        this.documentMaxBytes = documentMaxBytes;
    }

    /** Writes the table into the history if it is not there. */
    void keep(ZooKeeperSession zookeeper, SeenTable table, Instant since, Ignored ignored) throws Exception {
        if (written.equals(OptionalLong.of(table.mzxid()))) {
            return;
        }
        String path = zookeeper.znodes().historyOf(table.mzxid());
        byte[] json =
                Json.bytes(Map.of("path", table.source(), "time", NodeDocument.text(since), "text", table.text()));
        if (json.length > documentMaxBytes) {
            ignored.add(
                    path,
                    "the table would have %d bytes here, at most %d are written (kv.router.zookeeper.document-max)"
                            .formatted(json.length, documentMaxBytes));
            return;
        }
        try {
            zookeeper.client().create().creatingParentsIfNeeded().forPath(path, json);
            forgetOldest(zookeeper);
        } catch (KeeperException.NodeExistsException e) {
            // Another node was faster.
        } catch (KeeperException e) {
            if (ZooKeeperSession.isGone(e)) {
                throw e;
            }
            ignored.add(path, "it cannot be written: ZooKeeper " + ZooKeeperSession.meaning(e));
            return;
        }
        written = OptionalLong.of(table.mzxid());
    }

    private static void forgetOldest(ZooKeeperSession zookeeper) throws Exception {
        String history = zookeeper.znodes().history();
        List<String> all = zookeeper.client().getChildren().forPath(history).stream()
                .sorted()
                .toList();
        for (String oldest : all.subList(0, Math.max(0, all.size() - TABLES_MAX))) {
            zookeeper.client().delete().quietly().forPath(history + "/" + oldest);
        }
    }
}
