package dev.kv.router.admin;

import com.typesafe.config.Config;
import java.util.Optional;

/** What comes of a line at the local socket of a node, for the caller. */
public sealed interface LocalAnswer {
    /** The node did what the line asks for, and this is what it says. */
    record Document(Config content) implements LocalAnswer {}

    /** The node did not do it, or not all of it, and says why. */
    record Refused(String why) implements LocalAnswer {}

    /** The node took the line, and the connection ended before a whole answer: what the line asks for may have been done. */
    record Broken(String how) implements LocalAnswer {}

    /** The node did not answer in the time that it had. */
    record Silent() implements LocalAnswer {}

    /** Nobody listens in the folder. */
    record Absent() implements LocalAnswer {}

    /** What the node says; empty if it does not. */
    default Optional<Config> document() {
        return this instanceof Document document ? Optional.of(document.content()) : Optional.empty();
    }
}
