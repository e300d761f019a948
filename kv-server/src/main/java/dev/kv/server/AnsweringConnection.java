package dev.kv.server;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Held;
import dev.kv.router.HeldCheck;
import dev.kv.router.LongReply;
import dev.kv.router.Reply;
import dev.kv.router.net.Connection;
import dev.kv.router.net.OpenSocket;
import dev.kv.server.line.LineReply;
import dev.kv.server.reply.PendingReplies;
import dev.kv.server.reply.Piece;
import dev.kv.server.reply.ReplyWindow;
import dev.kv.server.resp.RespWriter;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * A connection whose replies leave in the order of the requests, whatever order they become ready in. A reply with held values leaves
 * when the checksums of all of them are right; a reply for which no memory is left becomes an error.
 */
abstract class AnsweringConnection extends Connection {
    static final Reply.Failed NO_MEMORY = new Reply.Failed(
            Reply.Word.ERR,
            "this node has no memory left for the reply (kv.server.buffer-max): read replies before you ask for more");

    /** So much of held values is checked in one turn: about 50 us. No key: kv.router.io-turn-max bounds all turns together. */
    private static final int CHECKED_PART_BYTES = 256 * 1024;

    private static final List<Piece> NO_MEMORY_LINE = LineReply.of(NO_MEMORY);

    private static final List<Piece> NO_MEMORY_RESP =
            new RespWriter(false).error(NO_MEMORY).toPieces();

    /** The protocol of a request and of its reply. */
    enum Protocol {
        LINE,
        /** A line of a client that has spoken RESP: an error is one of RESP. */
        LINE_AFTER_RESP,
        RESP,
        /** RESP of a client that wants no reply. */
        MUTE;

        private boolean isOfLines() {
            return this == LINE || this == LINE_AFTER_RESP;
        }
    }

    final OpenDoor door;
    final ServerSettings settings;
    final RequestCharges charges = new RequestCharges(budget());
    private final PendingReplies pending = new PendingReplies();
    private final ReplyWindow window;

    /** The bytes of large values that are being checked. */
    private long checkedBytes;

    /** Whether no further request will be run. */
    private boolean finishing;

    AnsweringConnection(OpenSocket socket, OpenDoor door) {
        super(socket, door.settings().unsentMaxBytes(), door.buffers());
        this.door = door;
        this.settings = door.settings();
        this.window = newWindow();
    }

    final ReplyWindow newWindow() {
        return new ReplyWindow(settings.repliesMax(), settings.unsentMaxBytes());
    }

    @Override
    protected boolean mayRead() {
        return unsentBytes() + pending.heldBytes() + checkedBytes < unsentMaxBytes()
                && pending.size() < window.size()
                && charges.mayTakeMore(settings.requestsMaxBytes());
    }

    /** The reply to the command is waited for: it may be one that limits how many others are. */
    final void expects(Command command) {
        window.asked(command);
    }

    /** Whether all requests that were run are answered. */
    final boolean awaitsNothing() {
        return pending.isEmpty();
    }

    /**
     * Answers now, or in its turn when the reply is ready and its held values were checked. Until it is handed
     * on, the request is charged, and the reply if it is there.
     *
     * @param isRead whether the reply is cancelled when the connection is closed
     * @param heldBytes what the words of the request take
     */
    final void settle(
            boolean isRead,
            Protocol protocol,
            Supplier<String> what,
            CompletableFuture<Reply> reply,
            long heldBytes,
            Function<Reply, List<Piece>> written) {
        if (reply.isDone() && !Held.isIn(reply.join())) {
            answer(protocol, written.apply(reply.join()));
            return;
        }
        long number = isRead ? pending.reserve(reply) : pending.reserve();
        long charged = RequestCharges.ofWaiting(heldBytes)
                + (reply instanceof LongReply.UnderWay underWay ? underWay.replyBytes() : 0);
        charges.chargeWaiting(charged);
        var _ = reply.whenComplete((answer, fault) -> {
            charges.giveWaiting(charged);
            if (isClosed()) {
                Optional.ofNullable(answer).ifPresent(Held::releaseIn);
                return;
            }
            try {
                settle(protocol, what, number, reply.join(), written);
            } catch (Throwable thrown) {
                fault(what.get(), thrown);
            }
        });
    }

    /** Has the held values of a reply checked, and then writes it. The memory of a long one is charged until it is written. */
    private void settle(
            Protocol protocol, Supplier<String> what, long number, Reply reply, Function<Reply, List<Piece>> written) {
        window.came(reply);
        long charged = LongReply.is(reply) ? LongReply.bytes(reply) : 0;
        if (charged > 0 && !budget().take(charged)) {
            Held.releaseIn(reply);
            settled(protocol, number, noMemory(protocol));
        } else if (Held.isIn(reply)) {
            check(protocol, what, number, door.held().take(reply), charged, written);
        } else {
            write(protocol, what, number, reply, charged, written);
        }
    }

