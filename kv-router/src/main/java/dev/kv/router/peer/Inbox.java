package dev.kv.router.peer;

import dev.kv.router.Bytes;
import dev.kv.router.net.Budget;
import dev.kv.router.peer.codec.MalformedMessage;
import dev.kv.router.peer.codec.Received;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The long messages that come on one link and are not whole yet. One that is offered gets credit for all of its bytes once
 * there is room for it; until then it waits in line with those of all links. On the link's loop only.
 */
final class Inbox {
    /** Memory of more than this is not cleared by the loop, which would take longer than a turn. */
    private static final int CLEARED_MAX_BYTES = 1 << 20;

    /**
     * The largest array for the head of a message. While the JVM clears an array it cannot stop its threads for the garbage collector: all of
     * them wait, 70 ms for one of 64 MiB on a busy machine.
     */
    private static final int PART_BYTES = (4 << 20) - 64;

    private final Link link;
    private final long messageMaxBytes;
    private final Room room;

    /** By the numbers of their requests. */
    private final Map<Integer, Assembly> assemblies = new HashMap<>();

    private int waiting;

    /**
     * @param messageMaxBytes the longest message that is taken
     * @param room the memory for unfinished messages, shared with other links
     */
    Inbox(Link link, long messageMaxBytes, Room room) {
        this.link = link;
        this.messageMaxBytes = messageMaxBytes;
        this.room = room;
    }

    /** A message of which parts are still to come. */
    private abstract static sealed class Assembly {
        abstract void add(ByteBuffer chunk) throws MalformedMessage;

        /** What was received; all that was announced is there. */
        abstract Received whole() throws MalformedMessage;

        /** What is taken for it. */
        abstract Room.Place memory();

        abstract void drop();
    }

    /** Where the parts of a message go. */
    private static final class Memory {
        static final Memory NONE = new Memory(0, 0);

        private final List<ByteBuffer> head = new ArrayList<>();
        private final ByteBuffer tail;
        private int part;
        private int remaining;

        Memory(int headBytes, int tailBytes) {
            int left = headBytes;
            do {
                int bytes = Math.min(left, PART_BYTES);
                head.add(ByteBuffer.allocate(bytes));
                left -= bytes;
            } while (left > 0);
            tail = ByteBuffer.allocate(tailBytes);
            remaining = headBytes + tailBytes;
        }

        /** What it takes of the heap. */
        static long bytes(int headBytes, int tailBytes) {
            int whole = headBytes / PART_BYTES;
            return whole * Budget.ofArray(PART_BYTES)
                    + Budget.ofArray(headBytes % PART_BYTES)
                    + Budget.ofArray(tailBytes);
        }

        int remaining() {
            return remaining;
        }

        void add(ByteBuffer chunk) {
            remaining -= chunk.remaining();
            while (chunk.hasRemaining()) {
                ByteBuffer to = part < head.size() ? head.get(part) : tail;
                int bytes = Math.min(chunk.remaining(), to.remaining());
                to.put(chunk.slice(chunk.position(), bytes));
                chunk.position(chunk.position() + bytes);
                if (!to.hasRemaining()) {
                    part++;
                }
            }
        }

        Received whole() {
            head.forEach(ByteBuffer::flip);
            return Received.lasting(head, Bytes.owning(tail.array()));
        }
    }

    /** One that was offered: each part of it goes where it belongs. */
    private final class Offered extends Assembly {
        private final int headBytes;
        private final int tailBytes;
        private final Room.Place claim;
        private Memory memory = Memory.NONE;
        private boolean isGranted;

        Offered(int number, int headBytes, int tailBytes) {
            this.headBytes = headBytes;
            this.tailBytes = tailBytes;
            waiting++;
            claim = link.claim(
                    number,
                    Memory.bytes(headBytes, tailBytes),
                    () -> link.guard("a long message", () -> granted(number)));
        }

        private void granted(int number) {
            if (assemblies.get(number) == this && !isGranted) {
                grant(number);
            }
        }

        void grant(int number) {
            isGranted = true;
            waiting--;
            if (headBytes + tailBytes <= CLEARED_MAX_BYTES) {
                receiveInto(number, new Memory(headBytes, tailBytes));
            } else {
                link.loop()
                        .elsewhere(
                                () -> new Memory(headBytes, tailBytes),
                                made -> link.guard("a long message", () -> receiveInto(number, made)),
                                fault -> link.failed("the memory for a long message", fault));
            }
        }

        private void receiveInto(int number, Memory made) {
            if (assemblies.get(number) == this) {
                memory = made;
                link.sendCredit(number, headBytes + tailBytes);
                link.granted(number);
            }
        }

