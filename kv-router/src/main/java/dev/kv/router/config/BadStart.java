package dev.kv.router.config;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;

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

    /** What went wrong with a file, in words: the JDK's messages for the common cases are the name of the file alone. */
    public static String reason(IOException e) {
        return switch (e) {
            case AccessDeniedException _ -> "permission denied";
            case NoSuchFileException _ -> "no such file or folder";
            case FileAlreadyExistsException _ -> "a file of this name is in the way";
            case FileSystemException failed when failed.getReason() != null -> failed.getReason();
            default -> e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
        };
    }
}