    /** Puts a reply into bytes; a long one on another thread: on this one, all other connections would wait for it. */
    private void write(
            Protocol protocol,
            Supplier<String> what,
            long number,
            Reply reply,
            long charged,
            Function<Reply, List<Piece>> written) {
        if (charged == 0) {
            settled(protocol, number, written.apply(reply));
            return;
        }
        loop().elsewhere(
                        () -> written.apply(reply),
                        pieces -> {
                            budget().give(charged);
                            if (isClosed()) {
                                Piece.release(pieces);
                            } else {
                                guarded(what.get(), () -> settled(protocol, number, pieces));
                            }
                        },
                        thrown -> {
                            budget().give(charged);
                            Held.releaseIn(reply);
                            fault(what.get(), thrown);
                        });
    }

    /** Checks the held values of the reply, in turns with other connections. */
    private void check(
            Protocol protocol,
            Supplier<String> what,
            long number,
            Reply reply,
            long charged,
            Function<Reply, List<Piece>> written) {
        if (reply instanceof Reply.Failed) {
            budget().give(charged);
            settled(protocol, number, written.apply(reply));
            return;
        }
        LineReply.Seen line = new LineReply.Seen();
        HeldCheck check =
                new HeldCheck(reply, protocol.isOfLines() ? line : Held.Seen.NOTHING, HeldCheck.OnError.REPLACES_REPLY);
        long bytes = Held.bytesIn(reply);
        checkedBytes += bytes;
        loop().inTurns(() -> {
            if (isClosed()) {
                check.release();
                budget().give(charged);
                return false;
            }
            try {
                Optional<Reply> checked = check.next(CHECKED_PART_BYTES);
                if (checked.isPresent()) {
                    checkedBytes -= bytes;
                    Reply fitting = protocol.isOfLines() ? line.fitting(checked.get()) : checked.get();
                    write(protocol, what, number, fitting, charged, written);
                }
                return checked.isEmpty();
            } catch (Throwable thrown) {
                check.release();
                budget().give(charged);
                fault(what.get(), thrown);
                return false;
            }
        });
    }

    private void settled(Protocol protocol, long number, List<Piece> reply) {
        if (pending.isOldest(number) && Piece.bytes(reply) <= COPIED_MAX_BYTES) {
            pending.removeOldest();
            sendAll(reply);
        } else {
            hold(protocol, number, reply);
        }
        sendSettled();
        readOn();
        closeIfFinished();
    }

    /** Answers now, or after the replies that are not ready yet. */
    final void answer(Protocol protocol, List<Piece> pieces) {
        if (pending.isEmpty()) {
            sendAll(pieces);
        } else {
            hold(protocol, pending.reserve(), pieces);
        }
    }

    /** Sends a reply in its turn. */
    final void sendAll(List<Piece> reply) {
        for (Piece piece : reply) {
            switch (piece) {
                case Piece.Array(Bytes bytes) -> send(bytes.array());
                case Piece.Large(Held value) -> send(value, settings.heldTime());
            }
        }
    }

    /** Holds a reply until those before it are ready; it becomes an error if no memory is left for it. */
    private void hold(Protocol protocol, long number, List<Piece> reply) {
        if (budget().take(Piece.bytesInMemory(reply))) {
            pending.put(number, reply);
        } else {
            Piece.release(reply);
            List<Piece> error = noMemory(protocol);
            pending.put(number, error);
            budget().charge(Piece.bytesInMemory(error));
        }
    }

    /** The reply in place of one for which no memory is left. */
    final List<Piece> noMemory(Protocol protocol) {
        door.statistics().error(NO_MEMORY.word().name());
        return switch (protocol) {
            case LINE -> NO_MEMORY_LINE;
            case LINE_AFTER_RESP, RESP -> NO_MEMORY_RESP;
            case MUTE -> List.of();
        };
    }

    private void sendSettled() {
        while (!pending.isEmpty()) {
            Optional<List<Piece>> pieces = pending.poll();
            if (pieces.isEmpty()) {
                return;
            }
            budget().give(Piece.bytesInMemory(pieces.get()));
            sendAll(pieces.get());
        }
    }

    @Override
    protected final void heldTooLong() {
        door.heldTooLong(this);
        close();
    }

    @Override
    protected final void stalled() {
        door.stalled(this);
        close();
    }

    @Override
    protected final void inputEnded() {
        finishing = true;
        closeIfFinished();
    }

    private void closeIfFinished() {
        if (finishing && pending.isEmpty()) {
            closeAfterSent();
        }
    }

    /** Closes the connection, unless the client waits for a reply. */
    @Override
    protected final void idle() {
        if (pending.isEmpty()) {
            close();
        }
    }

    /** Drops the replies of a closed connection, and cancels the reads that are not ready. */
    final void forgetReplies() {
        budget().give(pending.bytesInMemory());
        pending.release();
    }
}
