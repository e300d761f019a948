package dev.kv.router.dispatch;

import dev.kv.router.Command;
import dev.kv.router.CommandThread;
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
        PartAnswers answers = new PartAnswers(
                survey instanceof Command.Count ? new Reply.Amount(0) : new Names(nobodys, 0, List.of()));
        Optional<Command.Survey> partHere =
                here.isEmpty() ? Optional.empty() : Optional.of(survey.within(NameSpace.of(here)));
        Optional<CompletableFuture<Reply>> replyHere = partHere.map(part -> askHere(part, request.takenMillis()));
        if (!there.isEmpty()) {
            Visit visit = now.visit();
            Optional<Failed> circle = Router.circle(request, visit, limits.hopsMax());
            if (circle.isPresent()) {
                answers.await(CompletableFuture.completedFuture(circle.get()));
            } else {
                Map<RoutingTable.Node, Request> requests = new LinkedHashMap<>();
                there.forEach((node, spans) -> requests.put(
                        node, request.with(survey.within(NameSpace.of(spans))).via(visit)));
                others.runParts(requests).forEach(answers::await);
            }
        }
        replyHere.ifPresent(reply -> answers.awaitHere(reply, partHere.get(), request));
        return answers.sum();
    }

    /** The answers to the parts of one question, as they come. On one thread at a time. */
    private final class PartAnswers {
        private final List<CompletableFuture<Reply>> asked = new ArrayList<>();
        private final List<CompletableFuture<Reply>> parts = new ArrayList<>();
        private final CompletableFuture<Reply> sum = new CompletableFuture<>();

        /** Gives back the memory of the parts that have come. */
        private final List<Runnable> memory = new ArrayList<>();

        /**
         * @param first what this node answers without asking
         */
        PartAnswers(Reply first) {
            parts.add(CompletableFuture.completedFuture(first));
        }

        /** Awaits a part. A failure is the answer to the whole question. */
        void await(CompletableFuture<Reply> part) {
            asked.add(part);
            parts.add(part.thenApply(reply -> {
                if (part instanceof LongReply.Charged charged) {
                    charged.takeMemory().ifPresent(memory::add);
                }
                if (reply instanceof Failed) {
                    sum.complete(reply);
                }
                return reply;
            }));
        }

        /**
         * Awaits the part of this node, after the others were asked.
         *
         * @param request asked for it
         */
        void awaitHere(CompletableFuture<Reply> reply, Command.Survey part, Request request) {
            CompletableFuture<Void> others = CompletableFuture.allOf(parts.toArray(CompletableFuture<?>[]::new));
            asked.add(reply);
            parts.add(reply.thenCompose(whole -> {
                        boolean isHeld = !others.isDone()
                                && LongReply.is(whole)
                                && CommandThread.current().isPresent();
                        Optional<Runnable> kept = isHeld
                                ? FanOut.this.others.keep(
                                        LongReply.bytes(whole), request.path().size())
                                : Optional.of(() -> {});
                        kept.ifPresent(memory::add);
                        return kept.isPresent()
                                ? CompletableFuture.completedFuture(whole)
                                : again(part, request.takenMillis(), others);
                    })
                    .thenApply(whole -> {
                        if (whole instanceof Failed) {
                            sum.complete(whole);
                        }
                        return ownedHere(whole, part);
                    }));
        }

        /** There is no memory for the part of this node while others are missing: it is asked for again when they are there. */
        private CompletableFuture<Reply> again(Command.Survey part, long takenMillis, CompletableFuture<Void> others) {
            // That part was asked last.
            asked.removeLast();
            return others.thenCompose(_ -> {
                if (sum.isDone()) {
                    return sum;
                }
                asked.add(askHere(part, takenMillis));
                return asked.getLast();
            });
        }

        /** The sum of the parts, when all have come. */
        CompletionStage<Reply> sum() {
            var _ = CompletableFuture.allOf(parts.toArray(CompletableFuture<?>[]::new))
                    .whenComplete((_, fault) -> {
                        if (fault == null) {
                            complete(parts.stream().map(CompletableFuture::join).toList());
                        } else {
                            sum.completeExceptionally(fault);
                        }
                    });
            if (sum.isDone()) {
                end();
                return sum;
            }
            return underWay();
        }

        /** Completes the sum; of long parts another thread makes it: on this one, all other clients would wait for it. */
        private void complete(List<Reply> all) {
            Optional<CommandThread> thread = CommandThread.current();
            if (thread.isEmpty() || sum.isDone() || all.stream().noneMatch(LongReply::is)) {
                sum.complete(FanOut.this.sum(all));
            } else {
                thread.get().elsewhere(() -> FanOut.this.sum(all), sum::complete, sum::completeExceptionally);
            }
        }

        /** The sum as a reply that begins with one of its parts, and that cancels all of them. */
        private CompletionStage<Reply> underWay() {
            LongReply.UnderWay all = new LongReply.UnderWay(() -> asked.stream()
                    .mapToLong(part -> part instanceof LongReply.UnderWay underWay ? underWay.progress() : 0)
                    .sum());
            for (CompletableFuture<Reply> part : asked) {
                if (part instanceof LongReply.UnderWay underWay && !underWay.admitBy(all::begin)) {
                    all.begin(() -> {});
                }
            }
            var _ = sum.whenComplete((reply, fault) -> {
                if (fault == null) {
                    all.complete(reply);
                } else {
                    all.completeExceptionally(fault);
                }
                end();
            });
            var _ = all.whenComplete((_, _) -> {
                if (all.isCancelled()) {
                    end();
                }
            });
            return all;
        }

        /** Nobody awaits a part any more: gives back the memory of those that have come, and cancels the others. */
        private void end() {
            memory.forEach(Runnable::run);
            memory.clear();
            asked.forEach(part -> part.cancel(false));
        }
    }

    private CompletableFuture<Reply> askHere(Command.Survey part, long takenMillis) {
        return local.map(buckets -> buckets.run(part, takenMillis).toCompletableFuture())
                .orElseGet(() -> CompletableFuture.completedFuture(Router.keepsNoData(self)));
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

    private Reply sum(List<Reply> parts) {
        Optional<Reply> failure =
                parts.stream().filter(Failed.class::isInstance).findFirst();
        if (failure.isPresent()) {
            return failure.get();
        }
        List<Reply.Amount> amounts = allOf(Reply.Amount.class, parts);
        if (amounts.size() == parts.size()) {
            return new Reply.Amount(
                    amounts.stream().mapToLong(Reply.Amount::value).sum());
        }
        List<Names> names = allOf(Names.class, parts);
        return names.size() == parts.size()
                ? merged(names)
                : new Failed(Word.ERR, "a node gave no answer to this question: it runs another release, upgrade it");
    }

    private static <T extends Reply> List<T> allOf(Class<T> type, List<Reply> parts) {
        return parts.stream().filter(type::isInstance).map(type::cast).toList();
    }

    /** All in the order of positions, up to the position that all have reached. */
    private Reply merged(List<Names> parts) {
        long end = parts.stream().mapToLong(FanOut::end).min().orElse(END);
        List<Name> names = new ArrayList<>();
        long bytes = 0;
        for (Names part : parts) {
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
        List<Owner> owners = parts.stream()
                .flatMap(part -> part.owners().stream())
                .sorted(Comparator.comparing(Owner::from))
                .toList();
        return new Names(owners, end == END ? 0 : end, names);
    }

    private static long end(Names names) {
        return names.next() == 0 ? END : names.next();
    }
}
