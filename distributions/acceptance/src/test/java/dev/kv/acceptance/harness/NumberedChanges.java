package dev.kv.acceptance.harness;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.testing.Await;
import dev.kv.server.testing.RespClient;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * A client that pipelines changes of what one name holds, and remembers which were acknowledged. The name must hold what it held after the
 * last acknowledged change or after a later one, and never a part of a change. One thread at a time.
 */
public abstract class NumberedChanges {
    private static final int AHEAD_MAX = 4;

    /** About as long as a node takes to start again. */
    private static final int SOON_MAX_MILLIS = 1_500;

    protected final String name;
    protected final Random random = new Random();

    /** The replies to the {@link #question} after the last acknowledged change and after each later one. */
    private final List<String> possible = new ArrayList<>();

    private long number;

    /** When the last of all that expires soon does, in milliseconds since 1970. */
    private long soonMillis;

    /**
     * @param nothing the reply to the {@link #question} before the first change
     */
    protected NumberedChanges(String name, String nothing) {
        this.name = name;
        possible.add(nothing);
    }

    /** The requests of one more change: one, or a transaction. */
    protected abstract List<String> change();

    /** What asks for all that the name holds. */
    protected abstract String[] question();

    /** The reply to the {@link #question} after the last {@link #change}. */
    protected abstract String expected();

    /** Goes on from another reply to the {@link #question}. */
    protected abstract void goOnFrom(String reply);

    /** A value that no other change has. */
    protected String nextValue() {
        return ++number + "-" + "abcdefghij".repeat(random.nextInt(30));
    }

    /** A time, in milliseconds since 1970, that passes before the next {@link #check}: mostly while the node is down. */
    protected final String soon() {
        long millis = System.currentTimeMillis() + random.nextInt(SOON_MAX_MILLIS);
        soonMillis = Math.max(soonMillis, millis);
        return String.valueOf(millis);
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
                    possible.add(expected());
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
            assertThat(client.reply()).matches(":[0-9]+|OK|QUEUED|\\[(OK|:).*]");
        }
        possible.removeFirst();
    }

    /** Checks what the name holds, which counts as acknowledged from then on. */
    public void check(RespClient client) throws Exception {
        Await.until("all that expires soon has expired", () -> System.currentTimeMillis() >= soonMillis);
        String held = client.ask(question());
        assertThat(possible).as("what %s may hold", name).contains(held);
        goOnFrom(held);
        possible.clear();
        possible.add(held);
    }

    /** The requests as a transaction. */
    protected static List<String> transaction(String... requests) {
        List<String> transaction = new ArrayList<>(List.of(requests));
        transaction.addFirst(RespClient.request("MULTI"));
        transaction.addLast(RespClient.request("EXEC"));
        return transaction;
    }
}
