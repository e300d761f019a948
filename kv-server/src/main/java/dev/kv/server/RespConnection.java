package dev.kv.server;

import dev.kv.router.Command;
import dev.kv.router.Held;
import dev.kv.router.LongReply;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.net.OpenSocket;
import dev.kv.server.reply.Piece;
import dev.kv.server.reply.ReplyWindow;
import dev.kv.server.resp.Answers;
import dev.kv.server.resp.EachRun;
import dev.kv.server.resp.LoopCounts;
import dev.kv.server.resp.Question;
import dev.kv.server.resp.RespCommand;
import dev.kv.server.resp.RespError;
import dev.kv.server.resp.RespRequest;
import dev.kv.server.resp.RespSession;
import dev.kv.server.resp.RespWriter;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Supplier;

/** A connection whose client asks in RESP: collects its requests, and runs their commands without waiting for earlier replies. */
abstract class RespConnection extends AnsweringConnection {
    static final String NO_MEMORY_TO_READ =
            "this node has no memory left for unfinished requests (kv.server.buffer-max); try again later";

    final Store store;
    final RespSession session;
    private final RespRequest request;

    /** Shared with the other connections of the loop. */
    private final RespWriter out;

    private final RespWriter.Sink sink = (array, length) -> send(array, 0, length);

    /** Whether no further request may be run yet: commands of the last one wait for their turn, or {@linkplain LongReply.HoldingBack hold back}. */
    private boolean isHeldBack;

    /** The commands of requests for several buckets that are not answered. */
    private int commandsUnderWay;

    /** How many of these may run at once. */
    private final ReplyWindow commandWindow = newWindow();

    /** The requests that wait for a thread for large ones or for their bucket, or run there. */
    private int largeUnderWay;

    RespConnection(OpenSocket socket, OpenDoor door, Store store, RespSession session) {
        super(socket, door);
        this.store = store;
        this.session = session;
        this.out = door.writer(socket.loop());
        this.request = new RespRequest(door.bulkMaxBytes(), door.bulkMaxKey());
    }

    @Override
    protected boolean mayRead() {
        return !isHeldBack
                && commandsUnderWay < commandWindow.size()
                && largeUnderWay < settings.largeMax()
                && super.mayRead();
    }

    /** Ignores further input, and closes the connection once all requests are answered. */
    abstract void endDeaf();

    /** Whether a part of a request has arrived. */
    final boolean isRequestBegun() {
        return request.isBegun();
    }

    /**
     * Takes a request, or a part of one, and runs it when it is complete.
     *
     * @return whether a request is complete
     * @throws RespRequest.ProtocolError if the input is not RESP
     */
    final boolean takeRequest(ByteBuffer input) throws RespRequest.ProtocolError {
        if (!request.take(input, !session.login().isDone())) {
            return false;
        }
        if (request.count() > 0) {
            session.countRequest();
            ask(request);
        }
        forgetRequest();
        return true;
    }

    /** Charges the part of a request that has arrived; returns false if too little memory is left. */
    final boolean chargeArriving() {
        return charges.takeArriving(request.heldBytes());
    }

    /** Drops the request that arrives, or that was run. */
    final void forgetRequest() {
        request.clear();
        charges.giveArriving();
    }

    /** Gives back all memory that requests take: the connection is closed. */
    final void forgetRequests() {
        forgetRequest();
        charges.close();
        session.endTransaction();
    }

    private void ask(RespRequest asked) {
        boolean version3 = session.isVersion3();
        Question question;
        try {
            question = session.ask(asked);
        } catch (RespError e) {
            answerInResp(error(e.getMessage()));
            return;
        }
        switch (question) {
            case Question.One one -> runOne(one, version3);
            case Question.Each each -> runEach(each, version3);
            case Question.Steps steps -> runSteps(steps, version3);
            case Question.InTurns work when work.next() -> runInTurns(work, version3);
            case Question.Here _, Question.InTurns _ -> {
                answerInResp(written(session.command(), version3, reply -> Answers.write(reply, question, List.of())));
                ended();
            }
        }
    }

