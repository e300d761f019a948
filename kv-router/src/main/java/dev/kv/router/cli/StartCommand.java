package dev.kv.router.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigUtil;
import dev.kv.router.OperatorError;
import dev.kv.router.admin.LocalAnswer;
import dev.kv.router.config.Settings;
import dev.kv.router.node.Node;
import dev.kv.router.node.NodeFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.locks.LockSupport;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

@Command(
        name = "start",
        description = {
            "Starts the node in the background.",
            "Returns when the node answers, or fails with the reason. After 10 minutes it",
            "fails, and the node continues to start. The folder log in kv.node.dir holds the",
            "log, kv.log, and console.log with the output of the process itself, such as a",
            "crash report.",
            "",
            "The first start from a release's folder writes runtime/kv.aot there, if it may:",
            "a cache of classes that makes later starts faster and saves memory."
        },
        footer = {"", "Example:", "  bin/kv start --config /etc/kv/foo.conf"})
final class StartCommand implements Callable<Integer> {
    /** How long the command shows the progress of the node, which continues in any case. */
    private static final Duration WAIT_MAX = Duration.ofMinutes(10);

    private static final Duration PAUSE = Duration.ofMillis(100);

    /** The states of parts that nobody needs to know of. */
    private static final Set<String> SOUND = Set.of("ok", "connected");

    /** As many lines of the output of a node that did not start; console.log has all. */
    private static final int SHOWN_LINES_MAX = 20;

    @Mixin
    private Options options = new Options();

    @Override
    public Integer call() throws IOException {
        return start(options);
    }

    static int start(Options options) throws IOException {
        Settings settings = options.settings();
        Node.Ready _ = Node.configure(settings, options.release());
        options.warnOfIdleVariables();
        Remote node = Remote.of(settings);
        LocalAnswer answer = node.status();
        if (answer instanceof LocalAnswer.Silent) {
            throw node.silent("");
        }
        Optional<Config> running = answer.document().filter(Remote::isRunning);
        if (running.isPresent()) {
            tellOf(running.get(), node);
            return 0;
        }
        AotCache.makeIfMissing(node.name());
        Path console = makeConsole(settings, NodeFolder.log(node.folder()));
        Process process = spawn(options, console);
        Optional<Config> status = awaitAnswer(node, process);
        if (status.isEmpty()) {
            tellWhy(node, process, console);
            return 1;
        }
        warnOfParts(node, status.get());
        Results.line(node.name() + " runs, process " + process.pid());
        return 0;
    }

    /** A node runs in the folder already: the one that is to be started, or another one. */
    private static void tellOf(Config running, Remote node) {
        String name = running.getString("name");
        if (!name.equals(node.name())) {
            throw new CommandFailed(name + " runs in " + node.folder() + ": " + node.name()
                    + " needs a kv.node.dir of its own, or `kv stop` there first");
        }
        Results.line(name + " is already running, process " + running.getLong("pid")
                + ", with the configuration of its start");
    }

    /** An empty file for the output of the process; the file of the previous start is kept as {@code console.log.1}. */
    private static Path makeConsole(Settings settings, Path log) {
        Path console = log.resolve("console.log");
        try {
            NodeFolder.make(log);
            if (Files.exists(console)) {
                Files.move(console, log.resolve("console.log.1"), StandardCopyOption.REPLACE_EXISTING);
            }
            return Files.createFile(console);
        } catch (IOException e) {
            throw settings.bad(
                    "kv.node.dir",
                    "cannot write in " + log + ": " + OperatorError.reason(e)
                            + "; config/kv.conf or KV_DIR names another folder");
        }
    }

    private static Process spawn(Options options, Path console) throws IOException {
        Path program = Options.home().resolve("bin/kv");
        if (!Files.isExecutable(program)) {
            throw new CommandFailed(program + " is missing or cannot be run: unpack the release again");
        }
        // The node has to survive the end of the terminal and ctrl-C; the JVM does not handle signals that were ignored
        // at its start.
        List<String> command = new ArrayList<>(List.of("/bin/sh", "-c", "trap '' HUP INT; exec \"$0\" \"$@\""));
        command.addAll(List.of(program.toString(), "run", "--background"));
        command.addAll(options.words());
        return new ProcessBuilder(command)
                .directory(Options.home().toFile())
                .redirectInput(Path.of("/dev/null").toFile())
                .redirectOutput(console.toFile())
                .redirectErrorStream(true)
                .start();
    }

    /** Says which parts are not as they should be. */
    private static void warnOfParts(Remote node, Config status) {
        status.getObject("parts").keySet().stream().sorted().forEach(part -> {
            String path = ConfigUtil.joinPath("parts", part, "state");
            if (status.hasPath(path) && !SOUND.contains(status.getString(path))) {
                System.err.println(node.name() + ": " + part + ": " + status.getString(path));
            }
        });
    }

    /** Waits until the node runs, and returns its status; empty if the process has ended before. */
    private static Optional<Config> awaitAnswer(Remote node, Process process) {
        long deadlineNanos = System.nanoTime() + WAIT_MAX.toNanos();
        String told = "";
        while (process.isAlive()) {
            Optional<Config> status = node.status().document().filter(answer -> answer.getLong("pid") == process.pid());
            if (status.filter(Remote::isRunning).isPresent()) {
                return status;
            }
            String doing = status.map(answer -> answer.getString("doing")).orElse("");
            if (!doing.isEmpty() && !doing.equals(told)) {
                System.err.println(node.name() + ": " + doing);
                told = doing;
            }
            if (System.nanoTime() - deadlineNanos > 0) {
                throw new CommandFailed(node.name() + " still starts after " + WAIT_MAX.toMinutes()
                        + " minutes, and continues: `kv status` shows its progress");
            }
            LockSupport.parkNanos(PAUSE.toNanos());
        }
        return Optional.empty();
    }

    private static void tellWhy(Remote node, Process process, Path console) throws IOException {
        List<String> lines = Files.readAllLines(console, UTF_8);
        if (lines.isEmpty()) {
            throw new CommandFailed(node.name() + " ended with status " + process.exitValue() + " without output: see "
                    + console.resolveSibling("kv.log"));
        }
        lines.subList(Math.max(0, lines.size() - SHOWN_LINES_MAX), lines.size()).forEach(System.err::println);
    }
}
