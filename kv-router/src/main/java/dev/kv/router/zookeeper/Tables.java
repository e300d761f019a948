package dev.kv.router.zookeeper;

import dev.kv.router.config.Json;
import dev.kv.router.table.RoutingTable;
import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.curator.framework.CuratorFramework;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.data.Stat;

/**
 * Access to the routing tables and the documents of the nodes in ZooKeeper, for the commands. One thread.
 *
 * <p>Every method waits for ZooKeeper for a bounded time, and throws {@link ZooKeeperFailed} if it does not answer or refuses.
 */
public final class Tables implements AutoCloseable {
    /** How long a command waits for ZooKeeper; who calls it can call it again. */
    private static final Duration CONNECT_MAX = Duration.ofSeconds(5);

    private final ZooKeeperSettings settings;
    private final long tableMaxBytes;
    private final CuratorFramework client;

    /** The table that was read last: who waits for it reads it again and again, and parsing takes longest. */
    private Optional<SeenTable> lastRead = Optional.empty();

    private List<String> unread = List.of();

    /**
     * A table in its znode.
     *
     * @param table its text, parsed as nodes do
     * @param version the version of the znode, the number of writes since its creation
     * @param since the time of the write
     */
    public record Stored(SeenTable table, int version, Instant since) {}

    /**
     * A table that was applied.
     *
     * @param path its znode
     * @param time when the first node applied it, ISO-8601 in UTC
     */
    public record Past(long mzxid, String path, String time, String text) {}

    private Tables(ZooKeeperSettings settings, long tableMaxBytes, CuratorFramework client) {
        this.settings = settings;
        this.tableMaxBytes = tableMaxBytes;
        this.client = client;
    }

