package dev.kv.server;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import dev.kv.router.Bytes;
import dev.kv.router.net.Budget;
import dev.kv.router.net.Connection;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Optional;

/**
 * What a node knows of one client. Written on the loop of the client's connection; what {@code CLIENT LIST} tells of it may
 * be read by any thread.
 */
final class RespSession {
    /** How much of a name and of arguments an error shows. */
    private static final int SHOWN_BYTES = 128;

    private final long id;
    private final OpenDoor door;
    private final Connection.Socket socket;
    private final String remote;
    private final Budget budget;
    private final Instant openedAt = Instant.now();
    private volatile String name = "";
    private volatile String libraryName = "";
    private volatile String libraryVersion = "";
    private volatile boolean version3;
    private boolean loggedIn;
    private boolean quitting;
    private Optional<Transaction> transaction = Optional.empty();

    /**
     * @param id a number that no other client has had
     * @param budget the memory for what clients send ahead
     */
    RespSession(long id, OpenDoor door, Connection.Socket socket, Budget budget) {
        this.id = id;
        this.door = door;
        this.socket = socket;
        this.remote = socket.remote();
        this.budget = budget;
        this.loggedIn = !door.hasPassword();
    }

    long id() {
        return id;
    }

    OpenDoor door() {
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

    boolean isVersion3() {
        return version3;
    }

    void speak(boolean asVersion3) {
        version3 = asVersion3;
    }

    boolean isLoggedIn() {
        return loggedIn;
    }

    /** What comes of an attempt to log in. */
    enum Login {
        DONE,
        WRONG_PASSWORD,
        /** There are too many clients; the connection will be closed once this is answered. */
        TOO_MANY
    }

    /** Lets the client in if the password is right. */
    Login logIn(Bytes password) {
        if (!door.isPassword(password)) {
            return Login.WRONG_PASSWORD;
        }
        if (!socket.prove()) {
            quit();
            return Login.TOO_MANY;
        }
        loggedIn = true;
        return Login.DONE;
    }

    /** Closes the connection once this request and those before it are answered. */
    void quit() {
        quitting = true;
    }

    boolean isQuitting() {
        return quitting;
    }

    Optional<Transaction> transaction() {
        return transaction;
    }

    void begin() {
        transaction = Optional.of(new Transaction(budget));
    }

    /** Ends the transaction. */
    void end() {
        transaction.ifPresent(Transaction::close);
        transaction = Optional.empty();
    }

    /** All is as for a client that has just come. */
    void reset() {
        end();
        name = "";
        version3 = false;
        loggedIn = !door.hasPassword();
    }

    /**
     * What the request asks for.
     *
     * @throws RespError if it is refused
     */
    Question ask(RespRequest request) {
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
        if (!loggedIn && !row.hasFlag("no_auth")) {
            throw new RespError("NOAUTH Authentication required.");
        }
        return row;
    }

    private static RespError unknown(RespRequest request) {
        StringBuilder arguments = new StringBuilder();
        for (int i = 1; i < request.count() && arguments.length() < SHOWN_BYTES; i++) {
            arguments
                    .append('\'')
                    .append(text(request.at(i), SHOWN_BYTES - arguments.length()))
                    .append("' ");
        }
        return new RespError("ERR unknown command '" + text(request.at(0), SHOWN_BYTES)
                + "', with args beginning with: " + arguments);
    }

    /** So many of the bytes, one for each character. */
    static String text(Bytes bytes, int max) {
        return new String(Arrays.copyOf(bytes.array(), Math.min(max, bytes.size())), ISO_8859_1);
    }

    /** The line of {@code CLIENT LIST}. */
    String line() {
        return "id=%d addr=%s laddr=%s name=%s age=%d flags=N db=0 user=default lib-name=%s lib-ver=%s resp=%d"
                .formatted(
                        id,
                        remote,
                        door.addressText(),
                        name,
                        Duration.between(openedAt, Instant.now()).toSeconds(),
                        libraryName,
                        libraryVersion,
                        version3 ? 3 : 2);
    }
}
