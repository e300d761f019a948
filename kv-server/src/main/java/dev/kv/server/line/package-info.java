/**
 * The line protocol: {@link dev.kv.server.line.LineCommand} is the table of its commands, {@link dev.kv.server.line.LineReply}
 * that of its replies.
 */
package dev.kv.server.line;
