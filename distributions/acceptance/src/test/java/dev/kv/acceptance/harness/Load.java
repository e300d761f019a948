package dev.kv.acceptance.harness;

import dev.kv.server.testing.LineClient;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;

/** A client that puts and gets in a bucket, about a hundred times a second, until it is told to stop. */
public final class Load {
    private static final int KEYS = 100;

    /** Between two rounds, so that the nodes get the processors. */
    private static final Duration PAUSE = Duration.ofMillis(8);

    private final LineClient client;
    private final String bucket;
    private final CompletableFuture<List<String>> wrong;
    private volatile boolean enough;

    private Load(LineClient client, String bucket) {
        this.client = client;
        this.bucket = bucket;
        // Its own thread: the common pool may have a single one.
        this.wrong = CompletableFuture.supplyAsync(
                this::run,
                task -> Thread.ofPlatform().daemon().name("load on " + bucket).start(task));
    }

    /** Starts the load on a bucket that exists. */
    public static Load on(LineClient client, String bucket) {
        return new Load(client, bucket);
    }

    /** Whether it still sends requests. */
    public boolean goesOn() {
        return !wrong.isDone();
    }

    /** Ends the load and returns the unexpected replies. */
    public List<String> stop() {
        enough = true;
        return wrong.join();
    }

    private List<String> run() {
        List<String> unexpected = new ArrayList<>();
        try {
            for (int i = 0; !enough; i++) {
                String put = client.ask("PUT " + bucket + " k" + i % KEYS + " v" + i);
                String value = client.ask("GET " + bucket + " k" + i % KEYS);
                String ok = client.line();
                if (!put.equals("OK") || !value.equals("v" + i) || !ok.equals("OK")) {
                    unexpected.add(put + " " + value + " " + ok);
                }
                LockSupport.parkNanos(PAUSE.toNanos());
            }
        } catch (IOException e) {
            unexpected.add(e.toString());
        }
        return unexpected;
    }
}
