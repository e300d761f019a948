/**
 * RESP, the protocol of Redis. {@link dev.kv.server.resp.RespRequest} is a request as it arrives, {@link
 * dev.kv.server.resp.RespCommand} the table of the commands, {@link dev.kv.server.resp.Question} the result of a command's
 * handler, and {@link dev.kv.server.resp.RespWriter} writes the answer. {@link dev.kv.server.resp.RespSession} is the state of one
 * client, {@link dev.kv.server.resp.Statistics} counts requests and errors for {@code INFO}.
 *
 * <p>A new command is a row in {@code HashCommands}, {@code KeyCommands}, {@code ConnectionCommands}, {@code TransactionCommands},
 * {@code ServerCommands}, {@code ClientCommands} or {@code CommandCommands}: its arguments ({@code Syntax}), its traits, a summary and
 * a handler. The number of its words, where its keys are and what {@code COMMAND} tells of it follow from the row, and {@code
 * docs/redis.md} has a line for it.
 */
package dev.kv.server.resp;
