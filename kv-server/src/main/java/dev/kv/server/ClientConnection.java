package dev.kv.server;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Held;
import dev.kv.router.LongReply;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.net.Budget;
import dev.kv.router.net.OpenSocket;
import dev.kv.server.line.LineCommand;
import dev.kv.server.line.LineReader;
import dev.kv.server.line.LineReply;
import dev.kv.server.line.Words;
import dev.kv.server.reply.Piece;
import dev.kv.server.resp.Answers;
import dev.kv.server.resp.EachRun;
import dev.kv.server.resp.Question;
import dev.kv.server.resp.RespError;
import dev.kv.server.resp.RespRequest;
import dev.kv.server.resp.RespSession;
import dev.kv.server.resp.RespWriter;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;

/**
 * One client: takes its requests, in either protocol, and runs their commands as they arrive, without waiting for earlier replies.
 * The replies leave in the order of the requests ({@link AnsweringConnection}).
 */
final class ClientConnection extends AnsweringConnection {
    /** The first byte of a request of RESP, and of no command of the line protocol. */
    private static final byte RESP_MARK = '*';

    private static final String NO_MEMORY_TO_READ =
            "this node has no memory left for unfinished requests (kv.server.buffer-max); try again later";

    /** A shorter request is not charged while it waits for its reply: {@code kv.server.replies-max} bounds their number. */
    private static final int CHARGED_MIN_BYTES = 16 * 1024;

    private final OpenDoor door;
    private final ServerSettings settings;
    private final Store store;
    private final LineReader lines;
    private final RespRequest request;
    private final RespSession session;
    private final RespWriter out = new RespWriter(false);
    private final RespWriter.Sink sink = (array, length) -> send(array, 0, length);

    private final RequestCharges charges = new RequestCharges(budget());

    /** The protocol of what was read last. */
    private boolean speaksResp;

    /** Whether further input is ignored. */
    private boolean deaf;

    /** Whether commands of the last request wait for their turn. */
    private boolean isAsking;

    ClientConnection(
            OpenSocket socket,
            OpenDoor door,
            ServerSettings settings,
            Store store,
            Budget buffers,
            RespSession session) {
        super(socket, door, settings, buffers);
        this.door = door;
        this.settings = settings;
        this.store = store;
        this.session = session;
        this.lines = new LineReader(settings.lineMaxBytes());
        this.request = new RespRequest(door.bulkMaxBytes());
    }

    @Override
    protected void opened() {
        idleAfter(settings.idle());
    }

    @Override
    protected boolean mayRead() {
        return !isAsking && charges.waitingBytes() < settings.requestsMaxBytes() && super.mayRead();
    }

    /** Takes a request of either protocol, or a part of one. The first byte of each request tells its protocol. */
    @Override
    protected boolean read(ByteBuffer input) {
        if (deaf) {
            input.position(input.limit());
            return false;
        }
        speaksResp = request.isBegun() || (!lines.isBegun() && input.get(input.position()) == RESP_MARK);
        return speaksResp ? readRequest(input) : readLine(input);
    }

    private boolean readRequest(ByteBuffer input) {
        lines.afterRequest();
        try {
            if (!request.take(input, !session.login().isDone())) {
                return charges.takeArriving(request.heldBytes()) ? false : refuseRequest(input);
            }
        } catch (RespRequest.Malformed e) {
            forgetRequest();
            answer(Protocol.RESP, error("ERR " + e.getMessage()));
            endDeaf(input);
            return true;
        }
        if (request.count() > 0) {
            session.countRequest();
            ask(request);
        }
        forgetRequest();
        if (session.isQuitting()) {
            endDeaf(input);
        }
        return true;
    }

    private void forgetRequest() {
        request.clear();
        charges.giveArriving();
    }

    private boolean refuseRequest(ByteBuffer input) {
        forgetRequest();
        door.overBudget(this);
        answer(Protocol.RESP, error("ERR " + NO_MEMORY_TO_READ));
        endDeaf(input);
        return true;
    }

    /** Charges a request until its reply is there, if that takes a while. While much is charged, the client is not read. */
    private void chargeWhileWaiting(long bytes, CompletableFuture<Reply> reply) {
        if (bytes < CHARGED_MIN_BYTES || reply.isDone()) {
            return;
        }
        charges.chargeWaiting(bytes);
        var _ = reply.whenComplete((_, _) -> {
            charges.giveWaiting(bytes);
            readOn();
        });
    }

    private List<Piece> error(String line) {
        return new RespWriter(session.isVersion3()).error(line).toPieces();
    }

