/** The life of a node: its configuration, its folder, and the order in which its parts start and stop. Wiring alone. */
package dev.kv.router.node;
