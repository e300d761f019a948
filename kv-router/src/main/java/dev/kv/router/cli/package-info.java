/** The commands of {@code bin/kv}: they run a node, or ask one that runs. The only package that knows picocli. */
package dev.kv.router.cli;
