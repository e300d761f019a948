package dev.kv.acceptance.harness;

import dev.kv.server.testing.RespClient;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Changes of the times at which keys of one bucket expire, several keys at once. Each time is far away and no other change has it, or has
 * passed by the next {@link #check}.
 */
public final class NumberedFieldTimes extends NumberedChanges {
    /** The parts of a reply to {@code HPEXPIRETIME} for a key that does not expire, and for one that is not there. */
    private static final String NEVER = ":-1";

    private static final String NOTHING = ":-2";

    private static final int KEYS = 12;

    /** Milliseconds since 1970 of the first time: the year 2100. */
    private static final long FIRST_MILLIS = 4_102_444_800_000L;

    private long lastMillis = FIRST_MILLIS;

    /** The part of the reply for each key. */
    private List<String> times = new ArrayList<>(Collections.nCopies(KEYS, NOTHING));

    public NumberedFieldTimes(String bucket) {
        super(bucket, shown(Collections.nCopies(KEYS, NOTHING)));
    }

    @Override
    protected List<String> change() {
        int from = random.nextInt(KEYS - 1);
        int to = random.nextInt(from + 2, KEYS + 1);
        String time = String.valueOf(++lastMillis);
        // What expires soon may be there or gone: only a change that asks for nothing follows it.
        return switch (random.nextInt(times.subList(from, to).contains(NOTHING) ? 4 : 6)) {
            case 0 -> List.of(set(NEVER, from, to, "HSET", name));
            case 1 -> transaction(set(NEVER, from, to, "HSET", name), change(':' + time, from, to, "HPEXPIREAT", time));
            case 2 ->
                List.of(set(':' + time, from, to, "HSETEX", name, "PXAT", time, "FIELDS", String.valueOf(to - from)));
            case 3 -> List.of(change(NOTHING, from, to, "HPEXPIREAT", soon()));
            case 4 -> List.of(change(':' + time, from, to, "HPEXPIREAT", time));
            default -> List.of(change(NEVER, from, to, "HPERSIST"));
        };
    }

    /** A request that gives these keys a value. */
    private String set(String after, int from, int to, String... words) {
        List<String> request = new ArrayList<>(List.of(words));
        String value = nextValue();
        for (int i = from; i < to; i++) {
            request.addAll(List.of("key-" + i, value));
            times.set(i, after);
        }
        return RespClient.request(request.toArray(String[]::new));
    }

    /** A request that changes the time of these keys, as far as they are there. */
    private String change(String after, int from, int to, String command, String... options) {
        List<String> request = new ArrayList<>(List.of(command, name));
        request.addAll(List.of(options));
        request.addAll(List.of("FIELDS", String.valueOf(to - from)));
        for (int i = from; i < to; i++) {
            request.add("key-" + i);
            times.set(i, times.get(i).equals(NOTHING) ? NOTHING : after);
        }
        return RespClient.request(request.toArray(String[]::new));
    }

    @Override
    protected String[] question() {
        List<String> words = new ArrayList<>(List.of("HPEXPIRETIME", name, "FIELDS", String.valueOf(KEYS)));
        IntStream.range(0, KEYS).forEach(i -> words.add("key-" + i));
        return words.toArray(String[]::new);
    }

    @Override
    protected String expected() {
        return shown(times);
    }

    private static String shown(List<String> times) {
        return '[' + String.join(" ", times) + ']';
    }

    @Override
    protected void goOnFrom(String reply) {
        times = new ArrayList<>(List.of(reply.substring(1, reply.length() - 1).split(" ", -1)));
    }
}
