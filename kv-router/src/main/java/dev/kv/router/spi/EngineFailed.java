package dev.kv.router.spi;

import dev.kv.router.OperatorError;

/** Why an engine could not do something with its data as a whole, such as a backup: in words for the operator. */
public final class EngineFailed extends OperatorError {
    private static final long serialVersionUID = 1L;

    public EngineFailed(String line) {
        super(line);
    }

    public EngineFailed(String line, Throwable cause) {
        super(line, cause);
    }
}
