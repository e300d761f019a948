package dev.kv.router.net;

/** The I/O loops of a node. */
public final class Loops implements AutoCloseable {
    @Override
    public void close() {}
}
