package dev.kv.server.resp;

import dev.kv.router.Bytes;
import dev.kv.router.net.Addresses;
import dev.kv.router.net.Budget;
import dev.kv.router.net.OpenSocket;
import dev.kv.server.auth.Login;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * The state of one client. It changes on the loop of the client's connection; any thread may read what {@code CLIENT LIST} shows.
 */
public final class RespSession {
    /** The most words of a command without buckets: this node answers it in one go, on the I/O loop of the client. */
    private static final int WORDS_WITHOUT_BUCKETS_MAX = 1024;

    private final long id;
    private final RespDoor door;
    private final OpenSocket socket;
    private final String remote;
    private final Login login;
    private final Budget budget;
    private final Instant openedAt = Instant.now();
    private volatile String name = "";
    private volatile String libraryName = "";
    private volatile String libraryVersion = "";
    private volatile boolean version3;
    private boolean quitting;
    private final LoopCounts counts;
    private final ReplyMode replyMode = new ReplyMode();

    /** These are written on the loop alone; another thread may read older values. */
    private Optional<Transaction> transaction = Optional.empty();

    private Watching watching;
    private long requests;
    private Optional<RespCommand> command = Optional.empty();

    /** When the last request began, if it is timed. */
    private long began = LoopCounts.NOT_TIMED;

    /**
     * @param id a number that no other client of the door has had
     * @param budget the memory for requests that wait for EXEC
     */
    public RespSession(long id, RespDoor door, OpenSocket socket, Login login, Budget budget) {
        this.id = id;
        this.door = door;
        this.socket = socket;
        this.remote = socket.remote();
        this.budget = budget;
        this.watching = new Watching(budget);
        this.login = login;
        this.counts = door.statistics().of(socket.loop());
    }

    long id() {
        return id;
    }

    RespDoor door() {
        return door;
    }

    String remote() {
        return remote;
    }

    String name() {
        return name;
    }

    void name(String newName) {
        name = newName;
    }

    void library(String newName) {
        libraryName = newName;
    }

    void libraryVersion(String newVersion) {
        libraryVersion = newVersion;
    }

    public boolean isVersion3() {
        return version3;
    }

    void speak(boolean asVersion3) {
        version3 = asVersion3;
    }

    public Login login() {
        return login;
    }

    /** Logs the client in if the password is right; a client for which there is no place quits. */
    public Login.Outcome logIn(Bytes password) {
        Login.Outcome outcome = login.attempt(password);
        if (outcome == Login.Outcome.TOO_MANY) {
            quit();
        }
        return outcome;
    }

    /** Another request has come. */
    public void countRequest() {
        requests++;
        replyMode.nextRequest();
    }

    public ReplyMode replyMode() {
        return replyMode;
    }

    /** The counts of the loop that serves the client. */
    public LoopCounts counts() {
        return counts;
    }

    /** The command of the request that was asked last; of one that is refused, if it is known. */
    public RespCommand command() {
        return command.orElseThrow();
    }

    /** The time for {@link LoopCounts#end} of the request that was asked last. */
    public long began() {
        return began;
    }

    long requests() {
        return requests;
    }

    /** Closes the connection at once. Any thread. */
    void kill() {
        socket.close();
    }

    /** Closes the connection once this request and those before it are answered. */
    void quit() {
        quitting = true;
    }

    public boolean isQuitting() {
        return quitting;
    }

    Optional<Transaction> transaction() {
        return transaction;
    }

    void beginTransaction() {
        transaction = Optional.of(new Transaction(budget));
    }

    /** Ends the transaction, if there is one, and forgets what is watched. */
    public void endTransaction() {
        transaction.ifPresent(Transaction::close);
        transaction = Optional.empty();
        unwatch();
    }

    /** What the client watches. */
    Watching watching() {
        return watching;
    }

    /** Forgets what is watched. */
    void unwatch() {
        if (watching.isUsed()) {
            watching.close();
            watching = new Watching(budget);
        }
    }

