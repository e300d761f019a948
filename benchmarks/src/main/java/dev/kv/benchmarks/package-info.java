/** Measures kv. {@code bin/bench} runs it; docs/performance.md has the results. */
package dev.kv.benchmarks;
