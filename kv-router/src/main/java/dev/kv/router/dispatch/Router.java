package dev.kv.router.dispatch;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Limits;
import dev.kv.router.LongReply;
import dev.kv.router.Reply;
import dev.kv.router.Reply.Failed;
import dev.kv.router.Reply.Hop;
import dev.kv.router.Reply.Way;
import dev.kv.router.Reply.Word;
import dev.kv.router.Request;
import dev.kv.router.Request.Visit;
import dev.kv.router.Store;
import dev.kv.router.placement.Placement;
import dev.kv.router.placement.Placement.Here;
import dev.kv.router.placement.Placement.Nowhere;
import dev.kv.router.placement.Placement.Place;
import dev.kv.router.placement.Placement.There;
import dev.kv.router.table.RoutingTable;
import dev.kv.router.table.TableInForce;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Runs each request at the place that this node's routing table names: on the buckets here, or on another node, which looks in its
 * own table again. Any thread.
 */
public final class Router {
    /** The number of bytes of a bucket's name in an error message. */
    private static final int SHOWN_NAME_BYTES = 256;

    private final String self;
    private final Optional<Store> local;
    private final Nodes others;
    private final Limits limits;
    private final SizeCheck sizes;
    private final AtomicInteger streams = new AtomicInteger();
    private volatile Routing routing;

    /** The table in force, the places of buckets by it, and what a request that goes by it bears when it has passed this node. */
    record Routing(TableInForce inForce, Placement placement, Visit visit) {}

    /** The other nodes. */
    @FunctionalInterface
    public interface Nodes {
        /**
         * Runs the request on another node. A failure of the connection is a {@link Reply.Failed} that names the node. Any thread; a
         * caller on an I/O loop gets the reply on that loop.
         */
        CompletionStage<Reply> run(RoutingTable.Node node, Request request);

        /**
         * Runs the requests that one question of a client consists of, each on another node. Who gets a reply that is {@link LongReply.Charged}
         * may keep it as long as others are missing if it takes over the charge.
         *
         * @return the replies, in the order of the requests
         */
        default List<CompletableFuture<Reply>> runParts(Map<RoutingTable.Node, Request> requests) {
            return requests.entrySet().stream()
                    .map(part -> run(part.getKey(), part.getValue()).toCompletableFuture())
                    .toList();
        }

        /**
         * Whether the node is known to take a {@link Command.Each}. If not, it gets a request for each command: it may run an older release. On
         * an I/O loop.
         */
        default boolean takesEach(RoutingTable.Node node) {
            return true;
        }

        /**
         * Charges a part of an answer that waits for parts of other nodes, if there is memory for it now. On an I/O loop.
         *
         * @param nodes the number of nodes between this one and the client
         * @return gives the memory back; empty if there is too little
         */
        default Optional<Runnable> keep(long bytes, int nodes) {
            return Optional.of(() -> {});
        }
    }

    /**
     * @param self this node's name
     * @param local the buckets on this node; empty on a server-only release
     */
    public Router(String self, Optional<Store> local, Nodes others, Limits limits, TableInForce inForce) {
        this.self = self;
        this.local = local;
        this.others = others;
        this.limits = limits;
        this.sizes = new SizeCheck(limits);
        use(inForce);
    }

    /** The table in force. */
    public TableInForce inForce() {
        return routing.inForce();
    }

    /** Puts a table into force; requests in flight keep the table with which they started. Any thread. */
    public void use(TableInForce table) {
        routing = new Routing(table, new Placement(self, table.table()), new Visit(self, table.version()));
    }

    /** A store for one client: its commands on one bucket run in order, also on other nodes. */
    public Store store() {
        int stream = streams.incrementAndGet();
        return (command, takenMillis) -> run(Request.of(command, stream, takenMillis));
    }

    /** Runs a request by this node's table. */
    public CompletionStage<Reply> run(Request request) {
        Routing now = routing;
        if (request.command() instanceof Command.Each each) {
            return new EachByNode(self, local, others, limits, sizes, now).run(request, each);
        }
        Optional<Failed> excess = sizes.excess(request.command());
        if (excess.isPresent()) {
            return reply(excess.get());
        }
        if (request.command() instanceof Command.Survey survey) {
            return new FanOut(self, local, others, limits, now).run(request, survey);
        }
        return switch (now.placement().of(request.command().bucket())) {
            case Here here -> runHere(request, now, here);
            case There there -> runThere(request, now, there);
            case Nowhere nowhere -> ends(request, now, nowhere, noRoute(self, request, now.inForce()));
        };
    }

