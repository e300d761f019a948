package dev.kv.acceptance.harness;

import dev.kv.server.testing.RespClient;
import java.util.List;

/** Changes of a value, which a bucket or nothing may take the place of. */
public final class NumberedValues extends NumberedReplies {
    /** The replies to {@code GET} if the name holds a bucket, and if it holds nothing. */
    private static final String BUCKET = "WRONGTYPE Operation against a key holding the wrong kind of value";

    private static final String NOTHING = "nil";

    public NumberedValues(String name) {
        super(name, "GET", NOTHING);
    }

    @Override
    protected List<String> change() {
        String value = nextValue();
        int what = random.nextInt(5);
        if (what == 0) {
            return ends(NOTHING, RespClient.request("DEL", name));
        }
        if (what == 1) {
            now = BUCKET;
            return transaction(RespClient.request("DEL", name), RespClient.request("HSET", name, "field", value));
        }
        if (what == 2 && !now.equals(BUCKET)) {
            String before = now.equals(NOTHING) ? "" : now.substring(1, now.length() - 1);
            return ends('"' + before + '+' + '"', RespClient.request("APPEND", name, "+"));
        }
        return ends('"' + value + '"', RespClient.request("SET", name, value));
    }
}
