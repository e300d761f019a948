/** What operators do with the data: backup, restore, verify, repair, export, import. */
package dev.kv.storage.tools;
