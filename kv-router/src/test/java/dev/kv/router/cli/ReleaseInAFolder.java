package dev.kv.router.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.Config;
import dev.kv.router.admin.LocalClient;
import dev.kv.router.testing.Await;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The commands of {@code bin/kv} as processes, in a folder laid out as a release. */
@Timeout(120)
abstract class ReleaseInAFolder {
    static final Duration LIMIT = Duration.ofSeconds(30);

    @TempDir
    Path home;

    final Map<String, String> environment = new HashMap<>(Map.of("KV_NODE", "foo@h", "KV_PEER_PORT", "0"));
    final List<Process> processes = new ArrayList<>();

    /** The outcome of a command. */
    record Outcome(int status, String out, String err) {}

    @BeforeEach
    void layOutRelease() throws IOException {
        ClassCache cache = ClassCache.shared();
        writeProgram("""
                exec "%s" %s -XX:AOTCache="%s" -Xlog:aot=off -Dkv.home="%s" -cp "%s" %s "$@"
                """.formatted(
                        ClassCache.java(),
                        String.join(" ", ClassCache.FLAGS),
                        cache.file(),
                        home,
                        cache.classPath(),
                        Main.class.getName()));
        Files.createDirectory(home.resolve("config"));
    }

    void writeProgram(String script) throws IOException {
        Path program = home.resolve("bin/kv");
        Files.createDirectories(program.getParent());
        Files.writeString(program, "#!/bin/sh\n" + script);
        Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    @AfterEach
    void endProcesses() {
        processes.forEach(Process::destroyForcibly);
        status().flatMap(answer -> ProcessHandle.of(answer.getLong("pid"))).ifPresent(ProcessHandle::destroyForcibly);
    }

    Process spawn(String... words) throws IOException {
        List<String> command = new ArrayList<>(List.of(home.resolve("bin/kv").toString()));
        command.addAll(List.of(words));
        ProcessBuilder builder = new ProcessBuilder(command)
                .directory(home.toFile())
                .redirectOutput(printed(processes.size(), "out").toFile())
                .redirectError(printed(processes.size(), "err").toFile());
        builder.environment().keySet().removeIf(name -> name.startsWith("KV_"));
        builder.environment().putAll(environment);
        Process process = builder.start();
        processes.add(process);
        return process;
    }

    Outcome outcome(Process process) throws IOException, InterruptedException {
        assertThat(process.waitFor(LIMIT.toSeconds(), TimeUnit.SECONDS)).isTrue();
        int number = processes.indexOf(process);
        return new Outcome(
                process.exitValue(),
                Files.readString(printed(number, "out"), UTF_8),
                Files.readString(printed(number, "err"), UTF_8));
    }

    /** The output of the process with this id. */
    Path printed(int number, String stream) {
        return home.resolve(stream + number);
    }

    Outcome kv(String... words) throws IOException, InterruptedException {
        return outcome(spawn(words));
    }

    Path folder() {
        return home.resolve("nodes/foo@h");
    }

    Optional<Config> status() {
        return LocalClient.ask(folder(), "status", LIMIT).document();
    }

    boolean runs() {
        return status().filter(answer -> answer.getString("state").equals("running"))
                .isPresent();
    }

    static void signal(long pid, String name) throws IOException, InterruptedException {
        Process kill = new ProcessBuilder("/bin/sh", "-c", "kill -%s %d".formatted(name, pid)).start();
        assertThat(kill.waitFor()).isZero();
    }

    Process run() throws Exception {
        Process process = spawn("run");
        Await.until(this::runs);
        return process;
    }
}
