package dev.kv.router.cli;

import dev.kv.router.OperatorError;

/** Why a command failed. Ends it with status 1. */
final class CommandFailed extends OperatorError {
    private static final long serialVersionUID = 1L;

    CommandFailed(String line) {
        super(line);
    }

    CommandFailed(String line, Throwable cause) {
        super(line, cause);
    }
}
