package dev.kv.router.net;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Logs a fault on an I/O loop; the loop continues. */
final class Faults {
    private static final Logger LOG = LoggerFactory.getLogger(Faults.class);

    private Faults() {}

    static void report(String where, Throwable fault) {
        LOG.error("fault in {}", where, fault);
    }
}
