/** What the parts of a node measure and report, as typed values that each renderer (status, INFO) writes in its own form. */
package dev.kv.router.metrics;
