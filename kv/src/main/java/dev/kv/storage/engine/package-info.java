/** The buckets, and what commands do to them. */
package dev.kv.storage.engine;
