package dev.kv.acceptance;

import dev.kv.server.testing.LineClient;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** A client that puts and gets in a bucket, one request after the other, until it is told to stop. */
final class Load {
    private static final int KEYS = 100;

    private final LineClient client;
    private final String bucket;
    private final CompletableFuture<List<String>> wrong;
    private volatile boolean enough;

    private Load(LineClient client, String bucket) {
        this.client = client;
        this.bucket = bucket;
        // A thread of its own: the common pool may have a single one, which this would keep to itself.
        this.wrong = CompletableFuture.supplyAsync(
                this::run,
                task -> Thread.ofPlatform().daemon().name("load on " + bucket).start(task));
    }

    /** Begins in a bucket that exists. */
    static Load on(LineClient client, String bucket) {
        return new Load(client, bucket);
    }

    /** Whether it still makes requests. */
    boolean goesOn() {
        return !wrong.isDone();
    }

    /** Ends it; answers what went wrong. */
    List<String> stop() {
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
            }
        } catch (IOException e) {
            unexpected.add(e.toString());
        }
        return unexpected;
    }
}
