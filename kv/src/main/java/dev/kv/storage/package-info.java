/** Storage as a release plugs it in: the settings, and the parts put together. */
package dev.kv.storage;
