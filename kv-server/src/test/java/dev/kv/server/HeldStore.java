package dev.kv.server;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.net.Loop;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** A store that answers when the test says so: a GET with its key, everything else at once with OK. */
final class HeldStore implements Store {
    private final BlockingQueue<Held> held = new LinkedBlockingQueue<>();

    /** A GET without an answer so far. */
    record Held(Bytes key, CompletableFuture<Reply> reply, Loop loop) {
        void answer() {
            loop.execute(() -> reply.complete(new Reply.Value(key)));
        }

        void fail(Throwable fault) {
            loop.execute(() -> reply.completeExceptionally(fault));
        }
    }

    @Override
    public CompletionStage<Reply> run(Command command, long takenMillis) {
        if (command instanceof Command.Get get) {
            CompletableFuture<Reply> reply = new CompletableFuture<>();
            held.add(new Held(get.key(), reply, Loop.current().orElseThrow()));
            return reply;
        }
        return CompletableFuture.completedFuture(Reply.OK);
    }

    /** Waits for the next GET. */
    Held next() throws InterruptedException, TimeoutException {
        Held next = held.poll(20, TimeUnit.SECONDS);
        if (next == null) {
            throw new TimeoutException("no GET came");
        }
        return next;
    }

    /** How many GETs have come that {@link #next} did not return so far. */
    int waiting() {
        return held.size();
    }
}
