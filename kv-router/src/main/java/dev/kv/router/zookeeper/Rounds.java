package dev.kv.router.zookeeper;

import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.function.Supplier;
import org.apache.zookeeper.KeeperException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The thread that talks to ZooKeeper, in rounds. A round that fails, in whatever way, is logged once and tried again; nothing but
 * {@link #close} ends the thread.
 */
final class Rounds {
    private static final Logger LOG = LoggerFactory.getLogger(Rounds.class);
    /** The time between two rounds while they fail. ZooKeeper's client has its own pauses between attempts to connect. */
    private static final Duration RETRY = Duration.ofMillis(500);

    private final String servers;
    private final Duration interval;
    private final Supplier<String> meanwhile;
    private final Work work;
    private final Thread thread =
            Thread.ofPlatform().name("kv-zookeeper").daemon().unstarted(this::run);

    /** Why the last round failed; empty if it did not. */
    private volatile Optional<Trouble> trouble = Optional.empty();

    /** Whether another round is due. Written under this object's monitor, as {@code closed} is read. */
    private boolean awake;

    private boolean closed;

    /** One round, on the thread alone; false if it is to be tried again soon. */
    @FunctionalInterface
    interface Work {
        boolean round() throws Exception;
    }

    /**
     * What is wrong with ZooKeeper.
     *
     * @param what in words that follow its name
     * @param meanwhile what requests get
     */
    record Trouble(String what, Instant since, String meanwhile) {
        String text() {
            return what + ", since " + NodeDocument.text(since) + "; " + meanwhile;
        }
    }

    /**
     * @param servers those of ZooKeeper, for messages
     * @param interval the longest time from one round to the next
     * @param meanwhile what requests get while rounds fail, for messages
     */
    Rounds(String servers, Duration interval, Supplier<String> meanwhile, Work work) {
        this.servers = servers;
        this.interval = interval;
        this.meanwhile = meanwhile;
        this.work = work;
    }

    void start() {
        thread.start();
    }

    /** Begins the next round at once. Any thread. */
    synchronized void wake() {
        awake = true;
        notifyAll();
    }

    /** Begins no further round. Any thread. */
    synchronized void close() {
        closed = true;
        notifyAll();
    }

    /** Why the last round failed; empty if it did not. Any thread. */
    Optional<Trouble> trouble() {
        return trouble;
    }

    private void run() {
        try {
            while (!isClosed()) {
                sleep(isDone() ? interval : RETRY);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            if (!isClosed()) {
                remember("is no longer followed: the thread that does it has ended; restart this node");
                LOG.error(
                        "ZooKeeper at {} {}",
                        servers,
                        trouble.map(Trouble::what).orElseThrow());
            }
        }
    }

    private synchronized boolean isClosed() {
        return closed;
    }

    /** Waits until something wakes this, or for that long. */
    private synchronized void sleep(Duration limit) throws InterruptedException {
        long deadlineNanos = System.nanoTime() + limit.toNanos();
        while (!awake && !closed) {
            long leftNanos = deadlineNanos - System.nanoTime();
            if (leftNanos <= 0) {
                return;
            }
            wait(leftNanos / 1_000_000 + 1);
        }
        awake = false;
    }

    /** Makes a round; false if it is to be tried again soon. That it fails is remembered, and ends nothing else. */
    private boolean isDone() throws InterruptedException {
        try {
            return work.round();
        } catch (InterruptedException e) {
            throw e;
        } catch (KeeperException e) {
            lost(ZooKeeperSession.meaning(e));
        } catch (Throwable e) {
            if (trouble.isEmpty() && !isClosed()) {
                LOG.error("a fault while following ZooKeeper at {}; {}", servers, meanwhile.get(), e);
            }
            remember("cannot be followed: " + e);
        }
        return false;
    }

    private void lost(String what) {
        if (trouble.isEmpty() && !isClosed()) {
            LOG.warn("ZooKeeper at {} {}; {}", servers, what, meanwhile.get());
        }
        remember(what);
    }

    private void remember(String what) {
        Instant since = trouble.map(Trouble::since).orElseGet(Instant::now);
        trouble = Optional.of(new Trouble(what, since, meanwhile.get()));
    }

    /** A round has gone through all that ZooKeeper has. */
    void succeeded() {
        if (trouble.isPresent()) {
            LOG.info("ZooKeeper at {} answers again", servers);
        }
        trouble = Optional.empty();
    }
}