    /** Resets the state to that of a new client. */
    void reset() {
        endTransaction();
        name = "";
        version3 = false;
        replyMode.reset();
        login.forget();
    }

    /**
     * Makes the question of the request, or queues it in the transaction.
     *
     * @throws RespError if the request is refused
     */
    public Question ask(RespRequest request) {
        began = LoopCounts.NOT_TIMED;
        try {
            command = row(request);
        } catch (RespError e) {
            throw refused(e);
        }
        RespCommand row = command.orElseThrow();
        try {
            admit(row, request);
            if (transaction.isPresent() && !Transaction.runsAtOnce(row)) {
                return transaction.get().queue(row, request, this);
            }
        } catch (RespError e) {
            door.statistics().rejected(row);
            throw refused(Transaction.isExec(row) ? abort(e) : e);
        }
        began = counts.begin(row);
        try {
            return row.handler().ask(request, this);
        } catch (RespError e) {
            door.statistics().failed(row, List.of(RespError.word(e.getMessage())));
            throw e;
        }
    }

    private static Optional<RespCommand> row(RespRequest request) {
        Optional<RespCommand> found = request.command();
        if (found.isEmpty()) {
            throw RespError.unknown(request.at(0), request.from(1));
        }
        RespCommand row = found.get();
        if (row.subcommands().isEmpty() || request.count() == 1) {
            return found;
        }
        Bytes name = request.at(1);
        Optional<RespCommand> subcommand = row.subcommand(name);
        if (subcommand.isEmpty()) {
            throw new RespError("ERR unknown subcommand '%s'. Try %s HELP."
                    .formatted(RespError.shown(name), row.name().toUpperCase(Locale.ROOT)));
        }
        return subcommand;
    }

    private void admit(RespCommand row, RespRequest request) {
        if (!row.takes(request.count())) {
            throw RespError.arity(row.name());
        }
        if (!row.hasKeys() && request.count() > WORDS_WITHOUT_BUCKETS_MAX) {
            throw new RespError("ERR too many arguments for '%s' command: it has %d words, at most %d are taken"
                    .formatted(row.name(), request.count(), WORDS_WITHOUT_BUCKETS_MAX));
        }
        if (!login.isDone() && !row.hasFlag("no_auth")) {
            throw new RespError("NOAUTH Authentication required.");
        }
    }

    /** The request is refused before its command runs: {@code EXEC} will not run the transaction that it is in. */
    private RespError refused(RespError why) {
        door.statistics().error(RespError.word(why.getMessage()));
        transaction.ifPresent(Transaction::spoil);
        return why;
    }

    /** {@code EXEC} itself is refused, which drops the transaction. */
    private RespError abort(RespError why) {
        endTransaction();
        return Transaction.aborted(why);
    }

    /**
     * The line of {@code CLIENT LIST}, with the fields of Redis 7.4. What clients of kv cannot have is 0, and so are the sizes of
     * buffers: all clients share one memory for them.
     */
    String line() {
        int queued = transaction.map(Transaction::requests).orElse(-1);
        // No format: its parts would be parsed for each of thousands of clients.
        return "id=" + id + " addr=" + remote + " laddr=" + Addresses.text(door.address()) + " fd=-1 name=" + name
                + " age=" + Duration.between(openedAt, Instant.now()).toSeconds()
                + " idle=" + socket.silence().toSeconds()
                + " flags=" + (queued < 0 ? "N" : "x") + " db=0 sub=0 psub=0 ssub=0 multi=" + queued
                + " watch=" + watching.size() + " qbuf=0 qbuf-free=0 argv-mem=0 multi-mem="
                + transaction.map(Transaction::bytes).orElse(0L)
                + " rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=0 events=r cmd="
                + command.map(RespCommand::name).orElse("NULL") + " user=default redir=-1 resp=" + (version3 ? 3 : 2)
                + " lib-name=" + libraryName + " lib-ver=" + libraryVersion;
    }
}