    /** The request that was asked is answered. */
    private void ended() {
        if (session.began() != LoopCounts.NOT_TIMED) {
            session.counts().end(session.command(), session.began());
        }
    }

    /** Times the request that was asked until its reply is there, if it is one of those that are timed. */
    private void endWith(CompletableFuture<Reply> reply) {
        long began = session.began();
        if (began != LoopCounts.NOT_TIMED) {
            RespCommand command = session.command();
            var _ = reply.whenComplete((_, _) -> session.counts().end(command, began));
        }
    }

    private Protocol protocolOfRequests() {
        return session.replyMode().isMute() ? Protocol.MUTE : Protocol.RESP;
    }

    /** Answers a request of RESP, unless its client wants no reply. */
    final void answerInResp(List<Piece> pieces) {
        answer(protocolOfRequests(), protocolOfRequests() == Protocol.MUTE ? unsent(pieces) : pieces);
    }

    private static List<Piece> unsent(List<Piece> pieces) {
        Piece.release(pieces);
        return List.of();
    }

    /** A reply to a request, whose errors are counted. A thread other than the loop's writes long ones. */
    private List<Piece> written(RespCommand command, boolean version3, Consumer<RespWriter> writer) {
        RespWriter reply = loop().isCurrent() ? out : new RespWriter(version3);
        reply.begin(version3);
        writer.accept(reply);
        door.statistics().wrote(command, reply);
        return reply.toPieces();
    }

    /** Answers the request that was asked when its reply is ready. */
    private void settle(
            boolean isRead,
            boolean version3,
            Supplier<String> what,
            CompletableFuture<Reply> reply,
            long heldBytes,
            BiConsumer<RespWriter, Reply> writer) {
        Protocol protocol = protocolOfRequests();
        RespCommand command = session.command();
        settle(isRead, protocol, what, reply, heldBytes, ready -> {
            List<Piece> pieces = written(command, version3, written -> writer.accept(written, ready));
            return protocol == Protocol.MUTE ? unsent(pieces) : pieces;
        });
        endWith(reply);
    }

    /** Runs a command on one bucket. */
    private void runOne(Question.One one, boolean version3) {
        Command command = one.command();
        if (LongReply.mayFollow(command) && budget().isSpent()) {
            answer(protocolOfRequests(), noMemory(protocolOfRequests()));
            return;
        }
        try {
            CompletableFuture<Reply> reply = store.run(command).toCompletableFuture();
            if (isSentNow(reply)) {
                send(version3, written -> Answers.write(written, one, reply.join()));
            } else {
                if (!reply.isDone()) {
                    expects(command);
                }
                settle(
                        command.isRead(),
                        version3,
                        () -> text(command),
                        reply,
                        request.heldBytes() + one.queuedBytes(),
                        (written, ready) -> Answers.write(written, one, ready));
                holdBack(reply, command instanceof Command.Survey ? settings.largeMax() : 1);
            }
        } catch (Throwable fault) {
            fault(text(command), fault);
        }
    }

    /** Whether a reply is ready, with none before it, so that it is written without a future. */
    private boolean isSentNow(CompletableFuture<Reply> reply) {
        return reply.isDone()
                && awaitsNothing()
                && !Held.isIn(reply.join())
                && !session.replyMode().isMute();
    }

    private void send(boolean version3, Consumer<RespWriter> writer) {
        out.begin(version3);
        writer.accept(out);
        door.statistics().wrote(session.command(), out);
        if (out.isOneArray()) {
            out.sendTo(sink);
        } else {
            sendAll(out.toPieces());
        }
        ended();
    }

