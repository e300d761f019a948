package dev.kv.router.admin;

import static java.time.temporal.ChronoUnit.SECONDS;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Limits;
import dev.kv.router.OperatorError;
import dev.kv.router.Reply;
import dev.kv.router.dispatch.Router;
import dev.kv.router.metrics.Metrics;
import dev.kv.router.net.Addresses;
import dev.kv.router.spi.Engine;
import dev.kv.router.table.TableInForce;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The answers of a node at its local socket: one document for each line, which is a command and its argument. */
public final class NodeAnswers implements LocalServer.Answering {
    /** Added to kv.router.timeout, after which the first node on a path answers that the next one does not. */
    private static final Duration ROUTE_MARGIN = Duration.ofSeconds(1);

    private static final Logger LOG = LoggerFactory.getLogger(NodeAnswers.class);

    private final NodeState node;
    private final Runnable stopAsked;
    private final int longMax;
    private final Semaphore free;

    /** Closing one of these ends a running backup, export or import. */
    private final Set<Closeable> running = ConcurrentHashMap.newKeySet();

    /**
     * The answers about a node.
     *
     * @param longMax how many backups, exports and imports run at once; more are refused
     * @param stopAsked is called to stop the node; must not block
     */
    public NodeAnswers(NodeState node, int longMax, Runnable stopAsked) {
        this.node = node;
        this.stopAsked = stopAsked;
        this.longMax = longMax;
        this.free = new Semaphore(longMax);
    }

    @Override
    public Map<String, Object> to(String line, Caller caller) throws IOException {
        int blank = line.indexOf(' ');
        String command = blank < 0 ? line : line.substring(0, blank);
        return switch (command) {
            case "status" -> status();
            case "stop" -> stop();
            case "route" -> route(argument(line));
            case "backup" -> {
                Path to = path(line);
                Thread thread = Thread.currentThread();
                yield ofStorage(storage -> document(storage.backup(to)), thread::interrupt);
            }
            case "export" -> {
                Bytes bucket = argument(line);
                yield ofStorage(storage -> Map.of("keys", storage.exportTo(bucket, caller.output())), caller);
            }
            case "import", "replace" -> {
                Bytes bucket = argument(line);
                boolean replaces = command.equals("replace");
                Limits limits = node.identity().limits();
                yield ofStorage(
                        storage -> Map.of("keys", storage.importFrom(bucket, replaces, limits, caller.input())),
                        caller);
            }
            default -> refusal("this release knows no `" + command + "`");
        };
    }

    private static Bytes argument(String line) {
        try {
            return Bytes.ofPrintable(line.substring(line.indexOf(' ') + 1));
        } catch (IllegalArgumentException e) {
            throw new BadArgument("expected two hexadecimal digits behind each percent sign of its argument", e);
        }
    }

    private static Path path(String line) {
        try {
            return Path.of(argument(line).text());
        } catch (InvalidPathException e) {
            throw new BadArgument("its argument is no path: " + e.getReason(), e);
        }
    }

    /** A line whose argument is none that its command takes. */
    private static final class BadArgument extends OperatorError {
        private static final long serialVersionUID = 1L;

        BadArgument(String line, Throwable cause) {
            super(line, cause);
        }
    }

    @FunctionalInterface
    private interface Work {
        Map<String, Object> with(Engine.Open storage) throws IOException;
    }

    /** Does work that may take long, unless too much of it runs already. */
    private Map<String, Object> ofStorage(Work work, Closeable cut) throws IOException {
        if (node.engine().isEmpty()) {
            return refusal(node.identity().keepsData() ? "it is still starting" : "it keeps no data");
        }
        if (!free.tryAcquire()) {
            return refusal(
                    longMax
                            + " backups, exports and imports run already (kv.node.socket.long-max): wait for one of them to end");
        }
        running.add(cut);
        try {
            // The stage is set before cutOff(): either this sees it, or cutOff() ends this work.
            if (node.stage() == NodeState.Stage.STOPPING) {
                return refusal("it is stopping");
            }
            return work.with(node.engine().get());
        } finally {
            running.remove(cut);
            free.release();
        }
    }

