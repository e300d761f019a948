package dev.kv.router.zookeeper;

import com.typesafe.config.Config;
import dev.kv.router.config.Json;
import dev.kv.router.placement.Holding;
import dev.kv.router.placement.Misplaced;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The document of a node in ZooKeeper, JSON on one line.
 *
 * @param role storage, server or combined
 * @param version the version of its release
 * @param instance an id that distinguishes the node, across restarts, from another one of its name
 * @param peer its address for other nodes, {@code host:port}; empty until the listener is open
 * @param client its address for clients; empty without such a listener
 * @param holds its buckets by entry of its table in force; empty if that is left out, which is not to hold none
 * @param misplaced its buckets that its table sends to other nodes
 * @param table the newest table text that it has read
 * @param inForce the table in force there; empty if there is none yet
 */
public record NodeDocument(
        String role,
        String version,
        String instance,
        String peer,
        String client,
        Optional<List<Holding>> holds,
        Misplaced misplaced,
        Table table,
        Optional<InForce> inForce) {
    /** Whether its release has storage. */
    public boolean keepsData() {
        return keepsData(role);
    }

    /** Whether releases of this role have storage. */
    static boolean keepsData(String role) {
        return !role.equals("server");
    }

    /** The state of the newest text. */
    public enum State {
        /** It is in force. */
        APPLIED,
        /** It is rejected, for {@code reason}. */
        REJECTED,
        /** There is none. */
        MISSING;

        String text() {
            return switch (this) {
                case APPLIED -> "applied";
                case REJECTED -> "rejected";
                case MISSING -> "missing";
            };
        }

        static State of(String text) {
            return switch (text) {
                case "applied" -> APPLIED;
                case "rejected" -> REJECTED;
                default -> MISSING;
            };
        }
    }

    /**
     * The newest text.
     *
     * @param source its znode; empty if there is none
     * @param mzxid the transaction that wrote it; 0 if there is none
     * @param sha256 see {@link SeenTable#sha256}
     * @param since when the node read it, ISO-8601 in UTC
     */
    public record Table(
            String source, long mzxid, String sha256, State state, String reason, List<String> warnings, String since) {
        public Table {
            warnings = List.copyOf(warnings);
        }

        /** Its state in one line. */
        String summary() {
            return state.text()
                    + (source.isEmpty() ? "" : " " + Znodes.hex(mzxid))
                    + (reason.isEmpty() ? "" : ": " + reason);
        }

        /** The warnings in one line; empty if there are none. */
        String warningsText() {
            return String.join("; ", warnings);
        }
    }

    /** The table in force. */
    public record InForce(String source, long mzxid, String sha256, String since) {}

    public NodeDocument {
        holds = holds.map(List::copyOf);
    }

    /** A time in the format of documents, ISO-8601 in UTC. */
    static String text(Instant time) {
        return time.truncatedTo(ChronoUnit.SECONDS).toString();
    }

    /** The document as JSON on one line. */
    public byte[] json() {
        return Json.bytes(toMap());
    }

    /** The document as a map for JSON. */
    public Map<String, Object> toMap() {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("role", role);
        map.put("version", version);
        map.put("instance", instance);
        map.put("peer", peer);
        map.put("client", client);
        // Nodes of older releases do not read a document without "holds".
        map.put(
                "holds",
                holds.stream()
                        .flatMap(List::stream)
                        .map(held -> Map.of("entry", held.entry(), "buckets", held.buckets(), "bytes", held.bytes()))
                        .toList());
        if (holds.isEmpty()) {
            map.put("holds_left_out", true);
        }
        map.put(
                "misplaced",
                Map.of("buckets", misplaced.buckets(), "bytes", misplaced.bytes(), "names", misplaced.names()));
        map.put(
                "table",
                Map.of(
                        "source", table.source,
                        "mzxid", Znodes.hex(table.mzxid),
                        "sha256", table.sha256,
                        "state", table.state.text(),
                        "reason", table.reason,
                        "warnings", table.warnings,
                        "since", table.since));
        inForce.ifPresent(now -> map.put(
                "in_force",
                Map.of(
                        "source", now.source,
                        "mzxid", Znodes.hex(now.mzxid),
                        "sha256", now.sha256,
                        "since", now.since)));
        return map;
    }

    /**
     * Reads a document.
     *
     * @param maxBytes more than this is refused
     */
    public static NodeDocument read(byte[] json, long maxBytes) throws Json.Unreadable {
        return Json.read(json, maxBytes, NodeDocument::of);
    }

    private static NodeDocument of(Config config) {
        Config table = config.getConfig("table");
        return new NodeDocument(
                config.getString("role"),
                config.getString("version"),
                config.getString("instance"),
                config.getString("peer"),
                config.getString("client"),
                config.hasPath("holds_left_out") ? Optional.empty() : Optional.of(holds(config)),
                misplaced(config),
                new Table(
                        table.getString("source"),
                        Long.decode(table.getString("mzxid")),
                        table.getString("sha256"),
                        State.of(table.getString("state")),
                        table.getString("reason"),
                        table.getStringList("warnings"),
                        table.getString("since")),
                config.hasPath("in_force") ? Optional.of(inForce(config.getConfig("in_force"))) : Optional.empty());
    }

    private static List<Holding> holds(Config config) {
        return config.getConfigList("holds").stream()
                .map(held -> new Holding(held.getString("entry"), held.getLong("buckets"), held.getLong("bytes")))
                .toList();
    }

    /** Nodes before 1.0.0 write {@code strays} for misplaced buckets. */
    private static Misplaced misplaced(Config config) {
        Config said = config.getConfig(config.hasPath("strays") ? "strays" : "misplaced");
        return new Misplaced(said.getLong("buckets"), said.getLong("bytes"), said.getStringList("names"));
    }

    private static InForce inForce(Config now) {
        return new InForce(
                now.getString("source"),
                Long.decode(now.getString("mzxid")),
                now.getString("sha256"),
                now.getString("since"));
    }
}
