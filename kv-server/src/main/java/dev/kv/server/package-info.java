/**
 * The door for clients: bytes to commands, and replies to bytes.
 *
 * <p>{@link dev.kv.server.ClientDoor} opens it, and a {@link dev.kv.server.ClientConnection} serves one client, in two protocols
 * that take turns. {@link dev.kv.server.LineCommand} is the table of the commands of lines, {@link dev.kv.server.LineReply} that of
 * their replies. Of RESP, {@link dev.kv.server.RespRequest} is a request, {@link dev.kv.server.RespCommand} the table of
 * commands, {@link dev.kv.server.Question} what a request comes down to, and {@link dev.kv.server.RespWriter} its answer.
 */
package dev.kv.server;
