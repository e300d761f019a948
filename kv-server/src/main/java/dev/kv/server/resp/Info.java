package dev.kv.server.resp;

import dev.kv.router.Bytes;
import dev.kv.router.metrics.Metrics;
import dev.kv.router.spi.Door;
import dev.kv.router.spi.Engine;
import dev.kv.router.table.TableInForce;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryUsage;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/** The sections of {@code INFO}. */
final class Info {
    /** The words for all sections. */
    private static final List<String> ALL = List.of("all", "everything");

    /** The sections with a line for each command, which only those get who ask for them or for all, as in Redis. */
    private static final Set<String> OF_COMMANDS = Set.of("Commandstats", "Latencystats");

    private static final double[] PERCENTILES = {50, 99, 99.9};
    private static final double NANOS_IN_MICRO = 1e3;

    private final Door.Facts node;
    private final RespDoor door;

    Info(RespDoor door) {
        this.node = door.node();
        this.door = door;
    }

    /**
     * The sections in Redis's form. Only these are made.
     *
     * @param wanted their names in either case; {@code default}, or none, stands for all but those of commands, {@code all} for all
     */
    String text(List<Bytes> wanted) {
        boolean all = ALL.stream().anyMatch(name -> isOf(wanted, name));
        boolean most = wanted.isEmpty() || isOf(wanted, "default");
        StringBuilder text = new StringBuilder();
        sections().forEach((name, facts) -> {
            if (all || (most && !OF_COMMANDS.contains(name)) || isOf(wanted, name.toLowerCase(Locale.ROOT))) {
                text.append(text.isEmpty() ? "" : "\r\n")
                        .append("# ")
                        .append(name)
                        .append("\r\n");
                facts.get()
                        .forEach((key, value) ->
                                text.append(key).append(':').append(value).append("\r\n"));
            }
        });
        return text.toString();
    }

    private static boolean isOf(List<Bytes> words, String name) {
        return words.stream().anyMatch(word -> Keyword.is(word, name));
    }

    private Map<String, Supplier<Map<String, Object>>> sections() {
        Map<String, Supplier<Map<String, Object>>> sections = new LinkedHashMap<>();
        sections.put("Server", this::server);
        sections.put("Clients", this::clients);
        sections.put("Memory", Info::memory);
        sections.put("Persistence", this::persistence);
        sections.put("Stats", this::stats);
        sections.put("Replication", Info::replication);
        sections.put("CPU", Info::cpu);
        sections.put("Commandstats", this::commands);
        sections.put("Errorstats", this::errors);
        sections.put("Latencystats", this::latencies);
        sections.put("Keyspace", this::keyspace);
        sections.put("Routing", this::routing);
        return sections;
    }

    private Map<String, Object> server() {
        Duration uptime = Duration.ofMillis(ManagementFactory.getRuntimeMXBean().getUptime());
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("redis_version", ServerCommands.REDIS_VERSION);
        facts.put("kv_version", node.version());
        facts.put("kv_node", node.name());
        facts.put("kv_role", node.role());
        facts.put("redis_mode", "standalone");
        facts.put("os", System.getProperty("os.name") + " " + System.getProperty("os.version"));
        facts.put("arch_bits", 64);
        facts.put("process_id", ProcessHandle.current().pid());
        facts.put("tcp_port", door.address().getPort());
        facts.put("uptime_in_seconds", uptime.toSeconds());
        facts.put("uptime_in_days", uptime.toDays());
        return facts;
    }

    private Map<String, Object> clients() {
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("connected_clients", door.connections());
        facts.put("maxclients", door.connectionsMax());
        // No command blocks its client.
        facts.put("blocked_clients", 0);
        return facts;
    }

    private static Map<String, Object> memory() {
        MemoryUsage heap = ManagementFactory.getMemoryMXBean().getHeapMemoryUsage();
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("used_memory", heap.getUsed());
        facts.put("used_memory_committed", heap.getCommitted());
        facts.put("kv_heap_max", heap.getMax());
        // Redis says 0 for none: the data is on the disk.
        facts.put("maxmemory", 0);
        facts.put("maxmemory_policy", "noeviction");
        return facts;
    }

