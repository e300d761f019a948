/** What the people who run a node ask of it: the local socket in its folder, and the answers there. */
package dev.kv.router.admin;
