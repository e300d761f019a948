package dev.kv.router.placement;

/** Buckets that one entry sends to the node that has them. */
public record Holding(String entry, long buckets, long bytes) {}
