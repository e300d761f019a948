package dev.kv.server.resp;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.net.Budget;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/**
 * The names that a client watches, from {@code WATCH} to {@code EXEC}. The nodes that keep them tell a number for each, and by it whether
 * the name has changed. On the loop of the client.
 */
final class Watching {
    /** Half of what a transaction touches by the usual kv.storage.large.keys: the rest is for its commands. No key. */
    private static final int NAMES_MAX = 500;

    /** What a name takes beside its bytes, roughly. */
    private static final int NAME_BYTES = 200;

    private final Budget budget;
    private final Map<Bytes, CompletableFuture<Reply>> numbers = new LinkedHashMap<>();
    private long bytes;

    /**
     * @param budget the memory for the names
     */
    Watching(Budget budget) {
        this.budget = budget;
    }

    /**
     * Takes memory for names that are to be watched.
     *
     * @throws RespError if there are too many, or there is too little memory
     */
    void take(List<Bytes> names) {
        if (numbers.size() + names.size() > NAMES_MAX) {
            throw new RespError("ERR a client watches at most " + NAMES_MAX + " keys");
        }
        long more = names.stream()
                .mapToLong(name -> NAME_BYTES + (long) name.size())
                .sum();
        if (!budget.take(more)) {
            throw new RespError("ERR the watched keys take too much memory (kv.server.buffer-max): watch fewer");
        }
        bytes += more;
    }

    /** Whether it has taken memory. */
    boolean isUsed() {
        return bytes > 0;
    }

    /** Gives back the memory of the names. */
    void close() {
        budget.give(bytes);
        bytes = 0;
    }

    /** Watches names, those that are watched already as they were then; completes when all nodes have answered. */
    CompletionStage<Reply> watch(List<Bytes> names, Store store) {
        List<CompletableFuture<Reply>> asked = new ArrayList<>();
        for (Bytes name : names) {
            asked.add(numbers.computeIfAbsent(
                    name, _ -> store.run(new Command.Watch(name)).toCompletableFuture()));
        }
        return CompletableFuture.allOf(asked.toArray(CompletableFuture<?>[]::new))
                .thenApply(_ -> asked.stream()
                        .map(CompletableFuture::join)
                        .filter(Reply.Failed.class::isInstance)
                        .findFirst()
                        .orElse(Reply.OK));
    }

    int size() {
        return numbers.size();
    }

    /** Completes with the names, or with nothing if a node did not tell a number: then nobody knows whether it has changed. */
    CompletableFuture<Optional<List<Command.Watched>>> watched() {
        List<Map.Entry<Bytes, CompletableFuture<Reply>>> all = List.copyOf(numbers.entrySet());
        return CompletableFuture.allOf(numbers.values().toArray(CompletableFuture<?>[]::new))
                .handle((_, _) -> {
                    List<Command.Watched> watched = new ArrayList<>();
                    for (Map.Entry<Bytes, CompletableFuture<Reply>> name : all) {
                        CompletableFuture<Reply> number = name.getValue();
                        if (number.isCompletedExceptionally() || !(number.join() instanceof Reply.Amount(long told))) {
                            return Optional.empty();
                        }
                        watched.add(new Command.Watched(name.getKey(), told));
                    }
                    return Optional.of(watched);
                });
    }
}
