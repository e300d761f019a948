package dev.kv.router.net;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The last resort for what went wrong on an I/O loop: it is told once, and the loop goes on. */
final class Faults {
    private static final Logger LOG = LoggerFactory.getLogger(Faults.class);

    private Faults() {}

    static void report(String where, Throwable fault) {
        LOG.error("fault in {}", where, fault);
    }
}
