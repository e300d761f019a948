package dev.kv.router.zookeeper;

import dev.kv.router.OperatorError;

/** Why a command cannot do its work with ZooKeeper: one line for the operator that names the servers and what they answer. */
public final class ZooKeeperFailed extends OperatorError {
    private static final long serialVersionUID = 1L;

    ZooKeeperFailed(String line, Throwable cause) {
        super(line, cause);
    }
}
