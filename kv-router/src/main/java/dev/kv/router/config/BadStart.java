package dev.kv.router.config;

/**
 * Why a node or a command cannot start: one line for the operator that names the key or the file, what is wrong with it, and
 * what to do. Ends {@code main} with a status other than 0, without a stack trace.
 */
public final class BadStart extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public BadStart(String line) {
        super(line);
    }

    public BadStart(String line, Throwable cause) {
        super(line, cause);
    }
}
