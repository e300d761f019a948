package dev.kv.router;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OperatorErrorTest {
    private static final String USER = System.getProperty("user.name");

    @Test
    void whoMayNotUseAFileOfAnotherUserIsToldWhoseItIs(@TempDir Path folder) throws Exception {
        assumeTrue(USER.equals("root"), "only root can give a file to another user");
        Path of = Files.createDirectory(folder.resolve("of-nobody"));
        Files.setOwner(of, of.getFileSystem().getUserPrincipalLookupService().lookupPrincipalByName("nobody"));

        assertThat(OperatorError.reason(new AccessDeniedException(of + "/lock")))
                .isEqualTo("permission denied: " + of + " belongs to user nobody, and this is user root");
    }

    @Test
    void whoMayNotUseAnOwnFileIsToldNoMore(@TempDir Path folder) {
        assertThat(OperatorError.reason(new AccessDeniedException(folder.toString())))
                .isEqualTo("permission denied");
    }
}
