/** Where the entries of a bucket are: from the hash of a key to a location, whatever a location means. */
package dev.kv.storage.index;
