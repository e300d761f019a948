/** Routing tables and nodes in ZooKeeper: the only package that knows Curator and the client of ZooKeeper. */
package dev.kv.router.zookeeper;
