/** What tests of a node's client door need, wherever the node runs. */
package dev.kv.server.testing;
