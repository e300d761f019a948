/** The places of buckets by a table, the buckets that a node holds, and what another table would move. */
package dev.kv.router.placement;
