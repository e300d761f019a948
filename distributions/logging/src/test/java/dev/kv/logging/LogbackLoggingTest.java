package dev.kv.logging;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.config.BadStart;
import dev.kv.router.spi.Logging;
import dev.kv.router.spi.Logging.Level;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

class LogbackLoggingTest {
    private static final String LINE = "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z ";

    private final Logging logging =
            ServiceLoader.load(Logging.class).findFirst().orElseThrow();
    private final PrintStream realOut = System.out;
    private final PrintStream realErr = System.err;
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    @TempDir
    private Path folder;

    @BeforeEach
    void listen() {
        System.setOut(new PrintStream(out, true, UTF_8));
        System.setErr(new PrintStream(err, true, UTF_8));
    }

    @AfterEach
    void giveBack() {
        System.setOut(realOut);
        System.setErr(realErr);
        // Lets go of files.
        logging.start(Level.OFF, Map.of(), Optional.empty());
    }

    private static void log(String logger, String message) {
        LoggerFactory.getLogger(logger).info(message);
    }

    @Test
    void writesToStandardErrorAndNothingElsewhere() {
        logging.start(Level.INFO, Map.of(), Optional.empty());

        log("dev.kv.router.node.Node", "foo@h runs");
        LoggerFactory.getLogger("dev.kv.router.node.Node").debug("too much");

        assertThat(err.toString(UTF_8)).matches(LINE + "INFO  dev.kv.router.node.Node: foo@h runs\n");
        assertThat(out.toString(UTF_8)).isEmpty();
    }

    @Test
    void loggersHaveLevelsOfTheirOwn() {
        logging.start(Level.WARN, Map.of("org.library.Noisy", Level.OFF, "dev.kv", Level.TRACE), Optional.empty());

        LoggerFactory.getLogger("org.library.Noisy").error("unheard");
        log("org.library", "unheard too");
        LoggerFactory.getLogger("dev.kv.storage").trace("heard");

        assertThat(err.toString(UTF_8)).matches(LINE + "TRACE dev.kv.storage: heard\n");
    }

    @Test
    void writesToAFileInTheFolder() throws Exception {
        logging.start(Level.INFO, Map.of(), Optional.of(folder));

        log("dev.kv.Node", "to the file");

        assertThat(Files.readString(folder.resolve("kv.log"))).matches(LINE + "INFO  dev.kv.Node: to the file\n");
        assertThat(err.toString(UTF_8)).isEmpty();
        assertThat(out.toString(UTF_8)).isEmpty();
    }

    @Test
    void goesOnWithTheFileThatIsThere() throws Exception {
        Files.writeString(folder.resolve("kv.log"), "yesterday\n");

        logging.start(Level.INFO, Map.of(), Optional.of(folder));
        log("dev.kv.Node", "today");

        assertThat(folder.resolve("kv.log")).content().startsWith("yesterday\n").endsWith("today\n");
    }

    @Test
    void filesAreBoundedInSizeAndNumber() throws Exception {
        logging.start(Level.INFO, Map.of(), Optional.of(folder));
        String large = "x".repeat(1 << 20);

        for (int i = 0; i < 200; i++) {
            log("dev.kv.Node", large);
        }

        try (Stream<Path> files = Files.list(folder)) {
            assertThat(files.toList())
                    .hasSizeLessThanOrEqualTo(10)
                    .contains(folder.resolve("kv.log"), folder.resolve("kv.log.1"), folder.resolve("kv.log.9"))
                    .allSatisfy(file -> assertThat(Files.size(file)).isLessThan(20L << 20));
        }
    }

    @Test
    void aFolderThatCannotBeWrittenEndsTheStart() throws Exception {
        Path file = Files.writeString(folder.resolve("file"), "in the way");

        assertThatThrownBy(() -> logging.start(Level.INFO, Map.of(), Optional.of(file)))
                .isInstanceOf(BadStart.class)
                .hasMessage("kv.node.dir: cannot write the log in " + file);
        assertThat(out.toString(UTF_8)).isEmpty();
    }
}
