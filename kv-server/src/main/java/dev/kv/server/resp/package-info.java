/**
 * RESP, the protocol of Redis. {@link dev.kv.server.resp.RespRequest} is a request as it arrives, {@link
 * dev.kv.server.resp.RespCommand} the table of the commands, {@link dev.kv.server.resp.Question} the result of a command's
 * handler, and {@link dev.kv.server.resp.RespWriter} writes the answer. {@link dev.kv.server.resp.RespSession} is the state of one
 * client. A new command is a row in {@code HashCommands}, {@code KeyCommands}, {@code ConnectionCommands} or {@code
 * ServerCommands}.
 */
package dev.kv.server.resp;
