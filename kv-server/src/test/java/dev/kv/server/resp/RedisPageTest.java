package dev.kv.server.resp;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

final class RedisPageTest {
    private static final Path PAGE = Path.of("..", "docs", "redis.md");

    /** A row begins with the command; what is behind it, how the command differs from Redis, is for people alone. */
    @Test
    void thePageForUsersOfRedisListsTheCommandsOfTheTableWithTheirArguments() throws IOException {
        List<String> listed = Files.readAllLines(PAGE).stream()
                .filter(line -> line.startsWith("| `"))
                .map(line -> line.substring(0, line.indexOf("` |") + 3))
                .toList();
        assertThat(listed)
                .containsExactlyElementsOf(RespCommand.all()
                        .filter(row -> row.subcommands().isEmpty() || row.arity() == -1)
                        .filter(row -> !row.name().endsWith("|help"))
                        .map(row -> "| `" + row.syntax().shown().replace("|", "\\|") + "` |")
                        .toList());
    }
}
