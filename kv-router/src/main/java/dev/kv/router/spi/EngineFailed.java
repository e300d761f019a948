package dev.kv.router.spi;

import dev.kv.router.OperatorError;

/** Why a backup, export, import or the like failed, as one line for the operator. */
public final class EngineFailed extends OperatorError {
    private static final long serialVersionUID = 1L;

    public EngineFailed(String line) {
        super(line);
    }

    public EngineFailed(String line, Throwable cause) {
        super(line, cause);
    }
}
