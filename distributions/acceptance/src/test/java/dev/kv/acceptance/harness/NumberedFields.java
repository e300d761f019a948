package dev.kv.acceptance.harness;

import dev.kv.server.testing.RespClient;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/** Changes of several keys of one bucket at once. */
public final class NumberedFields extends NumberedChanges {
    private static final int KEYS = 12;

    private Map<String, String> content = new HashMap<>();

    public NumberedFields(String bucket) {
        super(bucket, shown(Map.of()));
    }

    @Override
    protected List<String> change() {
        return switch (random.nextInt(4)) {
            case 0 -> transaction(delete(), set());
            case 1 -> {
                content.clear();
                yield transaction(RespClient.request("DEL", name), set());
            }
            case 2 -> transaction(set(), set(), delete());
            default -> List.of(set());
        };
    }

    private String set() {
        String value = nextValue();
        List<String> words = new ArrayList<>(List.of("HSET", name));
        for (String key : keys()) {
            words.addAll(List.of(key, value));
            content.put(key, value);
        }
        return RespClient.request(words.toArray(String[]::new));
    }

    private String delete() {
        List<String> words = new ArrayList<>(List.of("HDEL", name));
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

    @Override
    protected String[] question() {
        List<String> words = new ArrayList<>(List.of("HMGET", name));
        IntStream.range(0, KEYS).forEach(i -> words.add("key-" + i));
        return words.toArray(String[]::new);
    }

    @Override
    protected String expected() {
        return shown(content);
    }

    private static String shown(Map<String, String> content) {
        return IntStream.range(0, KEYS)
                .mapToObj(i -> content.get("key-" + i))
                .map(value -> value == null ? "nil" : '"' + value + '"')
                .toList()
                .toString()
                .replace(",", "");
    }

    @Override
    protected void goOnFrom(String reply) {
        content = new HashMap<>();
        String[] values = reply.substring(1, reply.length() - 1).split(" ", -1);
        for (int i = 0; i < KEYS; i++) {
            if (!values[i].equals("nil")) {
                content.put("key-" + i, values[i].replace("\"", ""));
            }
        }
    }
}
