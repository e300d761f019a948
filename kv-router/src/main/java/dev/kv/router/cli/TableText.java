package dev.kv.router.cli;

import dev.kv.router.Bytes;
import dev.kv.router.OperatorError;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;

/**
 * A routing table that is an argument of a command.
 *
 * @param source the name of the file, or another description for messages
 * @param bytes the text
 */
record TableText(String source, Bytes bytes) {
    /** The text of the file that the word names, of standard input for {@code -}, or the word itself if it contains {@code =}. */
    static TableText of(String word, int maxBytes) {
        // One byte more than allowed shows that it is too large.
        int limit = maxBytes + 1;
        if (word.isEmpty()) {
            throw new CommandFailed(
                    "expected a file, - or a table such as a..m=foo@red,n..z=bar@blue, found an empty word");
        }
        try {
            if (word.equals("-")) {
                return new TableText("standard input", Bytes.owning(System.in.readNBytes(limit)));
            }
            if (word.indexOf('=') >= 0 && !isFile(word)) {
                return new TableText("the table", Bytes.of(word));
            }
            try (InputStream file = Files.newInputStream(Path.of(word))) {
                return new TableText(word, Bytes.owning(file.readNBytes(limit)));
            }
        } catch (IOException e) {
            throw new CommandFailed(word + " cannot be read: " + OperatorError.reason(e), e);
        }
    }

    private static boolean isFile(String word) {
        try {
            return Files.exists(Path.of(word));
        } catch (InvalidPathException e) {
            return false;
        }
    }
}
