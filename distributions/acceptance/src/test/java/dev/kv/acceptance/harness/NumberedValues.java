package dev.kv.acceptance.harness;

import dev.kv.server.testing.RespClient;
import java.util.List;

/** Changes of a value, which a bucket or nothing may take the place of. */
public final class NumberedValues extends NumberedChanges {
    /** The replies to {@code GET} if the name holds a bucket, and if it holds nothing. */
    private static final String BUCKET = "WRONGTYPE Operation against a key holding the wrong kind of value";

    private static final String NOTHING = "nil";

    private String now = NOTHING;

    public NumberedValues(String name) {
        super(name, NOTHING);
    }

    @Override
    protected List<String> change() {
        String value = nextValue();
        int what = random.nextInt(5);
        if (what == 0) {
            now = NOTHING;
            return List.of(RespClient.request("DEL", name));
        }
        if (what == 1) {
            now = BUCKET;
            return transaction(RespClient.request("DEL", name), RespClient.request("HSET", name, "field", value));
        }
        if (what == 2 && !now.equals(BUCKET)) {
            String before = now.equals(NOTHING) ? "" : now.substring(1, now.length() - 1);
            now = '"' + before + '+' + '"';
            return List.of(RespClient.request("APPEND", name, "+"));
        }
        now = '"' + value + '"';
        return List.of(RespClient.request("SET", name, value));
    }

    @Override
    protected String[] question() {
        return new String[] {"GET", name};
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
