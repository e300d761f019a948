package dev.kv.server;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.net.OpenSocket;
import dev.kv.server.line.LineCommand;
import dev.kv.server.line.LineReader;
import dev.kv.server.line.LineReply;
import dev.kv.server.line.Words;
import dev.kv.server.reply.Piece;
import dev.kv.server.resp.RespError;
import dev.kv.server.resp.RespRequest;
import dev.kv.server.resp.RespSession;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/**
 * One client: takes its requests, in either protocol, and runs their commands as they arrive. {@link RespConnection} runs those of RESP.
 * The replies leave in the order of the requests ({@link AnsweringConnection}).
 */
final class ClientConnection extends RespConnection {
    /** The first byte of a request of RESP, and of no command of the line protocol. */
    private static final byte RESP_MARK = '*';

    private final LineReader lines = new LineReader(settings.lineMaxBytes());

    /** Whether further input is ignored. */
    private boolean deaf;

    ClientConnection(OpenSocket socket, OpenDoor door, Store store, RespSession session) {
        super(socket, door, store, session);
    }

    @Override
    protected void opened() {
        idleAfter(settings.idle());
        stalledAfter(settings.stalledTime());
    }

    /** Takes a request of either protocol, or a part of one. The first byte of each request tells its protocol. */
    @Override
    protected boolean read(ByteBuffer input) {
        if (deaf) {
            input.position(input.limit());
            return false;
        }
        boolean isRequest = isRequestBegun() || (!lines.isBegun() && input.get(input.position()) == RESP_MARK);
        return isRequest ? readRequest(input) : readLine(input);
    }

    private boolean readRequest(ByteBuffer input) {
        lines.afterRequest();
        boolean isComplete;
        try {
            isComplete = takeRequest(input);
        } catch (RespRequest.ProtocolError e) {
            forgetRequest();
            refuseProtocol(e, input);
            return true;
        }
        if (!isComplete) {
            return chargeArriving() ? false : refuseRequest(input);
        }
        if (session.isQuitting()) {
            endDeaf(input);
        }
        return true;
    }

    /** The input is of no protocol: what follows it cannot be read. */
    private void refuseProtocol(RespRequest.ProtocolError why, ByteBuffer input) {
        answerInResp(refusal(why.getMessage()));
        endDeaf(input);
    }

    private boolean refuseRequest(ByteBuffer input) {
        forgetRequest();
        door.overBudget(this);
        answerInResp(refusal(NO_MEMORY_TO_READ));
        endDeaf(input);
        return true;
    }

    @Override
    void endDeaf() {
        deaf = true;
        inputEnded();
    }

    private void endDeaf(ByteBuffer input) {
        input.position(input.limit());
        endDeaf();
    }

    private boolean readLine(ByteBuffer input) {
        LineReader.Found found = lines.take(input);
        switch (found) {
            case NOTHING, SKIPPED -> {}
            case LINE -> {
                session.countRequest();
                run(lines.words());
                if (session.isQuitting()) {
                    endDeaf(input);
                }
            }
            case TOO_LONG -> {
                session.countRequest();
                fail(
                        Reply.Word.TOOLARGE,
                        "the line is longer than " + settings.lineMaxBytes() + " bytes (kv.server.line-max)");
            }
            case MALFORMED -> refuseProtocol(RespRequest.ProtocolError.tooBigLine(), input);
            case OTHER_PROTOCOL -> {
                answer(Protocol.LINE, List.of(new Piece.Array(door.refuse(this, lines.otherProtocol()))));
                endDeaf(input);
            }
        }
        return found != LineReader.Found.NOTHING;
    }

    private Protocol protocolOfLines() {
        return lines.isAfterRequest() ? Protocol.LINE_AFTER_RESP : Protocol.LINE;
    }

    private void run(Words words) {
        if (LineCommand.isLogin(words)) {
            answerLine(logIn(words.at(1)));
        } else if (!session.login().isDone()) {
            fail(Reply.Word.NOAUTH, "Authentication required.");
        } else {
            Optional<Command> command = LineCommand.parse(words);
            if (command.isPresent()) {
                runLine(command.get());
            } else if (lines.isAfterRequest()) {
                door.statistics().error(Reply.Word.ERR.name());
                answerInResp(error(RespError.unknown(words.at(0), words.from(1)).getMessage()));
            } else {
                answer(Protocol.LINE, LineReply.UNKNOWN_COMMAND);
            }
        }
    }

    private Reply logIn(Bytes password) {
        if (!session.login().isNeeded()) {
            return new Reply.Failed(
                    Reply.Word.ERR, "this node asks for no password (kv.server.password): go on without AUTH");
        }
        return switch (session.logIn(password)) {
            case DONE -> Reply.OK;
            case WRONG_PASSWORD -> new Reply.Failed(Reply.Word.WRONGPASS, "the password is wrong");
            case TOO_MANY -> new Reply.Failed(Reply.Word.ERR, door.tooManyConnections());
        };
    }

    private void fail(Reply.Word word, String message) {
        answerLine(new Reply.Failed(word, message));
    }

    private void answerLine(Reply reply) {
        answer(protocolOfLines(), writtenLine(protocolOfLines(), reply));
    }

    private List<Piece> writtenLine(Protocol protocol, Reply reply) {
        if (protocol == Protocol.LINE_AFTER_RESP && LineReply.fitting(reply) instanceof Reply.Failed failed) {
            door.statistics().error(failed.word().name());
            return error(RespError.line(failed));
        }
        return LineReply.of(reply);
    }

    private void runLine(Command command) {
        try {
            CompletableFuture<Reply> reply = store.run(command).toCompletableFuture();
            Protocol protocol = protocolOfLines();
            if (!reply.isDone()) {
                expects(command);
            }
            settle(
                    command.isRead(),
                    protocol,
                    () -> text(command),
                    reply,
                    command instanceof Command.Put put ? put.value().size() : 0,
                    one -> writtenLine(protocol, one));
            holdBack(reply, 1);
        } catch (Throwable fault) {
            fault(text(command), fault);
        }
    }

    /** Answers what has arrived as a whole, then closes the connection. */
    void finish() {
        endInput();
    }

    @Override
    protected void inputOverBudget() {
        door.overBudget(this);
        fail(Reply.Word.ERR, NO_MEMORY_TO_READ);
        inputEnded();
    }

    @Override
    protected void closed() {
        forgetReplies();
        forgetRequests();
        door.clients().remove(session);
    }
}
