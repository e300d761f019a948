package dev.kv.acceptance.harness;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.util.ArrayList;
import java.util.List;

/**
 * Ports on loopback that are given out once each, so that a process that restarts finds its port free. They lie below those that the
 * kernel gives to outgoing connections, in ranges of which each belongs to one owner at a time: an owner listens at the first port of its
 * ranges until its JVM ends. So JVMs that run tests side by side never give out the same port.
 */
public final class FreePorts {
    private static final FreePorts OF_THIS_JVM = new FreePorts();

    private static final int FIRST = 10_000;
    private static final int END = 32_000;

    /** More than most JVMs with tests use. One that needs more takes another range. */
    private static final int RANGE = 250;

    /** The sockets at the first port of each range of this owner. */
    private final List<ServerSocket> ranges = new ArrayList<>();

    private int next = END;
    private int endOfRange = END;

    FreePorts() {}

    /** A port that this JVM has not given out yet, where nobody listens. Any thread. */
    public static int next() {
        return OF_THIS_JVM.take();
    }

    synchronized int take() {
        while (true) {
            if (next == endOfRange) {
                takeRange();
            }
            int port = next++;
            try (ServerSocket _ = listen(port)) {
                return port;
            } catch (IOException taken) {
                // The next one, then.
            }
        }
    }

    private void takeRange() {
        for (int first = FIRST; first < END; first += RANGE) {
            try {
                ranges.add(listen(first));
                next = first + 1;
                endOfRange = first + RANGE;
                return;
            } catch (IOException taken) {
                // The next range, then.
            }
        }
        throw new AssertionError("no range of " + RANGE + " ports from " + FIRST + " to " + END + " is free");
    }

    private static ServerSocket listen(int port) throws IOException {
        return new ServerSocket(port, 1, InetAddress.getLoopbackAddress());
    }
}
