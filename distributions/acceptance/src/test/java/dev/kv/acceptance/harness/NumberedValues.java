package dev.kv.acceptance.harness;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.server.testing.RespClient;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * A client that pipelines changes of what one name holds, a value or a bucket, and remembers which were acknowledged. The name must hold
 * what it held after the last acknowledged change or after a later one. One thread at a time.
 */
public final class NumberedValues {
    private static final int AHEAD_MAX = 4;

    /** The replies to {@code GET} if the name holds a bucket, and if it holds nothing. */
    private static final String BUCKET = "WRONGTYPE Operation against a key holding the wrong kind of value";

    private static final String NOTHING = "nil";

    private final String name;
    private final Random random = new Random();
    private String now = NOTHING;

    /** The reply to {@code GET} after the last acknowledged change and after each later one. */
    private final List<String> possible = new ArrayList<>(List.of(now));

    private long number;

    public NumberedValues(String name) {
        this.name = name;
    }

    /** Changes what the name holds until the connection ends. */
    public void writeOn(RespClient client) {
        try {
            while (true) {
                List<Integer> replies = new ArrayList<>();
                StringBuilder requests = new StringBuilder();
                for (int i = random.nextInt(AHEAD_MAX); i >= 0; i--) {
                    List<String> change = change();
                    change.forEach(requests::append);
                    replies.add(change.size());
                    possible.add(now);
                }
                client.send(requests.toString());
                for (int count : replies) {
                    acknowledge(client, count);
                }
            }
        } catch (IOException ended) {
            // The node was killed.
        }
    }

    private void acknowledge(RespClient client, int replies) throws IOException {
        for (int i = 0; i < replies; i++) {
            assertThat(client.reply()).matches(":[0-9]+|OK|QUEUED|\\[:.*]");
        }
        possible.removeFirst();
    }

    /** The requests of a change: one, or a transaction. */
    private List<String> change() {
        number++;
        String value = number + "-" + "abcdefghij".repeat(random.nextInt(30));
        int what = random.nextInt(5);
        if (what == 0) {
            now = NOTHING;
            return List.of(RespClient.request("DEL", name));
        }
        if (what == 1) {
            now = BUCKET;
            return List.of(
                    RespClient.request("MULTI"),
                    RespClient.request("DEL", name),
                    RespClient.request("HSET", name, "field", value),
                    RespClient.request("EXEC"));
        }
        if (what == 2 && !now.equals(BUCKET)) {
            String before = now.equals(NOTHING) ? "" : now.substring(1, now.length() - 1);
            now = '"' + before + '+' + '"';
            return List.of(RespClient.request("APPEND", name, "+"));
        }
        now = '"' + value + '"';
        return List.of(RespClient.request("SET", name, value));
    }

    /** Checks what the name holds, which counts as acknowledged from then on. */
    public void check(RespClient client) throws IOException {
        String held = client.ask("GET", name);
        assertThat(possible).as("what %s may hold", name).contains(held);
        now = held;
        possible.clear();
        possible.add(held);
    }
}
