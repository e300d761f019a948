package dev.kv.acceptance.harness;

import dev.kv.server.testing.RespClient;
import java.util.List;

/**
 * Changes of the time at which a value expires. Each time is far away and no other change has it, or has passed by the next
 * {@link #check}.
 */
public final class NumberedTimes extends NumberedReplies {
    /** The replies to {@code PEXPIRETIME} of a value that does not expire, and of a name that holds nothing. */
    private static final String NEVER = ":-1";

    private static final String NOTHING = ":-2";

    /** Milliseconds since 1970 of the first time: the year 2100. */
    private static final long FIRST_MILLIS = 4_102_444_800_000L;

    private long lastMillis = FIRST_MILLIS;

    public NumberedTimes(String name) {
        super(name, "PEXPIRETIME", NOTHING);
    }

    @Override
    protected List<String> change() {
        String time = String.valueOf(++lastMillis);
        String value = nextValue();
        // What expires soon may be there or gone for the next change: only a change that asks for nothing follows it.
        return switch (random.nextInt(now.equals(NOTHING) ? 5 : 8)) {
            case 0 -> ends(NOTHING, RespClient.request("SET", name, value, "PXAT", soon()));
            case 1 -> ends(NOTHING, RespClient.request("DEL", name));
            case 2 -> ends(NEVER, RespClient.request("SET", name, value));
            case 3 -> {
                now = ':' + time;
                yield transaction(RespClient.request("SET", name, value), RespClient.request("PEXPIREAT", name, time));
            }
            case 4 -> ends(':' + time, RespClient.request("SET", name, value, "PXAT", time));
            case 5 -> ends(NEVER, RespClient.request("PERSIST", name));
            case 6 -> ends(now, RespClient.request("APPEND", name, "+"));
            default -> ends(':' + time, RespClient.request("PEXPIREAT", name, time));
        };
    }
}