    /**
     * Connects.
     *
     * @param tableMaxBytes larger tables are rejected
     */
    public static Tables open(ZooKeeperSettings settings, long tableMaxBytes) {
        CuratorFramework client = settings.open();
        Tables tables = new Tables(settings, tableMaxBytes, client);
        try {
            if (client.blockUntilConnected((int) CONNECT_MAX.toMillis(), TimeUnit.MILLISECONDS)) {
                return tables;
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        // In another thread: it would wait for the server.
        Thread.ofVirtual().start(client::close);
        List<String> unknown = settings.unknownHosts();
        throw tables.bad("does not answer within " + CONNECT_MAX.toSeconds() + " s: "
                + (unknown.isEmpty()
                        ? "check that a server runs there"
                        : "no such host: " + String.join(", ", unknown)));
    }

    /** The paths of kv's znodes. */
    public Znodes znodes() {
        return settings.znodes();
    }

    /** A text, parsed as nodes do. */
    public SeenTable see(String path, long mzxid, byte[] text) {
        return SeenTable.of(path, mzxid, text, tableMaxBytes);
    }

    /** The table in the znode; empty if there is none. */
    public Optional<Stored> read(String path) {
        return ask(() -> {
            Stat stat = new Stat();
            byte[] data = client.getData().storingStatIn(stat).forPath(path);
            byte[] text = data == null ? new byte[0] : data;
            SeenTable table = lastRead.filter(before -> before.isOf(path, stat.getMzxid(), text))
                    .orElseGet(() -> see(path, stat.getMzxid(), text));
            lastRead = Optional.of(table);
            return new Stored(table, stat.getVersion(), Instant.ofEpochMilli(stat.getMtime()));
        });
    }

    /**
     * Writes the text into the znode unless that has changed. ZooKeeper compares versions alone, which begin again when a znode is deleted
     * and created: such a change is overwritten if it comes in the milliseconds between the last look at its transaction and the write.
     *
     * @param before the state that was read; empty if there was no znode
     * @return the transaction of the write; empty if the znode has changed
     */
    public OptionalLong write(String path, Optional<Stored> before, byte[] text) {
        try {
            Stat stat = new Stat();
            if (before.isPresent()) {
                Stat now = client.checkExists().forPath(path);
                if (now == null || now.getMzxid() != before.get().table().mzxid()) {
                    return OptionalLong.empty();
                }
                stat = client.setData().withVersion(before.get().version()).forPath(path, text);
            } else {
                client.create().storingStatIn(stat).creatingParentsIfNeeded().forPath(path, text);
            }
            return OptionalLong.of(stat.getMzxid());
        } catch (KeeperException.BadVersionException
                | KeeperException.NodeExistsException
                | KeeperException.NoNodeException e) {
            return OptionalLong.empty();
        } catch (KeeperException.ConnectionLossException
                | KeeperException.SessionExpiredException
                | KeeperException.OperationTimeoutException e) {
            throw bad("does not answer: the table may have been written or not, and `kv table show` will tell", e);
        } catch (Exception e) {
            throw failed(e);
        }
    }

    /** The applied tables of the znode, oldest first. Each is read when the stream comes to it: all together may take 1 GiB. */
    public Stream<Past> history(String path) {
        return pasts(path, children(znodes().history()));
    }

    /** Likewise, newest first. */
    public Stream<Past> newestFirst(String path) {
        return pasts(path, children(znodes().history()).reversed());
    }

    private Stream<Past> pasts(String path, List<String> names) {
        return names.stream()
                .flatMap(name -> past(znodes().history() + "/" + name, name).stream())
                .filter(past -> past.path().equals(path));
    }

    /** The table of this transaction; empty if it was not applied, or is no longer in the history. */
    public Optional<Past> past(long mzxid) {
        String path = znodes().historyOf(mzxid);
        return past(path, path.substring(path.lastIndexOf('/') + 1));
    }

    private Optional<Past> past(String path, String name) {
        return data(path).flatMap(json -> {
            try {
                return Optional.of(Json.read(
                        json,
                        settings.documentMaxBytes(),
                        entry -> new Past(
                                Long.parseUnsignedLong(name, 16),
                                entry.getString("path"),
                                entry.getString("time"),
                                entry.getString("text"))));
            } catch (Json.Unreadable notOurs) {
                return Optional.empty();
            }
        });
    }

    /**
     * The registered nodes with their documents, at most {@code kv.router.zookeeper.nodes-max}; {@link #unread} names those that
     * are left out. A document is empty if it cannot be read.
     *
     * @param first the names of the nodes that are not left out for others
     */
    public SortedMap<String, Optional<NodeDocument>> nodes(Set<String> first) {
        List<String> names = children(znodes().nodes()).stream()
                .filter(RoutingTable.Node::isName)
                .sorted(Comparator.comparing((String name) -> !first.contains(name))
                        .thenComparing(Comparator.naturalOrder()))
                .toList();
        SortedMap<String, Optional<NodeDocument>> nodes = new TreeMap<>();
        int nodesRead = Math.min(names.size(), settings.nodesMax());
        for (String name : names.subList(0, nodesRead)) {
            data(znodes().node(name)).ifPresent(json -> nodes.put(name, said(json)));
        }
        unread = names.subList(nodesRead, names.size());
        return nodes;
    }

    /** The registered nodes that the last call of {@link #nodes} has left out. */
    public List<String> unread() {
        return unread;
    }

    private Optional<NodeDocument> said(byte[] json) {
        try {
            return Optional.of(NodeDocument.read(json, settings.documentMaxBytes()));
        } catch (Json.Unreadable e) {
            return Optional.empty();
        }
    }

    /** The data of the znode, of length 0 if it has none; empty if there is no such znode. */
    private Optional<byte[]> data(String path) {
        return ask(() -> {
            byte[] data = client.getData().forPath(path);
            return data == null ? new byte[0] : data;
        });
    }

    /** The nodes with a table of their own. */
    public List<String> nodesWithOwnTable() {
        return children(znodes().tables()).stream()
                .filter(RoutingTable.Node::isName)
                .toList();
    }

    private List<String> children(String path) {
        return ask(() -> client.getChildren().forPath(path)).orElse(List.of()).stream()
                .sorted()
                .toList();
    }

    @FunctionalInterface
    private interface Question<T> {
        T ask() throws Exception;
    }

    /** The answer; empty if there is no such znode. */
    private <T> Optional<T> ask(Question<T> question) {
        try {
            return Optional.ofNullable(question.ask());
        } catch (KeeperException.NoNodeException e) {
            return Optional.empty();
        } catch (Exception e) {
            throw failed(e);
        }
    }

    private ZooKeeperFailed failed(Exception e) {
        return switch (e) {
            case KeeperException failure -> bad(ZooKeeperSession.meaning(failure), e);
            default -> bad("cannot be asked: " + e, e);
        };
    }

    private ZooKeeperFailed bad(String what) {
        return bad(what, null);
    }

    private ZooKeeperFailed bad(String what, Exception cause) {
        return new ZooKeeperFailed(
                "ZooKeeper at " + settings.connect() + " (kv.router.zookeeper.connect) " + what, cause);
    }

    @Override
    public void close() {
        client.close();
    }
}
