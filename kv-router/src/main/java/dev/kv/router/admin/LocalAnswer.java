package dev.kv.router.admin;

import com.typesafe.config.Config;
import java.util.Optional;

/** The outcome of a line at the local socket of a node, for the caller. */
public sealed interface LocalAnswer {
    /** The node did what the line asks for, with this result. */
    record Document(Config content) implements LocalAnswer {}

    /** The node did not do it, or not all of it, for this reason. */
    record Refused(String why) implements LocalAnswer {}

    /** The connection ended before a complete answer: the node may have done what the line asks for. */
    record Broken(String how) implements LocalAnswer {}

    /** The node did not answer in time. */
    record Silent() implements LocalAnswer {}

    /** Nobody listens at the socket. */
    record Absent() implements LocalAnswer {}

    /** The result; empty without one. */
    default Optional<Config> document() {
        return this instanceof Document document ? Optional.of(document.content()) : Optional.empty();
    }
}
