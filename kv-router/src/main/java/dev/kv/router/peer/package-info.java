/** The way to other nodes: the door for them, the connections to them, and the protocol between. */
package dev.kv.router.peer;
