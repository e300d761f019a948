/** What the nodes make of a routing table, for the commands that show or change it. */
package dev.kv.router.operator;
