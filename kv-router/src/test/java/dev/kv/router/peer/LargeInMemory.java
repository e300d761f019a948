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
    private volatile int checkedBytes;

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
        int from = checkedBytes;
        int count = Math.min(maxBytes, bytes.limit() - from);
        byte[] part = new byte[count];
        bytes.get(from, part);
        seen.part(part, count);
        checkedBytes = from + count;
        return isChecked() ? Optional.of(checked) : Optional.empty();
    }

    boolean isChecked() {
        return checkedBytes == bytes.limit();
    }

    @Override
    public ByteBuffer bytes() {
        if (!isChecked()) {
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
