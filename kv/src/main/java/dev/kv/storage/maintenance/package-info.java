/** What keeps the log in shape while the node runs: compaction and hints. */
package dev.kv.storage.maintenance;
