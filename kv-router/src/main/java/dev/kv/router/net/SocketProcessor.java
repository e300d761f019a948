package dev.kv.router.net;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.concurrent.Executor;
import org.apache.mina.core.buffer.IoBuffer;
import org.apache.mina.transport.socket.nio.NioProcessor;
import org.apache.mina.transport.socket.nio.NioSession;

/**
 * How a {@link Loop} moves bytes: MINA's processor, with fewer system calls and less memory. It reads once per readiness event, into
 * memory that is used again; it writes past MINA's queue what the kernel takes at once; and it closes a socket without a reset
 * that would drop output on its way. On the loop's thread only.
 */
abstract class SocketProcessor extends NioProcessor {
    /** The most bytes that one read takes, and that one write gives to the kernel: 20 to 40 us. No keys: more makes other sockets wait. */
    private static final int INPUT_BYTES = 64 * 1024;

    /**
     * The bytes that all reads of an iteration take together, but for the least of each: 9 000 words of an array, which is the most work in
     * 64 KiB, take a millisecond, and each of many sockets waits for all others.
     */
    private static final int ITERATION_INPUT_BYTES = 512 * 1024;

    private static final int INPUT_MIN_BYTES = 8 * 1024;

    private static final int OUTPUT_BYTES = 128 * 1024;

    /** The size of the arrays for small output, which connections take and give back, and the number that is kept. */
    static final int GATHER_BYTES = 4 * 1024;

    private static final int GATHER_KEPT_MAX = 256;

    /** The input of a closed connection that is read and dropped: 1 MiB in all, more than the kernel's first buffer. */
    private static final int UNWANTED_READ_BYTES = 16 * 1024;

    private static final int UNWANTED_READS_MAX = 64;

    private int inputMaxBytes = INPUT_BYTES;
    private final ByteBuffer input = ByteBuffer.allocate(INPUT_BYTES);
    private final IoBuffer minaInput = IoBuffer.wrap(input);
    private final ByteBuffer output = ByteBuffer.allocateDirect(OUTPUT_BYTES);
    private final IoBuffer minaOutput = IoBuffer.wrap(output);
    private final ArrayDeque<byte[]> spare = new ArrayDeque<>();

    SocketProcessor(Executor executor) {
        super(executor);
    }

    /** Shares the bytes that an iteration reads among the sockets that are ready. */
    void beginReads(int sockets) {
        inputMaxBytes = Math.clamp(ITERATION_INPUT_BYTES / Math.max(1, sockets), INPUT_MIN_BYTES, INPUT_BYTES);
    }

    /**
     * Reads once per readiness event, into the same memory each time. MINA would read until nothing is left, which a level-triggered
     * selector makes unnecessary, and would allocate a buffer for each read. So the input is handed on here, and MINA gets 0 as
     * the number of bytes. A connection that the other side broke off is closed here: MINA would log each as an error.
     */
    @Override
    protected int read(NioSession session, IoBuffer unused) throws Exception {
        input.clear().limit(inputMaxBytes);
        int bytes;
        try {
            bytes = super.read(session, minaInput);
        } catch (IOException brokenOff) {
            session.closeNow();
            return 0;
        }
        if (bytes <= 0) {
            return bytes;
        }
        session.increaseReadBytes(bytes, System.currentTimeMillis());
        Sessions.received(session, input.flip());
        return 0;
    }

    /**
     * Writes as much as the kernel takes at once, past MINA's queue, which has to be empty; no filter stands in its chain.
     *
     * @return the number of bytes that were written; the rest begins at the position of {@code bytes}
     */
    int writeNow(NioSession session, ByteBuffer bytes) {
        int from = bytes.position();
        try {
            boolean takesMore = true;
            while (takesMore && bytes.hasRemaining()) {
                int length = Math.min(OUTPUT_BYTES, bytes.remaining());
                output.clear().put(0, bytes, bytes.position(), length).limit(length);
                int taken = super.write(session, minaOutput, length);
                bytes.position(bytes.position() + taken);
                takesMore = taken == length;
            }
        } catch (IOException brokenOff) {
            session.closeNow();
        }
        return bytes.position() - from;
    }

    /**
     * Writes a part of the bytes, which may be mapped memory, with one system call and no copy of this process.
     *
     * @return the number of bytes that the kernel took; the position moves on by it
     */
    int writeSlice(NioSession session, ByteBuffer bytes, int length) {
        try {
            int taken = super.write(session, IoBuffer.wrap(bytes.slice(bytes.position(), length)), length);
            bytes.position(bytes.position() + taken);
            return taken;
        } catch (IOException brokenOff) {
            session.closeNow();
            return 0;
        }
    }

    /**
     * Called when reading is suspended or resumed. MINA decides by its queue whether something is to be written, and would never
     * continue a request that it took out of the queue and wrote in part.
     */
    @Override
    public void updateTrafficControl(NioSession session) {
        super.updateTrafficControl(session);
        if (session.getCurrentWriteRequest() != null && !session.isWriteSuspended()) {
            try {
                setInterestedInWrite(session, true);
            } catch (Exception e) {
                session.closeNow();
            }
        }
    }

    /** An array for output, to be given back with {@link #giveBack} or kept. */
    byte[] takeSpare() {
        byte[] memory = spare.poll();
        return memory == null ? new byte[GATHER_BYTES] : memory;
    }

    /** Takes an array back that is not used any more. */
    void giveBack(byte[] memory) {
        if (memory.length == GATHER_BYTES && spare.size() < GATHER_KEPT_MAX) {
            spare.push(memory);
        }
    }

    @Override
    protected int write(NioSession session, IoBuffer buffer, int length) throws IOException {
        try {
            return super.write(session, buffer, length);
        } catch (IOException brokenOff) {
            session.closeNow();
            return 0;
        }
    }

    /**
     * Closes the socket. If it has unread input, the kernel resets the connection, and drops output that is on its way: so the input
     * is read first, up to a bound.
     */
    @Override
    protected void destroy(NioSession session) throws Exception {
        IoBuffer unwanted = IoBuffer.allocate(UNWANTED_READ_BYTES);
        for (int reads = 0; reads < UNWANTED_READS_MAX && readUnwanted(session, unwanted); reads++) {
            unwanted.clear();
        }
        try {
            super.destroy(session);
        } finally {
            // MINA leaves the future open if the session could not be set up.
            session.getCloseFuture().setClosed();
        }
    }

    private boolean readUnwanted(NioSession session, IoBuffer unwanted) throws Exception {
        try {
            return super.read(session, unwanted) > 0;
        } catch (IOException brokenOff) {
            return false;
        }
    }
}
