/**
 * The door for clients: bytes to commands, and replies to bytes.
 *
 * <p>{@link dev.kv.server.ClientDoor} opens it, a {@link dev.kv.server.ClientConnection} serves one client, {@link
 * dev.kv.server.LineCommand} is the table of commands, and {@link dev.kv.server.LineReply} the table of replies.
 */
package dev.kv.server;
