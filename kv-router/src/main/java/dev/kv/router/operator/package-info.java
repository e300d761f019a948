/** What an operator's change of a routing table means for the buckets and the nodes, and what the nodes make of it. */
package dev.kv.router.operator;
