package dev.kv.acceptance.harness;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;

/** A cookie file, as nodes take it: only its owner may read it. */
public final class SecretFile {
    /** What the nodes of {@link NodeProcess} and {@link Cluster} have in their cookie files. */
    static final String SHARED = "the secret of all nodes here";

    private SecretFile() {}

    public static void write(Path file, String secret) throws IOException {
        Files.createFile(file, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        Files.writeString(file, secret + "\n", UTF_8);
    }
}
