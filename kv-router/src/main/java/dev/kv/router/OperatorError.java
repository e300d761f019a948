package dev.kv.router;

import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;

/**
 * A failure that the operator sees as one line without a stack trace: what failed, where, and what to do. Each kind of failure has
 * a type of its own.
 */
public abstract class OperatorError extends RuntimeException {
    private static final long serialVersionUID = 1L;

    protected OperatorError(String line) {
        super(line);
    }

    protected OperatorError(String line, Throwable cause) {
        super(line, cause);
    }

    /** The reason of a failed file operation in words: in common cases the JDK's message is only the name of the file. */
    public static String reason(IOException e) {
        return switch (e) {
            case AccessDeniedException _ -> "permission denied";
            case NoSuchFileException _ -> "no such file or folder";
            case DirectoryNotEmptyException _ -> "the folder is not empty";
            case FileAlreadyExistsException _ -> "a file of this name is in the way";
            case FileSystemException failed when failed.getReason() != null -> failed.getReason();
            case ClosedByInterruptException _ -> "it was interrupted";
            default -> e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
        };
    }
}
