package dev.kv.router.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.ConfigFactory;
import dev.kv.router.admin.LocalAnswer;
import dev.kv.router.node.NodeFolder;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RemoteTest {
    @TempDir
    private Path folder;

    private void assertFails(LocalAnswer answer, String why) {
        assertThatThrownBy(() -> new Remote("foo@h", folder).documentOf(answer))
                .isInstanceOf(CommandFailed.class)
                .hasMessage(why, folder, ProcessHandle.current().pid());
    }

    @Test
    void theDocumentOfTheNodeIsReturned() {
        assertThat(new Remote("foo@h", folder)
                        .documentOf(new LocalAnswer.Document(ConfigFactory.parseString("{keys: 3}")))
                        .getInt("keys"))
                .isEqualTo(3);
    }

    @Test
    void aRefusalHasTheReasonOfTheNode() {
        assertFails(
                new LocalAnswer.Refused("no space left for /data: delete keys"),
                "foo@h: no space left for /data: delete keys");
    }

    @Test
    void onlyANodeThatRunsAndIsSilentIsToBeKilled() throws IOException {
        try (NodeFolder _ = NodeFolder.hold(folder).orElseThrow()) {
            assertFails(
                    new LocalAnswer.Silent(),
                    "foo@h runs in %s but does not answer: see its log; `kill -9 %d` ends it");
            assertFails(
                    new LocalAnswer.Broken("no answer came"),
                    "foo@h closed the connection before its answer (no answer came), so the command may have been executed in whole or in part: see its log");
            assertFails(
                    new LocalAnswer.Absent(),
                    "foo@h runs in %s but has no socket there, as at the begin of a start and the end of a stop: try again;"
                            + " where that stays so, `kill %d` stops it");
        }
        assertFails(new LocalAnswer.Absent(), "foo@h is not running in %s");
        assertFails(
                new LocalAnswer.Broken("no answer came"),
                "foo@h closed the connection before its answer (no answer came), so the command may have been executed in whole or in part: it no longer"
                        + " runs");
    }
}
