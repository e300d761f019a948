package dev.kv.acceptance.harness;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Ports on loopback that are given out once each. They lie below those that the kernel gives to outgoing connections, so a
 * process that restarts finds its port free; JVMs that run tests side by side have ranges of their own.
 */
public final class FreePorts {
    private static final int RANGE = 5_000;
    private static final int FIRST = 10_000 + (Integer.getInteger("kv.fork", 1) - 1) * RANGE;
    private static final AtomicInteger NEXT =
            new AtomicInteger(FIRST + ThreadLocalRandom.current().nextInt(RANGE / 2));

    private FreePorts() {}

    public static int next() {
        while (true) {
            int port = NEXT.getAndIncrement();
            try (ServerSocket _ = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
                return port;
            } catch (IOException taken) {
                // The next one, then.
            }
        }
    }
}
