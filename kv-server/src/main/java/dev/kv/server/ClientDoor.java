package dev.kv.server;

import dev.kv.router.config.BadStart;
import dev.kv.router.config.Settings;
import dev.kv.router.net.Addresses;
import dev.kv.router.spi.Door;
import java.io.IOException;

/** The service that opens the port for clients in a release that contains this module. */
public final class ClientDoor implements Door {
    @Override
    public Ready configure(Settings settings) {
        ServerSettings server = ServerSettings.from(settings);
        return (stores, loops, node) -> {
            try {
                return OpenDoor.open(server, stores, loops, node);
            } catch (IOException e) {
                String why = "cannot listen at " + Addresses.text(server.address()) + ": " + BadStart.reason(e);
                throw settings.bad("kv.server.port", why);
            }
        };
    }
}
