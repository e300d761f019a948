/**
 * The hub of kv: the vocabulary that all parts speak ({@link dev.kv.router.Command}, {@link dev.kv.router.Reply},
 * {@link dev.kv.router.Store}). It imports none of the packages below it; {@code docs/architecture.md} lists them.
 */
package dev.kv.router;