    private void runEach(Question.Each each, boolean version3) {
        Supplier<String> what = () -> "a request for " + each.commands().size() + " buckets";
        long bytes = EachRun.bytes(each, request.heldBytes());
        if (!charges.takeWaiting(bytes)) {
            answerInResp(refusal(NO_MEMORY_TO_READ));
            return;
        }
        try {
            EachRun run = new EachRun(
                    store,
                    each,
                    commandWindow,
                    budget(),
                    NO_MEMORY,
                    paused -> loop().inTurns(() -> runNext(paused, what)));
            if (run.next()) {
                loop().inTurns(() -> runNext(run, what));
            }
            isHeldBack = !run.letsOthersFollow();
            countUntilEnd(run, each.commands().size());
            CompletableFuture<Reply> end = run.end();
            if (isSentNow(end)) {
                charges.giveWaiting(bytes);
                send(version3, written -> Answers.write(written, each, end.join()));
            } else {
                settle(
                        false,
                        version3,
                        what,
                        end.whenComplete((_, _) -> charges.giveWaiting(bytes)),
                        0,
                        (written, ready) -> Answers.write(written, each, ready));
            }
        } catch (Throwable fault) {
            fault(what.get(), fault);
        }
    }

    private void countUntilEnd(EachRun run, int commands) {
        if (run.end().isDone()) {
            return;
        }
        commandsUnderWay += commands;
        var _ = run.end().whenComplete((_, _) -> {
            commandsUnderWay -= commands;
            readOn();
        });
    }

    /** Runs some commands of a long request, and reads on after the last of them. Returns whether more may run. */
    private boolean runNext(EachRun run, Supplier<String> what) {
        try {
            if (isClosed()) {
                run.abandon();
                return false;
            }
            boolean goesOn = run.next();
            if (run.letsOthersFollow()) {
                letOthersFollow();
            }
            return goesOn;
        } catch (Throwable fault) {
            fault(what.get(), fault);
            return false;
        }
    }

    private void letOthersFollow() {
        isHeldBack = false;
        readOn();
    }

    /** Goes on with work of this node, and reads on when nothing is left of it. */
    private void runInTurns(Question.InTurns work, boolean version3) {
        CompletableFuture<Reply> end = new CompletableFuture<>();
        isHeldBack = true;
        settle(
                false,
                version3,
                () -> "a request",
                end,
                request.heldBytes(),
                (written, _) -> Answers.write(written, work, List.of()));
        loop().inTurns(() -> guardedTurn("a request", () -> {
            if (work.next()) {
                return true;
            }
            isHeldBack = false;
            end.complete(Reply.OK);
            if (session.isQuitting()) {
                endDeaf();
            }
            return false;
        }));
    }

    private void runSteps(Question.Steps steps, boolean version3) {
        if (budget().isSpent()) {
            answer(protocolOfRequests(), noMemory(protocolOfRequests()));
            return;
        }
        Supplier<String> what = () -> "a request for all buckets";
        try {
            CompletableFuture<Reply> reply = steps.steps().apply(store).toCompletableFuture();
            settle(
                    false,
                    version3,
                    what,
                    reply,
                    request.heldBytes() + steps.queuedBytes(),
                    (written, ready) -> Answers.write(written, steps, List.of(ready)));
            holdBack(reply, 1);
        } catch (Throwable fault) {
            fault(what.get(), fault);
        }
    }

    /**
     * Does not read the client while the request {@linkplain LongReply.HoldingBack#holdsBack holds back}, or too many are not run at once.
     *
     * @param places as how many it counts if it is not run at once
     */
    final void holdBack(CompletableFuture<Reply> reply, int places) {
        if (reply instanceof LongReply.HoldingBack command && command.holdsBack()) {
            isHeldBack = true;
            command.whenPlaced(this::letOthersFollow);
        }
        if (reply instanceof LongReply.UnderWay command && command.replyBytes() == 0) {
            largeUnderWay += places;
            var _ = command.whenComplete((_, _) -> {
                largeUnderWay -= places;
                readOn();
            });
        }
    }

    /** An error that belongs to no command. */
    final List<Piece> refusal(String message) {
        door.statistics().error(Reply.Word.ERR.name());
        return error(Reply.Word.ERR + " " + message);
    }

    final List<Piece> error(String line) {
        return new RespWriter(session.isVersion3()).error(line).toPieces();
    }

    static String text(Command command) {
        return command.getClass().getSimpleName() + " in bucket "
                + command.bucket().printable(256);
    }
}
