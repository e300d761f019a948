package dev.kv.router.testing;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;

/** Buckets in maps, answering at once. It knows CREATE, PUT, GET and DELETE. */
public final class MapStore implements Store {
    /** The buckets, for a test to look at. */
    public final Map<Bytes, Map<Bytes, Bytes>> buckets = new ConcurrentHashMap<>();

    @Override
    public CompletionStage<Reply> run(Command command, long takenMillis) {
        return CompletableFuture.completedFuture(answer(command));
    }

    private Reply answer(Command command) {
        if (command instanceof Command.Each(List<Command> commands)) {
            return new Reply.Many(commands.stream().map(this::answer).toList());
        }
        if (command instanceof Command.Create(Bytes bucket)) {
            buckets.putIfAbsent(bucket, new ConcurrentHashMap<>());
            return Reply.OK;
        }
        Map<Bytes, Bytes> bucket = buckets.get(command.bucket());
        if (bucket == null) {
            return Reply.NOT_FOUND;
        }
        return switch (command) {
            case Command.Put put -> {
                bucket.put(put.key(), put.value());
                yield Reply.OK;
            }
            case Command.Get get -> {
                Bytes value = bucket.get(get.key());
                yield value == null ? Reply.ABSENT : new Reply.Value(value);
            }
            case Command.Delete delete -> {
                bucket.remove(delete.key());
                yield Reply.OK;
            }
            default -> throw new IllegalArgumentException(command.toString());
        };
    }
}
