/**
 * What a release plugs in: an {@link dev.kv.router.spi.Engine} that keeps data, a {@link dev.kv.router.spi.Door} for clients, a
 * {@link dev.kv.router.spi.Logging}. The modules that implement these need nothing of the node that runs them.
 */
package dev.kv.router.spi;
