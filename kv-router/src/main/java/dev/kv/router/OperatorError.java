package dev.kv.router;

import java.io.IOException;
import java.net.BindException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

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

    /** Whose file, or folder above it, denies access, if it is not this process's user who owns it; else empty. */
    private static String owner(AccessDeniedException denied) {
        String user = System.getProperty("user.name");
        Path file = denied.getFile() == null ? null : Path.of(denied.getFile());
        for (Path path = file; path != null; path = path.getParent()) {
            try {
                String owner = Files.getOwner(path).getName();
                return owner.equals(user)
                        ? ""
                        : ": " + path + " belongs to user " + owner + ", and this is user " + user;
            } catch (IOException notThereOrDenied) {
                // The folder above it may tell.
            }
        }
        return "";
    }

    /** The reason of a failed file operation in words: in common cases the JDK's message is only the name of the file. */
    public static String reason(IOException e) {
        return switch (e) {
            case AccessDeniedException denied -> "permission denied" + owner(denied);
            case NoSuchFileException _ -> "no such file or folder";
            case DirectoryNotEmptyException _ -> "the folder is not empty";
            case FileAlreadyExistsException _ -> "a file of this name is in the way";
            case FileSystemException failed when failed.getReason() != null -> failed.getReason();
            case BindException inUse
            when "Address already in use".equals(inUse.getMessage()) ->
                inUse.getMessage() + " (`ss -ltnp` shows by which process)";
            case ClosedByInterruptException _ -> "it was interrupted";
            default -> e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
        };
    }
}
