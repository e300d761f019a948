/**
 * The door for clients. {@link dev.kv.server.ClientDoor} opens it, {@link dev.kv.server.OpenDoor} is the open port, and a {@link
 * dev.kv.server.ClientConnection} serves one client in two protocols, request by request: {@link dev.kv.server.line} and {@link
 * dev.kv.server.resp}.
 */
package dev.kv.server;
