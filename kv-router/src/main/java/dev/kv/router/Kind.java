package dev.kv.router;

/** What a name holds. */
public enum Kind {
    /** Keys with their values: a hash of Redis. */
    BUCKET,
    /** A string of bytes. */
    VALUE
}