    private CompletionStage<Reply> runThere(Request request, Routing now, There there) {
        Optional<Failed> circle = circle(request, now.visit(), limits.hopsMax());
        if (circle.isPresent()) {
            return ends(request, now, there, circle.get());
        }
        CompletionStage<Reply> answer = others.run(there.node(), request.via(now.visit()));
        return request.command() instanceof Command.Route
                ? answer.thenApply(further -> Way.of(further).after(hop(now, there)))
                : answer;
    }

    private CompletionStage<Reply> runHere(Request request, Routing now, Here here) {
        if (local.isEmpty()) {
            return ends(request, now, here, keepsNoData(self));
        }
        return switch (request.command()) {
            case Command.Route _ -> reply(new Way(List.of(hop(now, here)), Optional.empty()));
            case Command.Several several -> runAllHere(request, now, several);
            case Command command -> local.get().run(command, request.takenMillis());
        };
    }

    /** Runs a command on several names if this node keeps them. */
    private CompletionStage<Reply> runAllHere(Request request, Routing now, Command.Several command) {
        for (Bytes name : command.names()) {
            if (!(now.placement().of(name) instanceof Here)) {
                return reply(notAllHere(
                        command, "%s does not keep \"%s\"".formatted(self, name.printable(SHOWN_NAME_BYTES))));
            }
        }
        return local.get().run(command, request.takenMillis());
    }

    private static Failed notAllHere(Command.Several command, String missing) {
        return switch (command) {
            case Command.Rename _, Command.RenameAbsent _ ->
                new Failed(
                        Word.ERR,
                        missing
                                + ": a name is renamed within its node; `kv export` it, `kv import` it under the new name at the"
                                + " node of that, and DEL the old one");
            case Command.Copy _ ->
                new Failed(
                        Word.ERR,
                        missing
                                + ": a name is copied within its node; `kv export` it, and `kv import` it under the new name at the"
                                + " node of that");
            case Command.SetAbsentValues _ ->
                new Failed(Word.ERR, missing + ": one node has to keep all names that are set together");
            case Command.Together _ -> new Failed(Word.EXECABORT, Reply.Reason.NAMES_APART, missing);
        };
    }

    static Failed keepsNoData(String node) {
        return new Failed(Word.NOROUTE, node + " keeps no data (server release)");
    }

    /** Why this node cannot forward the request by this table: a routing loop, or too many hops; empty if it can. */
    static Optional<Failed> circle(Request request, Visit visit, int hopsMax) {
        if (request.path().contains(visit)) {
            return Optional.of(new Failed(Word.CIRCLE, way(request, visit.node())));
        }
        if (request.path().size() >= hopsMax) {
            return Optional.of(new Failed(
                    Word.CIRCLE,
                    way(request, visit.node()) + ": more than " + hopsMax + " nodes pass it on (kv.router.hops-max)"));
        }
        return Optional.empty();
    }

    /** The request ends here with a failure; for {@link Command.Route} with the path and the failure. */
    private CompletionStage<Reply> ends(Request request, Routing now, Place place, Failed failure) {
        return reply(
                request.command() instanceof Command.Route
                        ? new Way(List.of(hop(now, place)), Optional.of(failure))
                        : failure);
    }

    private static CompletionStage<Reply> reply(Reply reply) {
        return CompletableFuture.completedFuture(reply);
    }

    private Hop hop(Routing now, Place place) {
        long version = now.inForce().version();
        return place.entry()
                .map(entry -> new Hop(self, version, entry.toString(), entry.line(), entry.column()))
                .orElseGet(() -> new Hop(self, version, "", 0, 0));
    }

    /** The failure of all requests while there is no table; empty if there is one. */
    static Optional<Failed> noTable(TableInForce now) {
        return now.absence().isEmpty()
                ? Optional.empty()
                : Optional.of(new Failed(Word.NOROUTE, "no routing table yet: " + now.absence()));
    }

    static Failed noRoute(String self, Request request, TableInForce now) {
        Optional<Failed> noTable = noTable(now);
        if (noTable.isPresent()) {
            return noTable.get();
        }
        String name = request.command().bucket().printable(SHOWN_NAME_BYTES);
        String table = "could not find entry for \"" + name + "\" in table ["
                + now.table().printable() + "]";
        return new Failed(Word.NOROUTE, request.path().isEmpty() ? table : table + " of " + self);
    }

    private static String way(Request request, String last) {
        return Stream.concat(request.path().stream().map(Visit::node), Stream.of(last))
                .collect(Collectors.joining(" -> "));
    }
}
