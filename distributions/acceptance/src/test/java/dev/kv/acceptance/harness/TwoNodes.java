package dev.kv.acceptance.harness;

import dev.kv.acceptance.harness.UnpackedRelease.Role;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** For tests of two nodes of the combined release that know each other's addresses, each a process that does not run yet. */
public abstract class TwoNodes {
    /** A table that names both. */
    protected static final String HALVES = "a..m=foo@h,n..z=bar@h";

    protected final UnpackedRelease release = UnpackedRelease.of(Role.COMBINED);

    @TempDir
    protected Path site;

    @AutoClose
    protected NodeProcess foo;

    @AutoClose
    protected NodeProcess bar;

    @BeforeEach
    void makeNodes() throws IOException {
        foo = new NodeProcess(release, site, "foo");
        bar = new NodeProcess(release, site, "bar");
        NodeProcess.introduce(foo, bar);
    }
}
