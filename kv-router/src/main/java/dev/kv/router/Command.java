package dev.kv.router;

/** What a client asks for. Every command concerns one bucket, and the bucket's name decides which node runs it. */
public sealed interface Command {
    /** The bucket that the command concerns, which is what it is routed by. */
    Bytes bucket();

    /** Make the bucket, unless it is there already; its keys stay. Answered with {@link Reply.Ok}. */
    record Create(Bytes bucket) implements Command {}

    /** Set a key. Answered with {@link Reply.Ok}, or {@link Reply.NotFound} without such a bucket. */
    record Put(Bytes bucket, Bytes key, Bytes value) implements Command {}

    /** Read a key. Answered with {@link Reply.Value}, {@link Reply.Absent}, or {@link Reply.NotFound}. */
    record Get(Bytes bucket, Bytes key) implements Command {}

    /** Remove a key. Answered with {@link Reply.Ok}, also if there was none, or {@link Reply.NotFound}. */
    record Delete(Bytes bucket, Bytes key) implements Command {}

    /**
     * Tell the way that a request for the bucket takes. Answered with {@link Reply.Way}; every node on the way adds its
     * own part, and the bucket need not exist.
     */
    record Route(Bytes bucket) implements Command {}
}
