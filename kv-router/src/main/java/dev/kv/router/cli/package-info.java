/** The commands of {@code bin/kv}: they run a node, or ask one that runs. */
package dev.kv.router.cli;
