/** Which node keeps which buckets, as an operator wrote it: data, and nothing of what nodes do with it. */
package dev.kv.router.table;