    private static Map<String, Object> refusal(String why) {
        return Map.of(LocalProtocol.REFUSAL, why);
    }

    /** The result of a backup as a document. */
    public static Map<String, Object> document(Engine.Copied copied) {
        return Map.of(
                "files", copied.files(),
                "bytes", copied.bytes(),
                "copied", copied.copied(),
                "copiedBytes", copied.copiedBytes(),
                "linked", copied.linked(),
                "kept", copied.kept(),
                "records", copied.records());
    }

    /** Ends backups, exports and imports, so that the storage can stop. */
    public void cutOff() {
        for (Closeable cut : running) {
            try {
                cut.close();
            } catch (IOException e) {
                LOG.debug("a connection could not be closed", e);
            }
        }
    }

    private Map<String, Object> stop() {
        stopAsked.run();
        return Map.of("drainMillis", node.identity().drain().toMillis());
    }

    private Map<String, Object> status() {
        Map<String, Object> status = new LinkedHashMap<>();
        status.put("name", node.identity().name());
        status.put("state", node.stage().text());
        status.put("doing", node.doing());
        status.put("role", node.identity().role());
        status.put("version", node.identity().version());
        status.put("pid", ProcessHandle.current().pid());
        status.put("started", node.startedAt().truncatedTo(SECONDS).toString());
        status.put(
                "uptimeSeconds",
                Duration.between(node.startedAt(), Instant.now()).toSeconds());
        Map<String, String> addresses = new LinkedHashMap<>();
        node.clientAddress().ifPresent(address -> addresses.put("clients", Addresses.text(address)));
        node.peerAddress().ifPresent(address -> addresses.put("nodes", Addresses.text(address)));
        status.put("addresses", addresses);
        node.engine().ifPresent(storage -> status.put("data", storage.folder().toString()));
        node.router().ifPresent(router -> status.put("table", table(router.inForce())));
        Map<String, Object> parts = new LinkedHashMap<>();
        node.metrics().all().forEach((part, metrics) -> parts.put(part, Metrics.texts(metrics)));
        status.put("parts", parts);
        return status;
    }

    private static Map<String, String> table(TableInForce table) {
        return Map.of(
                "source", table.source(),
                "version", TableInForce.versionText(table.version()),
                "since", table.since().truncatedTo(SECONDS).toString(),
                "text", table.table().toString(),
                "absence", table.absence());
    }

    private Map<String, Object> route(Bytes bucket) {
        Reply.Way way = Reply.Way.of(
                node.router().map(router -> ask(router, bucket)).orElse(failed("this node is still starting")));
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("hops", way.hops().stream().map(NodeAnswers::hop).toList());
        way.failure()
                .ifPresent(failed ->
                        document.put("failure", Map.of("word", failed.word().name(), "message", failed.message())));
        return document;
    }

    private Reply ask(Router router, Bytes bucket) {
        Duration limit = node.identity().timeout().plus(ROUTE_MARGIN);
        try {
            return router.store()
                    .run(new Command.Route(bucket))
                    .toCompletableFuture()
                    .get(limit.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            return failed("no answer within " + limit.toSeconds() + "s");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return failed("this node stops");
        } catch (ExecutionException e) {
            throw new IllegalStateException("the question for the way failed", e);
        }
    }

    private static Reply failed(String message) {
        return new Reply.Failed(Reply.Word.ERR, message);
    }

    private static Map<String, Object> hop(Reply.Hop hop) {
        return Map.of(
                "node", hop.node(),
                "table", TableInForce.versionText(hop.table()),
                "entry", hop.entry(),
                "line", hop.line(),
                "column", hop.column());
    }
}
