package dev.kv.acceptance.harness;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.server.testing.LineClient;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * A client that writes numbered values to one bucket, one after the other, and remembers which were acknowledged. Each key must
 * have its last acknowledged value, or a later one that was sent and not answered. One thread at a time.
 */
public final class NumberedWrites {
    private static final String ABSENT = "";
    private static final int KEYS = 200;

    private final String bucket;
    private final Random random = new Random();
    private final Map<String, String> acknowledged = new HashMap<>();

    /** Values that were sent later and may have been written. */
    private final Map<String, List<String>> uncertain = new HashMap<>();

    private long number;

    public NumberedWrites(String bucket) {
        this.bucket = bucket;
    }

    public void create(LineClient client) throws IOException {
        assertThat(client.ask("CREATE " + bucket)).isEqualTo("OK");
    }

    /** Writes this many times, or until the connection ends. */
    public void writeOn(LineClient client, int times) {
        try {
            for (int i = 0; i < times; i++) {
                assertThat(write(client)).isEqualTo("OK");
            }
        } catch (IOException ended) {
            // The node was killed.
        }
    }

    /** Sets or deletes a key, and returns the reply. */
    public String write(LineClient client) throws IOException {
        String key = "key-" + random.nextInt(KEYS);
        return random.nextInt(5) == 0 ? delete(client, key) : put(client, key);
    }

    public String put(LineClient client, String key) throws IOException {
        String value = ++number + "-" + "abcdefghij".repeat(random.nextInt(400));
        return send(client, "PUT " + bucket + " " + key + " " + value, key, value);
    }

    private String delete(LineClient client, String key) throws IOException {
        return send(client, "DELETE " + bucket + " " + key, key, ABSENT);
    }

    private String send(LineClient client, String request, String key, String value) throws IOException {
        uncertain.computeIfAbsent(key, _ -> new ArrayList<>()).add(value);
        String reply = client.ask(request);
        if (reply.equals("OK")) {
            acknowledged.put(key, value);
            uncertain.remove(key);
        } else if (!reply.startsWith("ERROR UNCERTAIN ")) {
            uncertain.get(key).removeLast();
        }
        return reply;
    }

    /** Checks the values of all keys, which count as acknowledged from then on. */
    public void check(LineClient client) throws IOException {
        StringBuilder requests = new StringBuilder();
        for (int i = 0; i < KEYS; i++) {
            requests.append("GET " + bucket + " key-" + i + "\r\n");
        }
        client.send(requests.toString());
        for (int i = 0; i < KEYS; i++) {
            check("key-" + i, client.line());
            assertThat(client.line()).isEqualTo("OK");
        }
    }

    private void check(String key, String value) {
        if (!uncertain.getOrDefault(key, List.of()).contains(value)) {
            assertThat(value).as("%s of %s", key, bucket).isEqualTo(acknowledged.getOrDefault(key, ABSENT));
        }
        acknowledged.put(key, value);
        uncertain.remove(key);
    }
}
