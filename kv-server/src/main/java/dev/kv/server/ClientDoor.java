package dev.kv.server;

import dev.kv.router.config.Settings;
import dev.kv.router.node.Door;

/** The service by which a release that contains this module faces clients. */
public final class ClientDoor implements Door {
    @Override
    public Ready configure(Settings settings) {
        ServerSettings server = ServerSettings.from(settings);
        return (stores, loops) -> OpenDoor.open(server, stores, loops);
    }
}