    private Map<String, Object> persistence() {
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("loading", 0);
        Metrics.texts(node.metrics().of(Engine.PART))
                .forEach((name, value) -> facts.put("kv_storage_" + name.replace(' ', '_'), value));
        return facts;
    }

    private Map<String, Object> stats() {
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("total_connections_received", door.clients().received());
        facts.put("total_commands_processed", door.clients().requests());
        facts.put(
                "total_error_replies",
                door.statistics().errors().values().stream()
                        .mapToLong(Long::longValue)
                        .sum());
        return facts;
    }

    /** Redis clients look for a master, a node that takes writes; every node takes them. */
    private static Map<String, Object> replication() {
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("role", "master");
        facts.put("connected_slaves", 0);
        return facts;
    }

    private static Map<String, Object> cpu() {
        ProcessorTime used = ProcessorTime.used();
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("used_cpu_sys", "%.6f".formatted(used.systemSeconds()));
        facts.put("used_cpu_user", "%.6f".formatted(used.userSeconds()));
        return facts;
    }

    /** {@code usec} is estimated: the mean time of the timed requests times the number of all. */
    private Map<String, Object> commands() {
        Statistics statistics = door.statistics();
        LoopCounts.Sum counts = statistics.counts();
        Map<String, Object> facts = new LinkedHashMap<>();
        RespCommand.all().forEach(row -> {
            long calls = counts.calls(row);
            long rejected = statistics.rejections(row);
            long failed = statistics.failures(row);
            if (calls + rejected + failed > 0) {
                double micros = counts.times(row).meanNanos() / NANOS_IN_MICRO;
                facts.put(
                        "cmdstat_" + row.name(),
                        "calls=%d,usec=%d,usec_per_call=%.2f,rejected_calls=%d,failed_calls=%d"
                                .formatted(calls, Math.round(micros * calls), micros, rejected, failed));
            }
        });
        return facts;
    }

    private Map<String, Object> errors() {
        Map<String, Object> facts = new LinkedHashMap<>();
        door.statistics().errors().forEach((word, count) -> facts.put("errorstat_" + word, "count=" + count));
        return facts;
    }

    private Map<String, Object> latencies() {
        LoopCounts.Sum counts = door.statistics().counts();
        Map<String, Object> facts = new LinkedHashMap<>();
        RespCommand.all().filter(row -> counts.times(row).count() > 0).forEach(row -> {
            String percentiles = Arrays.stream(PERCENTILES)
                    .mapToObj(percent -> "p%s=%.3f"
                            .formatted(
                                    percent == (long) percent
                                            ? Long.toString((long) percent)
                                            : Double.toString(percent),
                                    counts.times(row).percentileNanos(percent) / NANOS_IN_MICRO))
                    .collect(Collectors.joining(","));
            facts.put("latency_percentiles_usec_" + row.name(), percentiles);
        });
        return facts;
    }

    /** What this node keeps; {@code DBSIZE} counts what all nodes keep. */
    private Map<String, Object> keyspace() {
        long buckets = node.metrics().number(Engine.PART, Engine.BUCKETS).orElse(0);
        long expiring = node.metrics().number(Engine.PART, Engine.EXPIRING).orElse(0);
        return buckets == 0 ? Map.of() : Map.of("db0", "keys=" + buckets + ",expires=" + expiring + ",avg_ttl=0");
    }

    private Map<String, Object> routing() {
        TableInForce table = node.table().get();
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("kv_table", table.table().printable());
        facts.put("kv_table_source", table.source());
        facts.put("kv_table_version", TableInForce.versionText(table.version()));
        facts.put("kv_table_since", table.since());
        facts.put("kv_table_absence", table.absence());
        return facts;
    }
}
