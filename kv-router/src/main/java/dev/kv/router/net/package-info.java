/** Sockets on I/O loops: the only package that knows Apache MINA. */
package dev.kv.router.net;
