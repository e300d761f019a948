package dev.kv.server;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Held;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.net.Budget;
import dev.kv.server.line.LineCommand;
import dev.kv.server.line.LineReply;
import dev.kv.server.line.Words;
import dev.kv.server.reply.Piece;
import dev.kv.server.resp.Answers;
import dev.kv.server.resp.Question;
import dev.kv.server.resp.RespError;
import dev.kv.server.resp.RespRequest;
import dev.kv.server.resp.RespSession;
import dev.kv.server.resp.RespWriter;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;

/**
 * One client. Its commands run as they are read, without waiting for earlier replies; the replies leave in the order of the
 * requests, whatever order they become ready in.
 */
final class ClientConnection extends AnsweringConnection {
    /*
     * Any page can make the browser that shows it send an HTTP request to any address that the browser reaches, this one
     * included, with a body of the page's choice, and each line of the body would run here as a command. What a page
     * cannot choose is how the request begins: with the method, which is POST unless the page asks this host first, and
     * then with the line Host, whatever the method.
     */
    /** So many commands of one request are run before others get their turn. */
    private static final int COMMANDS_AT_ONCE = 512;

    private static final byte[] HTTP_METHOD = "POST ".getBytes(US_ASCII);

    private static final byte[] HTTP_HOST = "host:".getBytes(US_ASCII);
    private static final int HTTP_LINES = 2;

    /** What a request of RESP begins with, and no command of a line. */
    private static final byte RESP_MARK = '*';

    private static final String NO_MEMORY_TO_READ =
            "this node has no memory left for unfinished requests (kv.server.buffer-max); try again later";

    private final OpenDoor door;
    private final ServerSettings settings;
    private final Store store;
    private final Words words = new Words();
    private final RespRequest request;
    private final RespSession session;
    private final RespWriter out = new RespWriter(false);
    private final RespWriter.Sink sink = (array, length) -> send(array, 0, length);

    /** What the budget knows of the request that comes. */
    private long requestChargedBytes;

    /** Whether what comes is of no interest any more. */
    private boolean deaf;

    /** How much of the next line is known to hold no LF, so that a line in many packets is not searched again for each. */
    private int searchedBytes;

    /** Whether what comes is the rest of a line that is too long. */
    private boolean skipping;

    /** How many lines have ended; not counted beyond {@link #HTTP_LINES}. */
    private int lines;

    /** Whether the last request was one of RESP, behind which Redis and its clients take an empty line for nothing. */
    private boolean isBehindRequest;

    /** Whether commands of the last request wait for their turn. */
    private boolean isAsking;

    ClientConnection(
            Socket socket, OpenDoor door, ServerSettings settings, Store store, Budget buffers, RespSession session) {
        super(socket, door, settings, buffers);
        this.door = door;
        this.settings = settings;
        this.store = store;
        this.session = session;
        this.request = new RespRequest(door.bulkMaxBytes());
    }

    @Override
    protected void opened() {
        idleAfter(settings.idle());
    }

    @Override
    protected boolean mayRead() {
        return !isAsking && super.mayRead();
    }

    /** Takes a request of either protocol, or a part of one: each request begins with what tells them apart. */
    @Override
    protected boolean read(ByteBuffer input) {
        if (deaf) {
            input.position(input.limit());
            return false;
        }
        boolean atRequest = searchedBytes == 0 && !skipping;
        boolean isRequest = request.isBegun() || (atRequest && input.get(input.position()) == RESP_MARK);
        return isRequest ? readRequest(input) : readLine(input);
    }