        @Override
        void add(ByteBuffer chunk) throws MalformedMessage {
            if (chunk.remaining() > memory.remaining()) {
                throw new MalformedMessage("more of a message than there is credit for");
            }
            memory.add(chunk);
        }

        @Override
        Received whole() throws MalformedMessage {
            if (!isGranted || memory.remaining() > 0) {
                throw new MalformedMessage("less of a message than was offered");
            }
            return memory.whole();
        }

        @Override
        Room.Place memory() {
            return claim;
        }

        @Override
        void drop() {
            if (!isGranted) {
                waiting--;
            }
            claim.release();
        }
    }

    /** One of version 1, whose length shows at its end. */
    private final class Growing extends Assembly implements Room.Place {
        private final List<byte[]> chunks = new ArrayList<>();
        private int bytes;
        private boolean tooLong;

        @Override
        void add(ByteBuffer chunk) {
            int length = chunk.remaining();
            if (tooLong || (long) bytes + length > messageMaxBytes || !room.take(length)) {
                drop();
                tooLong = true;
                return;
            }
            byte[] copy = new byte[length];
            chunk.get(copy);
            chunks.add(copy);
            bytes += length;
        }

        @Override
        Received whole() {
            ByteBuffer whole = ByteBuffer.allocate(bytes);
            chunks.forEach(whole::put);
            return Received.lasting(List.of(whole.flip()), Bytes.EMPTY);
        }

        @Override
        Room.Place memory() {
            return this;
        }

        @Override
        public boolean isGranted() {
            return true;
        }

        @Override
        public long waitedForNanos() {
            return room.isWaitedFor() ? 0 : -1;
        }

        @Override
        public void release() {
            drop();
        }

        @Override
        void drop() {
            room.give(bytes);
            chunks.clear();
            bytes = 0;
        }
    }

    /** The other side has a long message. */
    void offer(int number, int headBytes, int tailBytes) throws MalformedMessage {
        if (headBytes < 0 || tailBytes < 0 || assemblies.containsKey(number)) {
            throw new MalformedMessage("an offer that makes no sense");
        }
        link.announced(number);
        long bytes = (long) headBytes + tailBytes;
        if (bytes > messageMaxBytes || bytes > room.bytes() || !link.takes(number, bytes)) {
            link.tooLong(number);
            return;
        }
        Offered offered = new Offered(number, headBytes, tailBytes);
        assemblies.put(number, offered);
        if (offered.claim.isGranted()) {
            offered.grant(number);
        } else {
            link.waits(number);
        }
    }

    /** A part of a message, or all of it. */
    void chunk(int number, boolean more, ByteBuffer content) throws MalformedMessage {
        Assembly assembly = assemblies.get(number);
        if (assembly == null) {
            if (!more) {
                link.message(number, Received.passing(content), Room.Place.NONE);
                return;
            }
            if (link.givesCredit()) {
                throw new MalformedMessage("a part of a message that was not offered");
            }
            link.announced(number);
            assembly = new Growing();
            assemblies.put(number, assembly);
        }
        if (more && !content.hasRemaining()) {
            throw new MalformedMessage("an empty chunk of a message that goes on");
        }
        assembly.add(content);
        if (more) {
            link.moved(number);
            return;
        }
        assemblies.remove(number);
        if (assembly instanceof Growing growing && growing.tooLong) {
            link.tooLong(number);
            return;
        }
        boolean isTaken = false;
        try {
            link.message(number, assembly.whole(), assembly.memory());
            isTaken = true;
        } finally {
            if (!isTaken) {
                assembly.drop();
            }
        }
    }

    /** The number of unfinished messages. */
    int size() {
        return assemblies.size();
    }

    /** Drops what has come of an unfinished message; tells whether there was one. */
    boolean forget(int number) {
        Assembly assembly = assemblies.remove(number);
        if (assembly != null) {
            assembly.drop();
        }
        return assembly != null;
    }

    void close() {
        assemblies.values().forEach(Assembly::drop);
        assemblies.clear();
    }

    /** Whether the message of this number waits for room here. */
    boolean isWaiting(int number) {
        return assemblies.get(number) instanceof Offered offered && !offered.isGranted;
    }

    /** The numbers of the messages that wait for room here. */
    List<Integer> waiting() {
        return waiting == 0
                ? List.of()
                : assemblies.keySet().stream().filter(this::isWaiting).toList();
    }

    /** Whether a message is under way for which there is room: the other side is to send it. */
    boolean isReceiving() {
        return assemblies.size() > waiting;
    }
}
