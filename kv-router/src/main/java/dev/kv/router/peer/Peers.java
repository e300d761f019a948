package dev.kv.router.peer;

import dev.kv.router.Reply;
import dev.kv.router.Request;
import dev.kv.router.dispatch.Router;
import dev.kv.router.net.Connector;
import dev.kv.router.net.Loop;
import dev.kv.router.net.Loops;
import dev.kv.router.table.RoutingTable;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;

/** The other nodes. Each I/O loop has its own links to them, so that a request and its reply stay on one thread. */
public final class Peers implements Router.Nodes, AutoCloseable {
    private final Loops loops;
    private final Map<Loop, OfLoop> ofLoops = new HashMap<>();
    private final AtomicInteger links = new AtomicInteger();

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
        if (here.isPresent()) {
            return ofLoops.get(here.get()).peer(node).run(request);
        }
        // One loop for each stream keeps its requests in their order. Who calls from another thread is a caller of the
        // local socket that
        // awaits the reply: kv.node.socket.callers-max bounds the tasks.
        Loop loop = loops.all().get(Math.floorMod(request.stream(), loops.all().size()));
        CompletableFuture<Reply> reply = new CompletableFuture<>();
        loop.execute(() -> {
            try {
                ofLoops.get(loop).peer(node).run(request).thenAccept(reply::complete);
            } catch (Throwable fault) {
                reply.completeExceptionally(fault);
            }
        });
        return reply;
    }

    /** How many links to other nodes take requests, or wait for their last replies. Any thread. */
    public int links() {
        return links.get();
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
            AtomicInteger links,
            Unanswered unanswered,
            Map<RoutingTable.Node, Peer> peers) {
        OfLoop(Loop loop, Connector connector, PeerSettings settings, ThreadFactory lookUps, AtomicInteger links) {
            this(loop, connector, settings, lookUps, links, new Unanswered(), new HashMap<>());
        }

        Peer peer(RoutingTable.Node node) {
            return peers.computeIfAbsent(
                    node, unknown -> new Peer(unknown, settings, loop, connector, lookUps, links, unanswered));
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
