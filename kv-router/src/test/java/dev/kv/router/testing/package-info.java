/** Helpers for tests of several nodes, in this module and in others. */
package dev.kv.router.testing;
