package dev.kv.router.cli;

import com.typesafe.config.Config;
import dev.kv.router.Bytes;
import dev.kv.router.admin.LocalAnswer;
import dev.kv.router.admin.LocalClient;
import dev.kv.router.admin.NodeState;
import dev.kv.router.config.Settings;
import dev.kv.router.node.NodeFolder;
import dev.kv.router.node.NodeSettings;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/**
 * The node of a configuration, in its own process, running or not.
 *
 * @param name its name
 * @param folder its folder
 */
record Remote(String name, Path folder) {
    /** How long a node may take for an answer that needs no work. It answers even when its ports are overloaded, so this is no key. */
    private static final Duration ANSWER_MAX = Duration.ofSeconds(10);

    /** The same while it also reads or writes all its data, in which a busy host may delay it. */
    private static final Duration SILENCE_MAX = Duration.ofSeconds(30);

    static Remote of(Settings settings) {
        return new Remote(NodeSettings.name(settings), NodeSettings.folder(settings));
    }

    /** The status document of the node. */
    LocalAnswer status() {
        return LocalClient.ask(folder, "status", ANSWER_MAX);
    }

    /** Whether the node has started and is not stopping. */
    boolean isRunning() {
        return status().document().filter(Remote::isRunning).isPresent();
    }

    /** Whether this is the status document of a node that has started and is not stopping. */
    static boolean isRunning(Config status) {
        return status.getString("state").equals(NodeState.Stage.RUNNING.text());
    }

    /** Asks the node to stop, and returns how long that may take; empty if it does not run. */
    Optional<Duration> askToStop() {
        LocalAnswer answer = LocalClient.ask(folder, "stop", ANSWER_MAX);
        if (answer instanceof LocalAnswer.Silent) {
            throw silent("; else it stops when it answers again");
        }
        return answer.document().isEmpty() && !runs()
                ? Optional.empty()
                : Optional.of(Duration.ofMillis(documentOf(answer).getLong("drainMillis")));
    }

    /** The path of a request, from the node. */
    Config route(Bytes bucket, Duration timeout) {
        return documentOf(
                LocalClient.ask(folder, "route " + bucket.printable(Integer.MAX_VALUE), timeout.plus(ANSWER_MAX)));
    }

    /**
     * Sends a command that may take long, to a node that answers.
     *
     * @param input the bytes that the node may read
     * @param output where the bytes that it sends are written
     */
    Config ask(String line, InputStream input, OutputStream output) {
        Config _ = documentOf(status());
        return documentOf(LocalClient.askLong(folder, line, SILENCE_MAX, input, output));
    }

    /** The document of the answer; a {@link CommandFailed} with the reason if there is none. */
    Config documentOf(LocalAnswer answer) {
        return switch (answer) {
            case LocalAnswer.Document document -> document.content();
            case LocalAnswer.Refused refused -> throw new CommandFailed(name + ": " + refused.why());
            case LocalAnswer.Broken broken ->
                throw new CommandFailed(name + " closed the connection before its answer (" + broken.how()
                        + "), so the command may have been executed in whole or in part: "
                        + (runs() ? "see its log" : "it no longer runs"));
            case LocalAnswer.Silent _ -> throw silent("");
            case LocalAnswer.Absent _ ->
                throw new CommandFailed(
                        runs()
                                ? name + " runs in " + folder
                                        + " but has no socket there, as at the begin of a start and the end"
                                        + " of a stop: try again; where that stays so, `kill " + pid() + "` stops it"
                                : name + " is not running in " + folder);
        };
    }

    /**
     * The failure of a command to whom the node did not answer in time.
     *
     * @param more what else there is to know
     */
    CommandFailed silent(String more) {
        return new CommandFailed(name + " runs in " + folder + " but does not answer: see its log; `kill -9 " + pid()
                + "` ends it" + more);
    }

    /** Whether it runs, whether it answers or not. */
    boolean runs() {
        return NodeFolder.isHeld(folder);
    }

    String pid() {
        return NodeFolder.pid(folder);
    }
}
