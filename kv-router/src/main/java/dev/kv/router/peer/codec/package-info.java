/** The bytes of messages between nodes: each command, reply and header has one place that says how it is written. */
package dev.kv.router.peer.codec;
