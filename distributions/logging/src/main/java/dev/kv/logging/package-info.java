/** What writes the log of a release, with Logback. */
package dev.kv.logging;
