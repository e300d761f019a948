/** Where buckets are by a table, what a node holds by it, and what another table would move. */
package dev.kv.router.placement;
