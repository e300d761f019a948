package dev.kv.server;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Held;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.testing.Await;
import dev.kv.server.testing.RespClient;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/** For tests of values that are sent from where they are held. */
abstract class WithHeldValues {
    static final int MIB = 1024 * 1024;
    static final String DAMAGED = "the value is damaged";

    /** What is held now, for all clients. */
    final AtomicInteger held = new AtomicInteger();

    /** The threads that have asked for the size of a value. */
    final Set<String> users = ConcurrentHashMap.newKeySet();

    /** Whether others wait for what the values take. */
    final AtomicLong waitedForNanos = new AtomicLong(-1);

    /** How often something was held. */
    final AtomicInteger given = new AtomicInteger();

    /** A value in memory outside the heap, which nobody may read once it is released. */
    final class Value implements Held {
        private final byte[] value;
        private final ByteBuffer bytes;
        private final boolean isOwn;
        private int checkedBytes;
        private boolean isReleased;

        Value(byte[] value) {
            this(value, ByteBuffer.allocateDirect(value.length).put(value).flip(), true);
        }

        Value(byte[] value, ByteBuffer bytes, boolean isOwn) {
            this.value = value;
            this.bytes = bytes;
            this.isOwn = isOwn;
            held.incrementAndGet();
            given.incrementAndGet();
        }

        @Override
        public int size() {
            users.add(Thread.currentThread().getName());
            return value.length;
        }

        @Override
        public Optional<Reply> check(int maxBytes, Seen seen) {
            int count = Math.min(maxBytes, value.length - checkedBytes);
            seen.part(Arrays.copyOfRange(value, checkedBytes, checkedBytes + count), count);
            checkedBytes += count;
            if (checkedBytes < value.length) {
                return Optional.empty();
            }
            return Optional.of(value[0] == '!' ? new Reply.Failed(Reply.Word.ERR, DAMAGED) : Reply.OK);
        }

        @Override
        public ByteBuffer bytes() {
            assertThat(checkedBytes).isEqualTo(value.length);
            return bytes.asReadOnlyBuffer();
        }

        @Override
        public long waitedForNanos() {
            return waitedForNanos.get();
        }

        @Override
        public void release() {
            if (!isReleased) {
                isReleased = true;
                held.decrementAndGet();
                for (int i = 0; isOwn && i < bytes.capacity(); i += 1000) {
                    bytes.put(i, (byte) '?');
                }
            }
        }
    }

    /** GET answers with a value that the key describes: a letter and a number of MiB; everything else with what was sent. */
    final Store store = (command, _) -> run(command);

    private CompletionStage<Reply> run(Command command) {
        return CompletableFuture.completedFuture(
                switch (command) {
                    case Command.Get get -> large(get.key());
                    case Command.GetAll get ->
                        new Reply.Many(get.keys().stream().map(this::large).toList());
                    default -> Reply.OK;
                });
    }

    final Reply large(Bytes key) {
        String text = key.text();
        return Character.isLowerCase(text.charAt(0))
                ? new Reply.Value(key)
                : new Reply.LargeValue(new Value(value(text).getBytes(ISO_8859_1)));
    }

    static String value(String key) {
        return String.valueOf(key.charAt(0)).repeat(Integer.parseInt(key.substring(1)) * MIB + 7);
    }

    static String request(String... keys) {
        StringBuilder requests = new StringBuilder();
        for (String key : keys) {
            requests.append(RespClient.request("HGET", "b", key));
        }
        return requests.toString();
    }

    final void awaitReleased() throws Exception {
        Await.until("every value is released", () -> held.get() == 0);
    }
}
