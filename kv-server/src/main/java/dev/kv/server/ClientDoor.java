package dev.kv.server;

import dev.kv.router.Store;
import dev.kv.router.config.BadStart;
import dev.kv.router.config.Settings;
import dev.kv.router.net.Addresses;
import dev.kv.router.net.Loops;
import dev.kv.router.spi.Door;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.Optional;
import java.util.function.Supplier;

/** The service that opens the port for clients in a release that contains this module. */
public final class ClientDoor implements Door {
    @Override
    public Ready configure(Settings settings) {
        return new ReadyDoor(settings, ServerSettings.from(settings));
    }

    private record ReadyDoor(Settings settings, ServerSettings server) implements Ready {
        @Override
        public Optional<InetSocketAddress> address() {
            return Optional.of(server.address());
        }

        @Override
        public Open start(Supplier<Store> stores, Loops loops, Facts node) {
            try {
                return OpenDoor.open(server, stores, loops, node);
            } catch (IOException e) {
                String why = "cannot listen at " + Addresses.text(server.address()) + ": " + BadStart.reason(e);
                throw settings.bad("kv.server.port", why);
            }
        }
    }
}
