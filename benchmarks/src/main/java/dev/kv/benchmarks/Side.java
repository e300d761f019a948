package dev.kv.benchmarks;

import java.util.List;

/**
 * What a benchmark measures.
 *
 * @param port the one to talk to
 * @param servers the processes whose CPU counts, in the order of their start
 */
record Side(int port, List<Server> servers) implements AutoCloseable {
    double cpuSeconds() {
        return servers.stream().mapToDouble(Server::cpuSeconds).sum();
    }

    @Override
    public void close() {
        servers.reversed().forEach(Server::close);
    }
}
