/** The log: its segments, how they reach the disk, and how they are found again when it is opened. */
package dev.kv.storage.log;
