/** Sends each command where its bucket is: to the buckets here, or to another node. */
package dev.kv.router.dispatch;
