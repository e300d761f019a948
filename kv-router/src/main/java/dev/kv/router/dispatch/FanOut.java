package dev.kv.router.dispatch;

import dev.kv.router.Command;
import dev.kv.router.Limits;
import dev.kv.router.LongReply;
import dev.kv.router.NameSpace;
import dev.kv.router.Reply;
import dev.kv.router.Reply.Failed;
import dev.kv.router.Reply.Name;
import dev.kv.router.Reply.Names;
import dev.kv.router.Reply.Owner;
import dev.kv.router.Reply.Word;
import dev.kv.router.Request;
import dev.kv.router.Request.Visit;
import dev.kv.router.Store;
import dev.kv.router.placement.Placement;
import dev.kv.router.placement.Placement.Share;
import dev.kv.router.table.RoutingTable;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/**
 * A question for all buckets of a part of the name space. This node splits the part by its table, answers for the names that the
 * table sends here, and forwards the question for the rest. So the node that a request for a bucket would reach reports the bucket.
 *
 * <p>The answer is a failure if a part of it is missing.
 */
final class FanOut {
    /** The bytes of a name in a reply without the name itself. */
    private static final int NAME_OVERHEAD_BYTES = 16;

    /** Greater than all positions. */
    private static final long END = 1L << 32;

    private final String self;
    private final Optional<Store> local;
    private final Router.Nodes others;
    private final Limits limits;
    private final Router.Routing now;

    FanOut(String self, Optional<Store> local, Router.Nodes others, Limits limits, Router.Routing now) {
        this.self = self;
        this.local = local;
        this.others = others;
        this.limits = limits;
        this.now = now;
    }

    CompletionStage<Reply> run(Request request, Command.Survey survey) {
        Optional<Failed> noTable = Router.noTable(now.inForce());
        if (noTable.isPresent()) {
            return CompletableFuture.completedFuture(noTable.get());
        }
        if (now.inForce().table().entries().isEmpty()) {
            return CompletableFuture.completedFuture(
                    new Failed(Word.NOROUTE, "the table of " + self + " is empty: it sends no bucket anywhere"));
        }
        List<Owner> nobodys = new ArrayList<>();
        List<NameSpace.Span> here = new ArrayList<>();
        Map<RoutingTable.Node, List<NameSpace.Span>> there = new LinkedHashMap<>();
        for (Share share : now.placement().shares(survey.names())) {
            switch (share.place()) {
                case Placement.Here _ -> here.add(share.span());
                case Placement.There(var entry) ->
                    there.computeIfAbsent(entry.node(), node -> new ArrayList<>())
                            .add(share.span());
                case Placement.Nowhere _ -> nobodys.add(new Owner(share.span().from(), ""));
            }
        }
        List<CompletableFuture<Reply>> parts = new ArrayList<>();
        CompletableFuture<Reply> sum = CompletableFuture.completedFuture(
                survey instanceof Command.Count ? new Reply.Amount(0) : new Names(nobodys, 0, List.of()));
        if (!here.isEmpty()) {
            Command.Survey part = survey.within(NameSpace.of(here));
            parts.add(askHere(part));
            sum = sum.thenCombine(parts.getLast().thenApply(reply -> ownedHere(reply, part)), this::sum);
        }
        for (Map.Entry<RoutingTable.Node, List<NameSpace.Span>> part : there.entrySet()) {
            NameSpace names = NameSpace.of(part.getValue());
            parts.add(ask(part.getKey(), request, survey.within(names)));
            sum = sum.thenCombine(parts.getLast(), this::sum);
        }
        return sum.isDone() ? sum : underWay(sum, parts);
    }

    /** The sum as a reply that begins with one of its parts, and that cancels all of them. */
    private static CompletionStage<Reply> underWay(CompletableFuture<Reply> sum, List<CompletableFuture<Reply>> parts) {
        LongReply.UnderWay all = new LongReply.UnderWay();
        for (CompletableFuture<Reply> part : parts) {
            if (part instanceof LongReply.UnderWay underWay) {
                underWay.whenBegun(all::begin);
            }
        }
        var _ = sum.whenComplete((reply, fault) -> {
            if (fault == null) {
                all.complete(reply);
            } else {
                all.completeExceptionally(fault);
            }
        });
        var _ = all.whenComplete((_, _) -> {
            if (all.isCancelled()) {
                parts.forEach(part -> part.cancel(false));
            }
        });
        return all;
    }

    private CompletableFuture<Reply> askHere(Command.Survey part) {
        return local.map(buckets -> buckets.run(part).toCompletableFuture())
                .orElseGet(() -> CompletableFuture.completedFuture(Router.keepsNoData(self)));
    }

    private CompletableFuture<Reply> ask(RoutingTable.Node node, Request request, Command.Survey part) {
        Visit visit = new Visit(self, now.inForce().version());
        Optional<Failed> circle = Router.circle(request, visit, limits.hopsMax());
        return circle.isPresent()
                ? CompletableFuture.completedFuture(circle.get())
                : others.run(node, request.with(part).via(visit)).toCompletableFuture();
    }

    private Reply ownedHere(Reply reply, Command.Survey part) {
        return reply instanceof Names names
                ? new Names(
                        part.names().spans().stream()
                                .map(span -> new Owner(span.from(), self))
                                .toList(),
                        names.next(),
                        names.names())
                : reply;
    }

    private Reply sum(Reply one, Reply other) {
        if (one instanceof Failed) {
            return one;
        }
        if (one instanceof Reply.Amount(long a) && other instanceof Reply.Amount(long b)) {
            return new Reply.Amount(a + b);
        }
        if (one instanceof Names a && other instanceof Names b) {
            return merged(a, b);
        }
        return other instanceof Failed
                ? other
                : new Failed(Word.ERR, "a node gave no answer to this question: it runs another release, upgrade it");
    }

    /** Both in the order of positions, up to the position that both have reached. */
    private Reply merged(Names a, Names b) {
        long end = Math.min(end(a), end(b));
        if (a.names().isEmpty() && end(b) == end) {
            return new Names(owners(a, b), b.next(), b.names());
        }
        List<Name> names = new ArrayList<>();
        long bytes = 0;
        for (Names part : List.of(a, b)) {
            for (Name name : part.names()) {
                if (name.position() < end) {
                    names.add(name);
                    bytes += NAME_OVERHEAD_BYTES + name.bucket().size();
                }
            }
        }
        if (bytes > limits.replyMaxBytes()) {
            return new Failed(Reply.Reason.NAMES_TOO_LARGE);
        }
        names.sort(Comparator.comparingLong(Name::position));
        return new Names(owners(a, b), end == END ? 0 : end, names);
    }

    private static long end(Names names) {
        return names.next() == 0 ? END : names.next();
    }

    private static List<Owner> owners(Names a, Names b) {
        List<Owner> all = new ArrayList<>(a.owners());
        all.addAll(b.owners());
        all.sort(Comparator.comparing(Owner::from));
        return all;
    }
}
