/** The life of a node: what its release contains, start, stop, the local socket, and the command line. */
package dev.kv.router.node;