    private boolean readRequest(ByteBuffer input) {
        // No browser begins like this.
        lines = HTTP_LINES;
        isBehindRequest = true;
        try {
            if (!request.take(input, !session.login().isDone())) {
                return chargeRequest() ? false : refuseRequest(input);
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

    /** Takes memory for what has come of a request, if there is any left. */
    private boolean chargeRequest() {
        long more = request.heldBytes() - requestChargedBytes;
        if (more > 0 && !budget().take(more)) {
            return false;
        }
        requestChargedBytes += Math.max(0, more);
        return true;
    }

    private void forgetRequest() {
        request.clear();
        budget().give(requestChargedBytes);
        requestChargedBytes = 0;
    }

    private boolean refuseRequest(ByteBuffer input) {
        forgetRequest();
        door.overBudget(this);
        answer(Protocol.RESP, error("ERR " + NO_MEMORY_TO_READ));
        endDeaf(input);
        return true;
    }

    private List<Piece> error(String line) {
        return new RespWriter(session.isVersion3()).error(line).toPieces();
    }

    /** Ends the connection once all is answered; what comes from here on is of no interest. */
    private void endDeaf(ByteBuffer input) {
        deaf = true;
        input.position(input.limit());
        inputEnded();
    }

    /** Takes one line, or a part of one that is too long. */
    private boolean readLine(ByteBuffer input) {
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
        if (ended && fits && isBehindRequest && (length == 0 || (length == 1 && array[start] == '\r'))) {
            return true;
        }
        if (ended) {
            isBehindRequest = false;
            session.countRequest();
            lines = Math.min(lines + 1, HTTP_LINES);
            if (fits) {
                run(array, start, end);
                if (session.isQuitting()) {
                    endDeaf(input);
                }
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

    /** Whether the reply may be long, in memory: it is not asked for while clients hold all there is of that. */
    private static boolean mayTakeMemory(Command command) {
        return switch (command) {
            case Command.Content _, Command.GetAll _, Command.Sample _, Command.Scan _, Command.Batch _ -> true;
            case Command.Get _,
                    Command.Measure _,
                    Command.Size _,
                    Command.Write _,
                    Command.Rename _,
                    Command.Survey _,
                    Command.Route _ -> false;
        };
    }

    private void runOne(Question.One one, boolean version3) {
        Command command = one.command();
        if (mayTakeMemory(command) && budget().isSpent()) {
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
                settle(Protocol.RESP, () -> text(command), reply, answer -> written(version3, one, List.of(answer)));
            }
        } catch (Throwable fault) {
            fault(text(command), fault);
        }
    }

    private static String text(Command command) {
        return command.getClass().getSimpleName() + " in bucket "
                + command.bucket().printable(256);
    }

    private static List<Piece> written(boolean version3, Question question, List<Reply> replies) {
        RespWriter out = new RespWriter(version3);
        Answers.write(out, question, replies);
        return out.toPieces();
    }

    private void runLine(Command command) {
        try {
            settle(Protocol.LINE, () -> text(command), store.run(command).toCompletableFuture(), LineReply::of);
        } catch (Throwable fault) {
            fault(text(command), fault);
        }
    }

    private void runEach(Question.Each each, boolean version3) {
        Supplier<String> what = () -> "a request for " + each.commands().size() + " buckets";
        try {
            List<CompletableFuture<Reply>> replies = new ArrayList<>();
            CompletableFuture<Reply> all = new CompletableFuture<>();
            if (runNext(each.commands(), replies)) {
                completeWith(all, replies);
            } else {
                isAsking = true;
                loop().inTurns(() -> runInTurns(each.commands(), replies, all));
            }
            settle(Protocol.RESP, what, all, many -> written(version3, each, ((Reply.Many) many).replies()));
        } catch (Throwable fault) {
            fault(what.get(), fault);
        }
    }

    /** Runs some of the commands that have not been run; tells whether those were the last. */
    private boolean runNext(List<? extends Command> commands, List<CompletableFuture<Reply>> replies) {
        int end = Math.min(commands.size(), replies.size() + COMMANDS_AT_ONCE);
        for (Command command : commands.subList(replies.size(), end)) {
            replies.add(store.run(command).toCompletableFuture());
        }
        return end == commands.size();
    }

    /** Runs some commands of a long request; nothing behind it is read before the last of them. Tells whether there are more. */
    private boolean runInTurns(
            List<? extends Command> commands, List<CompletableFuture<Reply>> replies, CompletableFuture<Reply> all) {
        try {
            if (!isClosed() && !runNext(commands, replies)) {
                return true;
            }
        } catch (Throwable fault) {
            fault("a request for " + commands.size() + " buckets", fault);
            return false;
        }
        isAsking = false;
        completeWith(all, replies);
        readOn();
        return false;
    }

    private static void completeWith(CompletableFuture<Reply> all, List<CompletableFuture<Reply>> replies) {
        var _ = CompletableFuture.allOf(replies.toArray(CompletableFuture<?>[]::new))
                .whenComplete((done, fault) -> {
                    if (fault == null) {
                        all.complete(new Reply.Many(
                                replies.stream().map(CompletableFuture::join).toList()));
                    } else {
                        all.completeExceptionally(fault);
                    }
                });
    }

    private void runSteps(Question.Steps steps, boolean version3) {
        if (budget().isSpent()) {
            refuseForMemory();
            return;
        }
        Supplier<String> what = () -> "a request for all buckets";
        try {
            CompletableFuture<Reply> reply = steps.steps().apply(store).toCompletableFuture();
            settle(Protocol.RESP, what, reply, one -> written(version3, steps, List.of(one)));
        } catch (Throwable fault) {
            fault(what.get(), fault);
        }
    }

    private void fail(Reply.Word word, String message) {
        answer(Protocol.LINE, LineReply.of(new Reply.Failed(word, message)));
    }

    /** Answers what has been received as a whole, then closes the connection. */
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
        forgetRequest();
        session.endTransaction();
        door.clients().remove(session);
    }
}
