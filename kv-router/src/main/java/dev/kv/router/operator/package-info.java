/** The states of nodes with regard to a routing table, for the commands that show or change it. */
package dev.kv.router.operator;
