package dev.kv.server.resp;

import dev.kv.router.Bytes;
import dev.kv.router.net.Addresses;
import dev.kv.router.net.Budget;
import dev.kv.router.net.OpenSocket;
import dev.kv.server.auth.Login;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/**
 * The state of one client. It changes on the loop of the client's connection; any thread may read what {@code CLIENT LIST} shows.
 */
public final class RespSession {
    /** The bytes of a name, and of all arguments, that an error shows. */
    private static final int SHOWN_BYTES = 128;

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
    private Optional<Transaction> transaction = Optional.empty();

    /** Written on the loop alone; another thread may read an older number. */
    private long requests;

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
        this.login = login;
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

    /** Ends the transaction, if there is one. */
    public void endTransaction() {
        transaction.ifPresent(Transaction::close);
        transaction = Optional.empty();
    }

    /** Resets the state to that of a new client. */
    void reset() {
        endTransaction();
        name = "";
        version3 = false;
        login.forget();
    }

    /**
     * Makes the question of the request, or queues it in the transaction.
     *
     * @throws RespError if the request is refused
     */
    public Question ask(RespRequest request) {
        RespCommand row;
        try {
            row = admitted(request);
            if (transaction.isPresent() && !Transaction.runsAtOnce(row)) {
                return transaction.get().queue(row, request, this);
            }
        } catch (RespError e) {
            transaction.ifPresent(Transaction::spoil);
            throw e;
        }
        return row.handler().ask(request, this);
    }

    private RespCommand admitted(RespRequest request) {
        RespCommand row = request.command().orElseThrow(() -> unknown(request));
        if (!row.takes(request.count())) {
            throw RespError.arity(row.name());
        }
        if (row.keys().equals(RespCommand.Keys.NONE) && request.count() > WORDS_WITHOUT_BUCKETS_MAX) {
            throw new RespError("ERR too many arguments for '%s' command: it has %d words, at most %d are taken"
                    .formatted(row.name(), request.count(), WORDS_WITHOUT_BUCKETS_MAX));
        }
        if (!login.isDone() && !row.hasFlag("no_auth")) {
            throw new RespError("NOAUTH Authentication required.");
        }
        return row;
    }

    private static RespError unknown(RespRequest request) {
        StringBuilder arguments = new StringBuilder();
        for (int i = 1; i < request.count() && arguments.length() < SHOWN_BYTES; i++) {
            arguments
                    .append('\'')
                    .append(RespError.shown(request.at(i), SHOWN_BYTES - arguments.length()))
                    .append("' ");
        }
        return new RespError("ERR unknown command '" + RespError.shown(request.at(0), SHOWN_BYTES)
                + "', with args beginning with: " + arguments);
    }

    /** The line of {@code CLIENT LIST}. */
    String line() {
        return "id=%d addr=%s laddr=%s name=%s age=%d flags=N db=0 user=default lib-name=%s lib-ver=%s resp=%d"
                .formatted(
                        id,
                        remote,
                        Addresses.text(door.address()),
                        name,
                        Duration.between(openedAt, Instant.now()).toSeconds(),
                        libraryName,
                        libraryVersion,
                        version3 ? 3 : 2);
    }
}
