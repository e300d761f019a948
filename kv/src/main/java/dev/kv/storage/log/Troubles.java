package dev.kv.storage.log;

import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What is wrong in the storage now, one line for each thing: {@code kv status} shows them, and the log has each once, when it
 * begins and when it is over. Any thread.
 */
public final class Troubles {
    private static final Logger LOG = LoggerFactory.getLogger(Troubles.class);

    private final Map<String, String> current = new ConcurrentSkipListMap<>();

    /** Something is wrong that operators should expect, such as a full disk. */
    public void warn(String thing, String why) {
        if (isNew(thing, why)) {
            LOG.warn("{}: {}", thing, why);
        }
    }

    /** Something is wrong that should not happen. */
    public void fault(String thing, Throwable fault) {
        if (isNew(thing, "fault: " + fault)) {
            LOG.error("fault: {}", thing, fault);
        }
    }

    private boolean isNew(String thing, String why) {
        return !why.equals(current.put(thing, why));
    }

    /** The thing is as it should be. */
    public void over(String thing) {
        if (current.remove(thing) != null) {
            LOG.info("{}: over", thing);
        }
    }

    /** All that is wrong now, on one line; empty if nothing is. */
    public Optional<String> text() {
        String text = current.entrySet().stream()
                .map(trouble -> trouble.getKey() + ": " + trouble.getValue())
                .collect(Collectors.joining("; "));
        return Optional.of(text).filter(all -> !all.isEmpty());
    }
}
