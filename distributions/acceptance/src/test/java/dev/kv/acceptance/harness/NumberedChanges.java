package dev.kv.acceptance.harness;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.server.testing.RespClient;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * A client that pipelines changes, each of several keys of one bucket, and remembers which were acknowledged. The bucket must hold
 * the content after the last acknowledged change or after a later one, and never a part of a change. One thread at a time.
 */
public final class NumberedChanges {
    private static final int KEYS = 12;
    private static final int AHEAD_MAX = 4;

    private final String bucket;
    private final Random random = new Random();
    private Map<String, String> content = new HashMap<>();

    /** The content after the last acknowledged change and after each later one, as {@link #shown} prints it. */
    private final List<String> possible = new ArrayList<>(List.of(shown(content)));

    private long number;

    public NumberedChanges(String bucket) {
        this.bucket = bucket;
    }

    /** Changes the bucket until the connection ends. */
    public void writeOn(RespClient client) {
        try {
            while (true) {
                List<Integer> replies = new ArrayList<>();
                StringBuilder requests = new StringBuilder();
                for (int i = random.nextInt(AHEAD_MAX); i >= 0; i--) {
                    List<String> change = change();
                    change.forEach(requests::append);
                    replies.add(change.size());
                    possible.add(shown(content));
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
        return switch (random.nextInt(4)) {
            case 0 -> batch(delete(), set());
            case 1 -> {
                content.clear();
                yield batch(RespClient.request("DEL", bucket), set());
            }
            case 2 -> batch(set(), set(), delete());
            default -> List.of(set());
        };
    }

    private static List<String> batch(String... requests) {
        List<String> batch = new ArrayList<>(List.of(requests));
        batch.addFirst(RespClient.request("MULTI"));
        batch.addLast(RespClient.request("EXEC"));
        return batch;
    }

    private String set() {
        number++;
        List<String> words = new ArrayList<>(List.of("HSET", bucket));
        for (String key : keys()) {
            String value = number + "-" + "abcdefghij".repeat(random.nextInt(30));
            words.addAll(List.of(key, value));
            content.put(key, value);
        }
        return RespClient.request(words.toArray(String[]::new));
    }

    private String delete() {
        List<String> words = new ArrayList<>(List.of("HDEL", bucket));
        words.addAll(keys());
        words.forEach(content::remove);
        return RespClient.request(words.toArray(String[]::new));
    }

    /** At least two keys. */
    private List<String> keys() {
        int from = random.nextInt(KEYS - 1);
        return IntStream.rangeClosed(from, random.nextInt(from + 1, KEYS))
                .mapToObj(i -> "key-" + i)
                .toList();
    }

    /** The values of all keys as a reply to {@code HMGET}. */
    private static String shown(Map<String, String> content) {
        return IntStream.range(0, KEYS)
                .mapToObj(i -> content.get("key-" + i))
                .map(value -> value == null ? "nil" : '"' + value + '"')
                .toList()
                .toString()
                .replace(",", "");
    }

    /** Checks the content of the bucket, which counts as acknowledged from then on. */
    public void check(RespClient client) throws IOException {
        List<String> words = new ArrayList<>(List.of("HMGET", bucket));
        IntStream.range(0, KEYS).forEach(i -> words.add("key-" + i));
        String held = client.ask(words.toArray(String[]::new));
        assertThat(possible).as("what %s may hold", bucket).contains(held);
        content = parsed(held);
        possible.clear();
        possible.add(held);
    }

    private static Map<String, String> parsed(String held) {
        Map<String, String> content = new HashMap<>();
        String[] values = held.substring(1, held.length() - 1).split(" ", -1);
        for (int i = 0; i < KEYS; i++) {
            if (!values[i].equals("nil")) {
                content.put("key-" + i, values[i].replace("\"", ""));
            }
        }
        return content;
    }
}
