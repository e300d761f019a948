package dev.kv.router.peer;

import dev.kv.router.Reply;
import dev.kv.router.Request;
import dev.kv.router.dispatch.Router;
import dev.kv.router.net.Connector;
import dev.kv.router.net.Loop;
import dev.kv.router.net.Loops;
import dev.kv.router.table.RoutingTable;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ThreadFactory;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The other nodes. Each I/O loop has its own links to them, so that a request and its reply stay on one thread. */
public final class Peers implements Router.Nodes, AutoCloseable {
    private final Loops loops;
    private final Map<Loop, OfLoop> ofLoops = new HashMap<>();
    private final OutLinks links = new OutLinks();

    public Peers(Loops loops, PeerSettings settings) {
        this(loops, settings, Thread.ofPlatform().daemon().factory());
    }

    /**
     * @param lookUps makes the threads that look up hosts
     */
    Peers(Loops loops, PeerSettings settings, ThreadFactory lookUps) {
        this.loops = loops;
        for (Loop loop : loops.all()) {
            ofLoops.put(loop, new OfLoop(loop, new Connector(loop, settings.timeout()), settings, lookUps, links));
        }
    }

    @Override
    public CompletionStage<Reply> run(RoutingTable.Node node, Request request) {
        Optional<Loop> here = Loop.current();
        return here.isPresent()
                ? ofLoops.get(here.get()).peer(node).run(request, Optional.empty())
                : elsewhere(request, ofLoop -> List.of(ofLoop.peer(node).run(request, Optional.empty())), 1)
                        .getFirst();
    }

    @Override
    public List<CompletableFuture<Reply>> runParts(Map<RoutingTable.Node, Request> requests) {
        Optional<Loop> here = Loop.current();
        if (here.isPresent() || requests.isEmpty()) {
            return here.map(loop -> ofLoops.get(loop).runParts(requests)).orElse(List.of());
        }
        Request first = requests.values().iterator().next();
        return elsewhere(first, ofLoop -> ofLoop.runParts(requests), requests.size());
    }

    @Override
    public boolean takesEach(RoutingTable.Node node) {
        return Loop.current()
                .map(here -> ofLoops.get(here).peer(node).takesEach())
                .orElse(false);
    }

    @Override
    public Optional<Runnable> keep(long bytes, int nodes) {
        Loop here = Loop.current().orElseThrow();
        Room.Claim claim = ofLoops.get(here)
                .settings()
                .room()
                .claim(bytes, new Room.Claimant(nodes, new Object(), System.nanoTime(), false), here, () -> {});
        if (claim.isGranted()) {
            return Optional.of(claim::release);
        }
        claim.release();
        return Optional.empty();
    }

    /**
     * Runs requests of one stream on its loop: one loop for each keeps its requests in their order. Who calls from another thread is a caller of
     * the local socket that awaits the replies: kv.node.socket.callers-max bounds the tasks.
     */
    private List<CompletableFuture<Reply>> elsewhere(
            Request request, Function<OfLoop, List<CompletableFuture<Reply>>> run, int count) {
        Loop loop = loops.all().get(Math.floorMod(request.stream(), loops.all().size()));
        List<CompletableFuture<Reply>> replies =
                Stream.generate(CompletableFuture<Reply>::new).limit(count).toList();
        loop.execute(() -> {
            try {
                List<CompletableFuture<Reply>> asked = run.apply(ofLoops.get(loop));
                for (int i = 0; i < count; i++) {
                    var _ = asked.get(i).thenAccept(replies.get(i)::complete);
                }
            } catch (Throwable fault) {
                replies.forEach(reply -> reply.completeExceptionally(fault));
            }
        });
        return replies;
    }

    /** How many links to other nodes take requests, or wait for their last replies. Any thread. */
    public int links() {
        return links.open();
    }

    /** The nodes that the last attempt did not reach, and why; empty if there are none. Any thread. */
    public Optional<String> unreached() {
        return links.unreached();
    }

    /** The address of the node has changed. Any thread. */
    public void moved(String node) {
        ofLoops.forEach((loop, ofLoop) -> loop.execute(() -> ofLoop.peers().values().stream()
                .filter(peer -> peer.name().equals(node))
                .forEach(Peer::moved)));
    }

    /**
     * Drops the nodes that the table does not name: their links close when they have answered. A request that still goes by an older
     * table opens a new link, which the next call drops. Any thread.
     */
    public void keepThoseOf(RoutingTable table) {
        Set<RoutingTable.Node> named =
                table.entries().stream().map(RoutingTable.Entry::node).collect(Collectors.toSet());
        ofLoops.forEach((loop, ofLoop) -> loop.execute(() -> ofLoop.keep(named)));
    }

    /** Opens no more links. Those that are open close with their loops. */
    @Override
    public void close() {
        ofLoops.values().forEach(ofLoop -> ofLoop.connector().close());
    }

    /** The other nodes as one loop knows them; on that loop only. */
    private record OfLoop(
            Loop loop,
            Connector connector,
            PeerSettings settings,
            ThreadFactory lookUps,
            OutLinks links,
            Unanswered unanswered,
            Map<RoutingTable.Node, Peer> peers) {
        OfLoop(Loop loop, Connector connector, PeerSettings settings, ThreadFactory lookUps, OutLinks links) {
            this(loop, connector, settings, lookUps, links, new Unanswered(loop), new HashMap<>());
        }

        Peer peer(RoutingTable.Node node) {
            Peer known = peers.get(node);
            if (known != null) {
                return known;
            }
            Peer peer = new Peer(node, settings, loop, connector, lookUps, links, unanswered);
            peers.put(node, peer);
            return peer;
        }

        List<CompletableFuture<Reply>> runParts(Map<RoutingTable.Node, Request> requests) {
            if (requests.isEmpty()) {
                return List.of();
            }
            Request first = requests.values().iterator().next();
            Parts parts = new Parts(first, unanswered, settings, loop);
            try {
                return requests.entrySet().stream()
                        .map(part -> peer(part.getKey()).run(part.getValue(), Optional.of(parts)))
                        .toList();
            } finally {
                parts.asked();
            }
        }

        void keep(Set<RoutingTable.Node> named) {
            peers.values().removeIf(peer -> {
                boolean isDropped = !named.contains(peer.node());
                if (isDropped) {
                    peer.drop();
                }
                return isDropped;
            });
        }
    }
}
