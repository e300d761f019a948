package dev.kv.acceptance.harness;

import dev.kv.server.testing.RespClient;
import java.util.List;

/** Changes of two values at once, by transactions: each changes both, or neither. */
public final class NumberedPairs extends NumberedChanges {
    private static final String NOTHING = "[nil nil]";

    private final String other;
    private String now = NOTHING;

    public NumberedPairs(String name, String other) {
        super(name, NOTHING);
        this.other = other;
    }

    @Override
    protected List<String> change() {
        String value = nextValue();
        String shown = '"' + value + '"';
        return switch (random.nextInt(4)) {
            case 0 -> ends(shown, "nil", set(name, value), RespClient.request("DEL", other));
            case 1 -> ends("nil", shown, RespClient.request("DEL", name), set(other, value));
            case 2 -> ends("nil", "nil", RespClient.request("DEL", other), RespClient.request("DEL", name));
            default -> ends(shown, shown, set(name, value), set(other, value));
        };
    }

    private static String set(String name, String value) {
        return RespClient.request("SET", name, value);
    }

    private List<String> ends(String shown, String shownOther, String... requests) {
        now = '[' + shown + ' ' + shownOther + ']';
        return transaction(requests);
    }

    @Override
    protected String[] question() {
        return new String[] {"MGET", name, other};
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
