package dev.kv.router.cli;

import com.typesafe.config.Config;
import dev.kv.router.Bytes;
import dev.kv.router.admin.LocalSocket;
import dev.kv.router.admin.NodeState;
import dev.kv.router.config.BadStart;
import dev.kv.router.config.Settings;
import dev.kv.router.node.NodeFolder;
import dev.kv.router.node.NodeSettings;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/**
 * The node of a configuration, in whatever process it runs or would run.
 *
 * @param name its name
 * @param folder its folder
 */
record Remote(String name, Path folder) {
    /** A node answers these at once, unless its host is very busy. */
    private static final Duration TIMEOUT = Duration.ofSeconds(10);

    /** What reads or writes all that a node has. */
    private static final Duration LONG_TIMEOUT = Duration.ofDays(1);

    static Remote of(Settings settings) {
        return new Remote(NodeSettings.name(settings), NodeSettings.folder(settings));
    }

    /** What the node says of itself; empty if it does not run, or does not answer. */
    Optional<Config> status() {
        return LocalSocket.ask(folder, "status", TIMEOUT);
    }

    /** Whether that is what a node says that has started, and is not stopping. */
    static boolean isRunning(Config status) {
        return status.getString("state").equals(NodeState.Stage.RUNNING.text());
    }

    /** Has the node stop, and tells how long that may take; empty if it does not run, or does not answer. */
    Optional<Duration> askToStop() {
        return LocalSocket.ask(folder, "stop", TIMEOUT).map(answer -> Duration.ofMillis(answer.getLong("drainMillis")));
    }

    /** The way of a request, as the node tells it; empty if it does not run, or does not answer. */
    Optional<Config> route(Bytes bucket, Duration timeout) {
        return LocalSocket.ask(folder, "route " + bucket.printable(Integer.MAX_VALUE), timeout.plus(TIMEOUT));
    }

    /**
     * Has the node do something with its buckets that may take long.
     *
     * @param input what it may ask for
     * @param output where what it sends goes
     * @throws BadStart if it cannot be done, or the node does not run or does not answer
     */
    Config ask(String line, InputStream input, OutputStream output) {
        Config answer =
                LocalSocket.ask(folder, line, LONG_TIMEOUT, input, output).orElseThrow(this::silent);
        if (answer.hasPath("refusal")) {
            throw new BadStart(name + ": " + answer.getString("refusal"));
        }
        return answer;
    }

    /** Whether it runs, answering or not. */
    boolean runs() {
        return NodeFolder.isHeld(folder);
    }

    String pid() {
        return NodeFolder.pid(folder);
    }

    /** Why a command fails that got no answer. */
    BadStart silent() {
        return runs()
                ? new BadStart(name + " runs in " + folder + " but does not answer: see its log; `kill -9 " + pid()
                        + "` ends it")
                : new BadStart(name + " is not running in " + folder);
    }
}
