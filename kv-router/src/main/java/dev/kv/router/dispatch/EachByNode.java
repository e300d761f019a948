package dev.kv.router.dispatch;

import dev.kv.router.Command;
import dev.kv.router.CommandThread;
import dev.kv.router.Held;
import dev.kv.router.Limits;
import dev.kv.router.LongReply;
import dev.kv.router.Reply;
import dev.kv.router.Reply.Failed;
import dev.kv.router.Reply.Word;
import dev.kv.router.Request;
import dev.kv.router.Store;
import dev.kv.router.placement.Placement;
import dev.kv.router.table.RoutingTable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.LongSupplier;

/**
 * Commands on several names: those of one node go there in one request. A command that cannot go anywhere is answered with a failure, and
 * does not keep the others from being run.
 */
final class EachByNode {
    /** A smaller part of the answer is not charged while others are missing. No key: a client has few requests under way. */
    private static final int UNCHARGED_BYTES = 64 * 1024;

    private static final Failed NO_MEMORY = new Failed(
            Word.ERR,
            "this node has no memory left for a reply that waits for other nodes (kv.router.assembly-max): try again later");

    private final String self;
    private final Optional<Store> local;
    private final Router.Nodes others;
    private final Limits limits;
    private final SizeCheck sizes;
    private final Router.Routing now;

    EachByNode(
            String self,
            Optional<Store> local,
            Router.Nodes others,
            Limits limits,
            SizeCheck sizes,
            Router.Routing now) {
        this.self = self;
        this.local = local;
        this.others = others;
        this.limits = limits;
        this.sizes = sizes;
        this.now = now;
    }

    CompletionStage<Reply> run(Request request, Command.Each each) {
        if (local.isPresent() && areAllHere(each.commands())) {
            return local.get().run(each, request.takenMillis());
        }
        Answer answer = new Answer(each.commands().size());
        Part here = new Part();
        Map<RoutingTable.Node, Part> there = new LinkedHashMap<>();
        for (int i = 0; i < each.commands().size(); i++) {
            Command command = each.commands().get(i);
            Optional<Failed> excess = sizes.excess(command);
            if (excess.isPresent()) {
                answer.replies[i] = excess.get();
                continue;
            }
            switch (now.placement().of(command.bucket())) {
                case Placement.Here _ when local.isEmpty() -> answer.replies[i] = Router.keepsNoData(self);
                case Placement.Here _ -> here.add(i, command);
                case Placement.There(var entry) ->
                    there.computeIfAbsent(entry.node(), _ -> new Part()).add(i, command);
                case Placement.Nowhere _ ->
                    answer.replies[i] = Router.noRoute(self, request.with(command), now.inForce());
            }
        }
        if (!there.isEmpty()) {
            Optional<Failed> circle = Router.circle(request, now.visit(), limits.hopsMax());
            if (circle.isPresent()) {
                there.values().forEach(part -> answer.take(part, circle.get()));
            } else if (isWhole(there, each)) {
                return others.run(there.keySet().iterator().next(), request.via(now.visit()));
            } else {
                runThere(request.via(now.visit()), there, answer);
            }
        }
        return answer.whole(here, request);
    }

    private boolean areAllHere(List<Command> commands) {
        for (Command command : commands) {
            if (sizes.excess(command).isPresent()
                    || !(now.placement().of(command.bucket()) instanceof Placement.Here)) {
                return false;
            }
        }
        return true;
    }

    /** Whether one other node gets all of the commands in one request. */
    private boolean isWhole(Map<RoutingTable.Node, Part> there, Command.Each each) {
        Map.Entry<RoutingTable.Node, Part> first = there.entrySet().iterator().next();
        return first.getValue().commands.size() == each.commands().size() && others.takesEach(first.getKey());
    }

    private void runThere(Request request, Map<RoutingTable.Node, Part> there, Answer answer) {
        Map<RoutingTable.Node, Request> requests = new LinkedHashMap<>();
        there.forEach((node, part) -> {
            if (others.takesEach(node)) {
                requests.put(node, request.with(Command.Each.of(part.commands)));
            } else {
                for (Part one : part.apart()) {
                    answer.await(
                            one,
                            others.run(node, request.with(one.commands.getFirst()))
                                    .toCompletableFuture());
                }
            }
        });
        List<CompletableFuture<Reply>> replies = others.runParts(requests);
        int i = 0;
        for (RoutingTable.Node node : requests.keySet()) {
            answer.await(there.get(node), replies.get(i++));
        }
    }

