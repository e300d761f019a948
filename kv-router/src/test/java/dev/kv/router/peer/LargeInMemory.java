package dev.kv.router.peer;

import dev.kv.router.Held;
import dev.kv.router.Reply;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;

/** A large value as the storage holds one: outside the heap, to be checked, and to be released once. */
final class LargeInMemory implements Held {
    /** How many values are held. */
    final AtomicInteger held;

    private final ByteBuffer bytes;
    private final Reply checked;
    private int checkedBytes;

    /** The thread that asked for the bytes last. */
    volatile String reader = "";

    LargeInMemory(ByteBuffer bytes, AtomicInteger held, Reply checked) {
        this.bytes = bytes;
        this.held = held;
        this.checked = checked;
        held.incrementAndGet();
    }

    @Override
    public int size() {
        return bytes.limit();
    }

    @Override
    public Optional<Reply> check(int maxBytes, Seen seen) {
        int count = Math.min(maxBytes, bytes.limit() - checkedBytes);
        byte[] part = new byte[count];
        bytes.get(checkedBytes, part);
        seen.part(part, count);
        checkedBytes += count;
        return checkedBytes < bytes.limit() ? Optional.empty() : Optional.of(checked);
    }

    @Override
    public ByteBuffer bytes() {
        if (checkedBytes < bytes.limit()) {
            throw new AssertionError("used before it was checked");
        }
        reader = Thread.currentThread().getName();
        return bytes.asReadOnlyBuffer();
    }

    @Override
    public void release() {
        held.decrementAndGet();
    }
}
