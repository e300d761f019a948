/** Written replies on their way to a client: their pieces, their order, and the large values that are held for them. */
package dev.kv.server.reply;
