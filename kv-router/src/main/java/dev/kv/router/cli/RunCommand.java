package dev.kv.router.cli;

import dev.kv.router.node.Node;
import dev.kv.router.node.NodeFolder;
import dev.kv.router.node.NodeSettings;
import dev.kv.router.spi.Logging;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
        name = "run",
        description = "Runs the node in the foreground; SIGTERM or SIGINT stops it in order.",
        footer = {"", "Example:", "  bin/kv run -Dkv.node.name=foo@localhost -Dkv.server.port=4040"})
final class RunCommand implements Callable<Integer> {
    /** The parts stop within kv.node.drain; a part that takes longer than that and this hangs. */
    private static final Duration STOP_MARGIN = Duration.ofSeconds(5);

    @Mixin
    private Options options = new Options();

    /** Set by {@code start}. */
    @Option(names = "--background", hidden = true, description = "Logs to files in kv.node.dir.")
    private boolean background;

    private volatile Optional<Node> running = Optional.empty();

    @Override
    public Integer call() throws InterruptedException {
        Node.Ready ready = options.configure();
        if (!background) {
            options.warnOfIdleVariables();
        }
        NodeSettings settings = ready.settings();
        Optional<Path> logFolder = background ? Optional.of(NodeFolder.log(settings.folder())) : Optional.empty();
        ServiceLoader.load(Logging.class)
                .findFirst()
                .ifPresent(logging -> logging.start(settings.level(), settings.loggers(), logFolder));
        Logger log = LoggerFactory.getLogger(RunCommand.class);
        Thread.setDefaultUncaughtExceptionHandler(
                (thread, fault) -> log.error("the thread {} has ended", thread.getName(), fault));

        Thread stopping = new Thread(() -> stop(log), "kv-stop");
        Runtime.getRuntime().addShutdownHook(stopping);
        try {
            running = Optional.of(
                    ready.start(() -> Thread.ofPlatform().name("kv-stop-asked").start(() -> System.exit(0))));
        } catch (Throwable e) {
            Runtime.getRuntime().removeShutdownHook(stopping);
            throw e;
        }
        new CountDownLatch(1).await();
        return 0;
    }

    /** Stops the node in order, whatever ends the process, and then ends it with status 0. */
    private void stop(Logger log) {
        // A node that is still starting has nothing in flight, and its files survive a crash.
        if (running.isPresent()) {
            Node node = running.get();
            Duration limit = node.settings().drain();
            Thread parts = Thread.ofPlatform().daemon().start(() -> node.stop(limit));
            try {
                if (!parts.join(limit.plus(STOP_MARGIN))) {
                    log.error("a part of the node did not stop in time; ending the process without it");
                    Runtime.getRuntime().halt(1);
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        // Otherwise the status would be that of the signal, 128 + 15.
        Runtime.getRuntime().halt(0);
    }
}
