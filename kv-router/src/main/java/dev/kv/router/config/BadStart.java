package dev.kv.router.config;

import dev.kv.router.OperatorError;
import java.io.IOException;

/**
 * Why a node cannot start, or a command cannot run with this configuration: one line for the operator that names the key or file,
 * the fault, and what to do. Ends {@code main} with a status other than 0.
 */
public final class BadStart extends OperatorError {
    private static final long serialVersionUID = 1L;

    public BadStart(String line) {
        super(line);
    }

    public BadStart(String line, Throwable cause) {
        super(line, cause);
    }

    /** See {@link OperatorError#reason}. */
    public static String reason(IOException e) {
        return OperatorError.reason(e);
    }
}
