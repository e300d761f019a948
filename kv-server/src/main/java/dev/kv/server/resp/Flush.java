package dev.kv.server.resp;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.CommandThread;
import dev.kv.router.LongReply;
import dev.kv.router.NameSpace;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;

/**
 * {@code FLUSHALL}: drops every name that the nodes tell, some at a time, in turns with the requests of others. It ends with the first
 * failure. On the loop of the client.
 */
final class Flush {
    /** Names that are dropped in one turn, some 500 us. No key: kv.router.io-turn-max bounds all turns together. */
    private static final int NAMES_IN_TURN = 128;

    private static final Bytes ANYTHING = Bytes.of("*");

    private final Store store;
    private final CompletableFuture<Void> ended = new CompletableFuture<>();

    /** Later requests of the client wait for it. */
    private final LongReply.UnderWay end = new LongReply.UnderWay(() -> 0, ended);

    private long dropped;

    private Flush(Store store) {
        this.store = store;
    }

    static Question ask(RespRequest request) {
        boolean isOption =
                request.count() == 2 && (Keyword.is(request.at(1), "async") || Keyword.is(request.at(1), "sync"));
        if (request.count() > 1 && !isOption) {
            throw RespError.syntax();
        }
        return new Question.Steps(
                store -> {
                    Flush flush = new Flush(store);
                    var _ = flush.end.whenComplete((_, _) -> flush.ended.complete(null));
                    flush.from(0);
                    return flush.end;
                },
                (out, reply) -> out.ok());
    }

    private void from(long position) {
        await(store.run(new Command.Names(NameSpace.ALL, position, ANYTHING, NAMES_IN_TURN)), reply -> {
            if (reply instanceof Reply.Names page) {
                drop(page);
            } else {
                end.complete(reply);
            }
        });
    }

    private void drop(Reply.Names page) {
        List<CompletableFuture<Reply>> drops = page.names().stream()
                .map(name -> store.run(new Command.Drop(name.bucket())).toCompletableFuture())
                .toList();
        await(CompletableFuture.allOf(drops.toArray(CompletableFuture<?>[]::new)), _ -> {
            Optional<Reply.Failed> failure = drops.stream()
                    .map(CompletableFuture::join)
                    .filter(Reply.Failed.class::isInstance)
                    .map(Reply.Failed.class::cast)
                    .findFirst();
            dropped += drops.stream()
                    .filter(drop -> drop.join().equals(new Reply.Amount(1)))
                    .count();
            if (failure.isPresent()) {
                end.complete(new Reply.Failed(
                        failure.get().word(),
                        "%s (%d keys were deleted, not all)".formatted(RespError.text(failure.get()), dropped)));
            } else if (page.next() == 0) {
                end.complete(Reply.OK);
            } else {
                CommandThread.current()
                        .ifPresentOrElse(loop -> loop.execute(() -> from(page.next())), () -> from(page.next()));
            }
        });
    }

    private <T> void await(CompletionStage<T> stage, Consumer<T> then) {
        var _ = stage.whenComplete((value, fault) -> {
            try {
                if (fault == null) {
                    then.accept(value);
                } else {
                    end.completeExceptionally(fault);
                }
            } catch (RuntimeException | Error e) {
                end.completeExceptionally(e);
            }
        });
    }
}
