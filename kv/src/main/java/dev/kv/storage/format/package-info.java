/** The bytes on the disk: each fact of the format once, for the versions that this release reads and writes. It knows nothing of what uses them. */
package dev.kv.storage.format;
