package dev.kv.acceptance.harness;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.testing.Await;
import dev.kv.server.testing.LineClient;
import java.io.IOException;

/** Requests of lines, and what they are answered. */
public final class Requests {
    /** Creates, writes and reads a bucket of each half of the alphabet: a transcript. */
    public static final String BOTH_HALVES = """
            > CREATE apples-\\i
            > CREATE nuts-\\i
            > PUT apples-\\i k here
            > PUT nuts-\\i k there
            > GET apples-\\i k
            > GET nuts-\\i k
            < OK
            < OK
            < OK
            < OK
            < here
            < OK
            < there
            < OK
            """;

    private Requests() {}

    /** Creates the bucket, writes to it and reads it. */
    public static void assertServes(LineClient client, String bucket) throws IOException {
        assertThat(client.ask("CREATE " + bucket)).isEqualTo("OK");
        assertThat(client.ask("PUT " + bucket + " k v")).isEqualTo("OK");
        assertThat(client.ask("GET " + bucket + " k")).isEqualTo("v");
        assertThat(client.line()).isEqualTo("OK");
    }

    /** Likewise, with a client of its own. */
    public static void assertServes(NodeProcess node, String bucket) throws IOException {
        try (LineClient client = node.connect()) {
            assertServes(client, bucket);
        }
    }

    /** Repeats the request until this is its answer. */
    public static void awaitAnswer(LineClient client, String request, String answer) throws Exception {
        Await.until(
                request + " is answered with " + answer,
                () -> client.ask(request).equals(answer));
    }

    /** Creates the bucket as soon as that works. */
    public static void awaitServed(LineClient client, String bucket) throws Exception {
        awaitAnswer(client, "CREATE " + bucket, "OK");
    }

    /** Sends all requests, with a bar between them, at once, and checks the lines that come back. */
    public static void assertReplies(LineClient client, String requests, String... lines) throws IOException {
        client.send(requests.replace("|", "\r\n") + "\r\n");
        assertLines(client, lines);
    }

    /** Checks the next lines. */
    public static void assertLines(LineClient client, String... lines) throws IOException {
        for (String line : lines) {
            assertThat(client.line()).isEqualTo(line);
        }
    }
}
