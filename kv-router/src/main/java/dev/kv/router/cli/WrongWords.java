package dev.kv.router.cli;

/** A command line that is wrong, in one line for people. */
final class WrongWords extends RuntimeException {
    private static final long serialVersionUID = 1L;

    WrongWords(String line) {
        super(line);
    }

    WrongWords(String line, Throwable cause) {
        super(line, cause);
    }
}
