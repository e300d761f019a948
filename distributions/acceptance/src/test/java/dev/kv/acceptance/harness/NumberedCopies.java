package dev.kv.acceptance.harness;

import dev.kv.server.testing.RespClient;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;

/** Copies of buckets in place of the copy before, some of more keys than a turn: each is there as a whole, or not at all. */
public final class NumberedCopies extends NumberedChanges {
    private static final int MANY = 1_200;

    private final String source;
    private String now;

    public NumberedCopies(String name) {
        super(name, shown("", 0));
        this.source = name + "-source";
        this.now = shown("", 0);
    }

    @Override
    protected List<String> change() {
        int count = random.nextInt(4) == 0 ? MANY : random.nextInt(1, 12);
        String value = String.valueOf(random.nextLong());
        List<String> set = new ArrayList<>(List.of("HSET", source));
        keys(count).forEach(key -> set.addAll(List.of(key, value)));
        now = shown(value, count);
        return List.of(
                RespClient.request("DEL", source),
                RespClient.request(set.toArray(String[]::new)),
                RespClient.request("COPY", source, name, "REPLACE"));
    }

    private static List<String> keys(int count) {
        return IntStream.range(0, count).mapToObj(i -> "key-" + i).toList();
    }

    private static String shown(String value, int count) {
        List<String> values = new ArrayList<>(Collections.nCopies(count, '"' + value + '"'));
        values.addAll(Collections.nCopies(MANY - count, "nil"));
        return '[' + String.join(" ", values) + ']';
    }

    @Override
    protected String[] question() {
        List<String> words = new ArrayList<>(List.of("HMGET", name));
        words.addAll(keys(MANY));
        return words.toArray(String[]::new);
    }

    @Override
    protected String expected() {
        return now;
    }

    @Override
    protected void goOnFrom(String reply) {
        now = reply;
    }
}
