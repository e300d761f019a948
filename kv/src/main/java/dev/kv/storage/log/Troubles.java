package dev.kv.storage.log;

import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The troubles of the storage now, one line each. {@code kv status} shows them; each is logged when it begins and when it is
 * over. Any thread.
 */
public final class Troubles {
    private static final Logger LOG = LoggerFactory.getLogger(Troubles.class);

    private final Map<String, String> current = new ConcurrentSkipListMap<>();

    /** Reports a trouble that operators can expect, such as a full disk. */
    public void warn(String thing, String why) {
        if (isNew(thing, why)) {
            LOG.warn("{}: {}", thing, why);
        }
    }

    /** Reports a trouble that is a fault of kv. */
    public void fault(String thing, Throwable fault) {
        if (isNew(thing, "fault: " + fault)) {
            LOG.error("fault: {}", thing, fault);
        }
    }

    private boolean isNew(String thing, String why) {
        return !why.equals(current.put(thing, why));
    }

    /** Ends a trouble. */
    public void over(String thing) {
        if (current.remove(thing) != null) {
            LOG.info("{}: over", thing);
        }
    }

    /** All troubles on one line; empty if there are none. */
    public Optional<String> text() {
        String text = current.entrySet().stream()
                .map(trouble -> trouble.getKey() + ": " + trouble.getValue())
                .collect(Collectors.joining("; "));
        return Optional.of(text).filter(all -> !all.isEmpty());
    }
}
