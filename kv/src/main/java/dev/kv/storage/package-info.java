/** Storage: a registry of buckets, and what they hold. */
package dev.kv.storage;
