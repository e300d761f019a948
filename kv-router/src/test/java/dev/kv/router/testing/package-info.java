/** What tests of several nodes need, in this module and in others. */
package dev.kv.router.testing;