    /** Ignores further input, and closes the connection once all requests are answered. */
    private void endDeaf(ByteBuffer input) {
        deaf = true;
        input.position(input.limit());
        inputEnded();
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
            case OTHER_PROTOCOL -> {
                answer(Protocol.LINE, List.of(new Piece.Array(door.refuse(this, lines.otherProtocol()))));
                endDeaf(input);
            }
        }
        return found != LineReader.Found.NOTHING;
    }

    private void run(Words words) {
        if (LineCommand.isLogin(words)) {
            answer(Protocol.LINE, logIn(words.at(1)));
        } else if (!session.login().isDone()) {
            fail(Reply.Word.NOAUTH, "Authentication required.");
        } else {
            Optional<Command> command = LineCommand.parse(words);
            if (command.isEmpty()) {
                answer(Protocol.LINE, LineReply.UNKNOWN_COMMAND);
            } else {
                runLine(command.get());
            }
        }
    }

    private List<Piece> logIn(Bytes password) {
        if (!session.login().isNeeded()) {
            return LineReply.of(new Reply.Failed(
                    Reply.Word.ERR, "this node asks for no password (kv.server.password): go on without AUTH"));
        }
        return LineReply.of(
                switch (session.logIn(password)) {
                    case DONE -> Reply.OK;
                    case WRONG_PASSWORD -> new Reply.Failed(Reply.Word.WRONGPASS, "the password is wrong");
                    case TOO_MANY -> new Reply.Failed(Reply.Word.ERR, door.tooManyConnections());
                });
    }

    private void fail(Reply.Word word, String message) {
        answer(Protocol.LINE, LineReply.of(new Reply.Failed(word, message)));
    }

    private void runLine(Command command) {
        try {
            CompletableFuture<Reply> reply = store.run(command).toCompletableFuture();
            settle(command.isRead(), Protocol.LINE, () -> text(command), reply, LineReply::of);
            if (command instanceof Command.Put put) {
                chargeWhileWaiting(put.value().size(), reply);
            }
        } catch (Throwable fault) {
            fault(text(command), fault);
        }
    }

    private static String text(Command command) {
        return command.getClass().getSimpleName() + " in bucket "
                + command.bucket().printable(256);
    }

    private void ask(RespRequest asked) {
        boolean version3 = session.isVersion3();
        Question question;
        try {
            question = session.ask(asked);
        } catch (RespError e) {
            answer(Protocol.RESP, error(e.getMessage()));
            return;
        }
        switch (question) {
            case Question.One one -> runOne(one, version3);
            case Question.Each each -> runEach(each, version3);
            case Question.Steps steps -> runSteps(steps, version3);
            case Question.Here here -> answer(Protocol.RESP, written(version3, here, List.of()));
        }
    }

    private static List<Piece> written(boolean version3, Question question, List<Reply> replies) {
        RespWriter out = new RespWriter(version3);
        Answers.write(out, question, replies);
        return out.toPieces();
    }

    /** Runs a command on one bucket. A reply that is ready at once, with none before it, is written without a future. */
    private void runOne(Question.One one, boolean version3) {
        Command command = one.command();
        if (LongReply.mayFollow(command) && budget().isSpent()) {
            refuseForMemory();
            return;
        }
        try {
            CompletableFuture<Reply> reply = store.run(command).toCompletableFuture();
            if (reply.isDone() && awaitsNothing() && !Held.isIn(reply.join())) {
                out.speak(version3);
                Answers.write(out, one, reply.join());
                if (out.isOneArray()) {
                    out.sendTo(sink);
                } else {
                    sendAll(out.toPieces());
                }
            } else {
                settle(
                        command.isRead(),
                        Protocol.RESP,
                        () -> text(command),
                        reply,
                        answer -> written(version3, one, List.of(answer)));
                chargeWhileWaiting(request.heldBytes() + one.queuedBytes(), reply);
            }
        } catch (Throwable fault) {
            fault(text(command), fault);
        }
    }

    private void runEach(Question.Each each, boolean version3) {
        Supplier<String> what = () -> "a request for " + each.commands().size() + " buckets";
        long bytes = EachRun.bytes(each, request.heldBytes());
        if (!charges.takeWaiting(bytes)) {
            answer(Protocol.RESP, error("ERR " + NO_MEMORY_TO_READ));
            return;
        }
        try {
            EachRun run = new EachRun(
                    store, each, settings.repliesMax(), paused -> loop().inTurns(() -> runNext(paused, what)));
            if (run.next()) {
                loop().inTurns(() -> runNext(run, what));
            }
            isAsking = !run.isBegun();
            settle(
                    false,
                    Protocol.RESP,
                    what,
                    run.end().whenComplete((_, _) -> charges.giveWaiting(bytes)),
                    _ -> run.written(new RespWriter(version3)).toPieces());
        } catch (Throwable fault) {
            fault(what.get(), fault);
        }
    }

    /** Runs some commands of a long request, and reads on after the last of them. Returns whether more may run. */
    private boolean runNext(EachRun run, Supplier<String> what) {
        try {
            if (isClosed()) {
                return false;
            }
            boolean goesOn = run.next();
            if (run.isBegun()) {
                isAsking = false;
                readOn();
            }
            return goesOn;
        } catch (Throwable fault) {
            fault(what.get(), fault);
            return false;
        }
    }

    private void runSteps(Question.Steps steps, boolean version3) {
        if (budget().isSpent()) {
            refuseForMemory();
            return;
        }
        Supplier<String> what = () -> "a request for all buckets";
        try {
            CompletableFuture<Reply> reply = steps.steps().apply(store).toCompletableFuture();
            settle(false, Protocol.RESP, what, reply, one -> written(version3, steps, List.of(one)));
        } catch (Throwable fault) {
            fault(what.get(), fault);
        }
    }

    /** Answers what has arrived as a whole, then closes the connection. */
    void finish() {
        endInput();
    }

    @Override
    protected void inputOverBudget() {
        door.overBudget(this);
        if (speaksResp) {
            answer(Protocol.RESP, error("ERR " + NO_MEMORY_TO_READ));
        } else {
            fail(Reply.Word.ERR, NO_MEMORY_TO_READ);
        }
        inputEnded();
    }

    @Override
    protected void closed() {
        forgetReplies();
        forgetRequest();
        charges.close();
        session.endTransaction();
        door.clients().remove(session);
    }
}