    /** The commands that one node gets, and their numbers in the whole. */
    private static final class Part {
        private final List<Integer> numbers = new ArrayList<>();
        private final List<Command> commands = new ArrayList<>();

        void add(int number, Command command) {
            numbers.add(number);
            commands.add(command);
        }

        /** A part for each command. */
        List<Part> apart() {
            List<Part> parts = new ArrayList<>();
            for (int i = 0; i < commands.size(); i++) {
                Part one = new Part();
                one.add(numbers.get(i), commands.get(i));
                parts.add(one);
            }
            return parts;
        }
    }

    /** The replies to the commands, as they come. One thread at a time. */
    private final class Answer {
        private final Reply[] replies;
        private final List<CompletableFuture<Reply>> asked = new ArrayList<>();
        private final List<CompletableFuture<Void>> taken = new ArrayList<>();

        /** Gives back the memory of the parts that have come. */
        private final List<Runnable> memory = new ArrayList<>();

        /** Grows while the part of this node is under way. */
        private LongSupplier ahead = () -> 0;

        /** What that part takes at most. */
        private long replyBytes;

        Answer(int count) {
            replies = new Reply[count];
            Arrays.fill(replies, Reply.ABSENT);
        }

        void take(Part part, Reply reply) {
            List<Reply> ofPart =
                    part.commands.size() == 1 ? List.of(reply) : Reply.Many.ofEach(part.commands.size(), reply);
            for (int i = 0; i < ofPart.size(); i++) {
                replies[part.numbers.get(i)] = ofPart.get(i);
            }
        }

        void await(Part part, CompletableFuture<Reply> reply) {
            asked.add(reply);
            taken.add(reply.thenAccept(ready -> {
                if (reply instanceof LongReply.Charged charged) {
                    charged.takeMemory().ifPresent(memory::add);
                }
                take(part, ready);
            }));
        }

        /** The whole reply, when all parts have come. The part of this node is run now. */
        CompletionStage<Reply> whole(Part here, Request request) {
            if (!here.commands.isEmpty()) {
                runHere(here, request);
            }
            LongReply.UnderWay whole = new LongReply.UnderWay(ahead, allPlaced(), replyBytes);
            var _ = CompletableFuture.allOf(taken.toArray(CompletableFuture<?>[]::new))
                    .whenComplete((_, fault) -> complete(whole, fault));
            var _ = whole.whenComplete((_, _) -> {
                if (whole.isCancelled()) {
                    asked.forEach(part -> part.cancel(false));
                }
            });
            return whole;
        }

        private void runHere(Part here, Request request) {
            CompletableFuture<Reply> reply = local.orElseThrow()
                    .run(Command.Each.of(here.commands), request.takenMillis())
                    .toCompletableFuture();
            await(here, reply.isDone() ? reply.thenApply(ready -> kept(ready, request)) : reply);
            if (reply instanceof LongReply.UnderWay underWay) {
                ahead = underWay::progress;
                replyBytes = underWay.replyBytes();
            }
        }

        /** Completes when no part holds back. */
        private CompletableFuture<Void> allPlaced() {
            CompletableFuture<?>[] placed = asked.stream()
                    .filter(part -> part instanceof LongReply.HoldingBack command && command.holdsBack())
                    .map(part -> {
                        CompletableFuture<Void> isPlaced = new CompletableFuture<>();
                        ((LongReply.HoldingBack) part).whenPlaced(() -> isPlaced.complete(null));
                        return isPlaced;
                    })
                    .toArray(CompletableFuture<?>[]::new);
            return CompletableFuture.allOf(placed);
        }

        /** Charges the part of this node while others are missing; a failure if there is no memory for it. */
        private Reply kept(Reply ready, Request request) {
            long bytes = LongReply.bytes(ready);
            boolean isKept = bytes > UNCHARGED_BYTES
                    && !asked.stream().allMatch(CompletableFuture::isDone)
                    && CommandThread.current().isPresent();
            if (!isKept) {
                return ready;
            }
            Optional<Runnable> charge = others.keep(bytes, request.path().size());
            if (charge.isPresent()) {
                memory.add(charge.get());
                return ready;
            }
            Held.releaseIn(ready);
            return NO_MEMORY;
        }

        private void complete(LongReply.UnderWay whole, Throwable fault) {
            Reply all = new Reply.Many(List.of(replies));
            if (fault != null) {
                whole.completeExceptionally(fault);
            }
            if (fault != null || !whole.complete(all)) {
                Held.releaseIn(all);
            }
            memory.forEach(Runnable::run);
        }
    }
}
