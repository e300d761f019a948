package dev.kv.server;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.net.Budget;
import dev.kv.router.net.Connection;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/**
 * One client. Its commands run as they are read, without waiting for earlier replies; the replies leave in the order of the
 * requests, whatever order they become ready in.
 */
final class ClientConnection extends Connection {
    /*
     * Any page can make the browser that shows it send an HTTP request to any address that the browser reaches, this one
     * included, with a body of the page's choice, and each line of the body would run here as a command. What a page
     * cannot choose is how the request begins: with the method, which is POST unless the page asks this host first, and
     * then with the line Host, whatever the method.
     */
    private static final byte[] HTTP_METHOD = "POST ".getBytes(US_ASCII);

    private static final byte[] HTTP_HOST = "host:".getBytes(US_ASCII);
    private static final int HTTP_LINES = 2;

    private static final byte[][] NO_MEMORY = LineReply.of(new Reply.Failed(
            Reply.Word.ERR,
            "this node has no memory left for the reply (kv.server.buffer-max): read replies before you ask for more"));

    private final OpenDoor door;
    private final ServerSettings settings;
    private final Store store;
    private final PendingReplies pending = new PendingReplies();
    private final Words words = new Words();

    /** How much of the next line is known to hold no LF, so that a line in many packets is not searched again for each. */
    private int searchedBytes;

    /** Whether what comes is the rest of a line that is too long. */
    private boolean skipping;

    /** How many lines have ended; not counted beyond {@link #HTTP_LINES}. */
    private int lines;

    /** Whether all requests that will be run have been read. */
    private boolean finishing;

    ClientConnection(Socket socket, OpenDoor door, ServerSettings settings, Store store, Budget buffers) {
        super(socket, settings.unsentMaxBytes(), buffers);
        this.door = door;
        this.settings = settings;
        this.store = store;
    }

    @Override
    protected void opened() {
        idleAfter(settings.idle());
    }

    @Override
    protected boolean mayRead() {
        return unsentBytes() + pending.heldBytes() < unsentMaxBytes() && pending.size() < settings.repliesMax();
    }

    /** Takes one line, or a part of one that is too long. */
    @Override
    protected boolean read(ByteBuffer input) {
        byte[] array = input.array();
        int start = input.arrayOffset() + input.position();
        int limit = input.arrayOffset() + input.limit();
        int end = indexOfLf(array, start + searchedBytes, limit);
        int length = end - start;
        boolean ended = end < limit;
        boolean fits = !skipping && length <= settings.lineMaxBytes();
        if (!ended && fits) {
            searchedBytes = length;
            return false;
        }
        searchedBytes = 0;
        input.position(input.position() + length + (ended ? 1 : 0));
        if (lines < HTTP_LINES && !skipping && isHttp(array, start, end)) {
            door.spokeHttp(this);
            close();
            return true;
        }
        skipping = !ended;
        if (ended) {
            lines = Math.min(lines + 1, HTTP_LINES);
            if (fits) {
                run(array, start, end);
            } else {
                fail(
                        Reply.Word.TOOLARGE,
                        "the line is longer than " + settings.lineMaxBytes() + " bytes (kv.server.line-max)");
            }
        }
        return true;
    }

    private static int indexOfLf(byte[] array, int from, int to) {
        int at = from;
        while (at < to && array[at] != '\n') {
            at++;
        }
        return at;
    }

    private boolean isHttp(byte[] array, int start, int end) {
        return begins(array, start, end, HTTP_HOST, 0x20) || (lines == 0 && begins(array, start, end, HTTP_METHOD, 0));
    }

    private static boolean begins(byte[] array, int start, int end, byte[] prefix, int caseBit) {
        if (end - start < prefix.length) {
            return false;
        }
        for (int i = 0; i < prefix.length; i++) {
            if ((array[start + i] | caseBit) != prefix[i]) {
                return false;
            }
        }
        return true;
    }

    private void run(byte[] array, int start, int end) {
        words.split(array, start, end);
        Optional<Command> command = LineCommand.parse(words);
        if (command.isEmpty()) {
            answer(LineReply.UNKNOWN_COMMAND);
        } else {
            run(command.get());
        }
    }

    private void run(Command command) {
        try {
            CompletableFuture<Reply> reply = store.run(command).toCompletableFuture();
            if (reply.isDone()) {
                answer(LineReply.of(reply.join()));
            } else {
                long number = pending.reserve();
                var _ = reply.whenComplete((answer, fault) -> settle(number, command, reply));
            }
        } catch (Throwable fault) {
            fault(command, fault);
        }
    }

    private void fault(Command command, Throwable fault) {
        fault(
                command.getClass().getSimpleName() + " in bucket "
                        + command.bucket().printable(256),
                fault);
    }

    private void fail(Reply.Word word, String message) {
        answer(LineReply.of(new Reply.Failed(word, message)));
    }

    private void answer(byte[][] pieces) {
        if (pending.isEmpty()) {
            sendAll(pieces);
        } else {
            hold(pending.reserve(), pieces);
        }
    }

    private void sendAll(byte[][] pieces) {
        for (byte[] piece : pieces) {
            send(piece);
        }
    }

    private void settle(long number, Command command, CompletableFuture<Reply> reply) {
        if (isClosed()) {
            return;
        }
        try {
            hold(number, LineReply.of(reply.join()));
            sendSettled();
            readOn();
            closeIfFinished();
        } catch (Throwable fault) {
            fault(command, fault);
        }
    }

    /** Holds a reply until those before it have come; one for which there is no memory becomes an error. */
    private void hold(long number, byte[][] reply) {
        if (budget().take(PendingReplies.bytes(reply))) {
            pending.put(number, reply);
        } else {
            pending.put(number, NO_MEMORY);
            budget().charge(PendingReplies.bytes(NO_MEMORY));
        }
    }

    private void sendSettled() {
        while (!pending.isEmpty()) {
            Optional<byte[][]> pieces = pending.poll();
            if (pieces.isEmpty()) {
                return;
            }
            budget().give(PendingReplies.bytes(pieces.get()));
            sendAll(pieces.get());
        }
    }

    /** Answers what has been received as a whole, then closes the connection. */
    void finish() {
        endInput();
    }

    @Override
    protected void inputEnded() {
        finishing = true;
        closeIfFinished();
    }

    @Override
    protected void inputOverBudget() {
        door.overBudget(this);
        fail(
                Reply.Word.ERR,
                "this node has no memory left for unfinished lines (kv.server.buffer-max); try again later");
        inputEnded();
    }

    private void closeIfFinished() {
        if (finishing && pending.isEmpty()) {
            closeAfterSent();
        }
    }

    /** A client that waits for a reply is not idle. */
    @Override
    protected void idle() {
        if (pending.isEmpty()) {
            close();
        }
    }

    @Override
    protected void closed() {
        // What is still in flight is answered to nobody.
        budget().give(pending.heldBytes());
    }
}
