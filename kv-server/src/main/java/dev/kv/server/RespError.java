package dev.kv.server;

/** Why a request of RESP is refused before it runs: the line that the client gets, its first word included. */
final class RespError extends RuntimeException {
    private static final long serialVersionUID = 1L;

    RespError(String line) {
        super(line, null, false, false);
    }

    static RespError notAnInteger() {
        return new RespError("ERR value is not an integer or out of range");
    }

    static RespError syntax() {
        return new RespError("ERR syntax error");
    }

    /**
     * The number of words is wrong.
     *
     * @param command with its subcommand, as {@code client|setname}
     */
    static RespError arity(String command) {
        return new RespError("ERR wrong number of arguments for '" + command + "' command");
    }
}
