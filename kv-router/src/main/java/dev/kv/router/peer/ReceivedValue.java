package dev.kv.router.peer;

import dev.kv.router.Bytes;
import dev.kv.router.Held;
import dev.kv.router.Reply;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Optional;

/** A large value that came from another node; its memory is charged to {@link Room} until it is released. */
final class ReceivedValue implements Held {
    private final Bytes value;
    private final Room.Place memory;
    private int shownBytes;
    private boolean isReleased;

    ReceivedValue(Bytes value, Room.Place memory) {
        this.value = value;
        this.memory = memory;
    }

    @Override
    public int size() {
        return value.size();
    }

    /** The node that keeps the value has checked it, so this shows it only. */
    @Override
    public Optional<Reply> check(int maxBytes, Seen seen) {
        if (seen.equals(Seen.NOTHING)) {
            return Optional.of(Reply.OK);
        }
        int count = Math.min(maxBytes, value.size() - shownBytes);
        boolean isAll = count == value.size();
        seen.part(isAll ? value.array() : Arrays.copyOfRange(value.array(), shownBytes, shownBytes + count), count);
        shownBytes += count;
        return shownBytes < value.size() ? Optional.empty() : Optional.of(Reply.OK);
    }

    @Override
    public ByteBuffer bytes() {
        return ByteBuffer.wrap(value.array()).asReadOnlyBuffer();
    }

    @Override
    public long waitedForNanos() {
        return memory.waitedForNanos();
    }

    @Override
    public Optional<Bytes> inMemory() {
        return Optional.of(value);
    }

    @Override
    public void release() {
        if (!isReleased) {
            isReleased = true;
            memory.release();
        }
    }
}
