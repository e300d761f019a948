package dev.kv.storage.format;

import java.nio.file.Path;

/** A file of the log does not hold the bytes that were written to it. */
public final class Damaged extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final transient Path file;
    private final long offset;
    private final String what;

    /**
     * @param offset the first byte of what is wrong
     */
    public Damaged(Path file, long offset, String what) {
        super("%s is damaged at byte %d: %s".formatted(file, offset, what));
        this.file = file;
        this.offset = offset;
        this.what = what;
    }

    /** The damage of a file of which a page cannot be read. The system raises SIGBUS then, and the JVM throws this error. */
    public static Damaged unreadable(Path file, InternalError sigbus) {
        return unreadable(file, 0, sigbus);
    }

    /** Likewise, at or behind an offset. */
    public static Damaged unreadable(Path file, long offset, InternalError sigbus) {
        Damaged damaged = new Damaged(file, offset, "a part of it cannot be read");
        damaged.initCause(sigbus);
        return damaged;
    }

    public Path file() {
        return file;
    }

    public long offset() {
        return offset;
    }

    public String what() {
        return what;
    }
}
