/**
 * The hub of kv: the vocabulary that all parts speak ({@link dev.kv.router.Command}, {@link dev.kv.router.Reply},
 * {@link dev.kv.router.Store}), the routing table, and the router that follows it.
 *
 * <p>{@code net} holds sockets and I/O loops, {@code peer} the way to other nodes, {@code node} the life of a process:
 * configuration, start, stop and the command line. This package imports none of them.
 */
package dev.kv.router;
