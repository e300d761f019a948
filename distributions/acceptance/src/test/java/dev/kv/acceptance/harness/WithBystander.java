package dev.kv.acceptance.harness;

import java.nio.file.Path;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** For tests that attack a node while a {@link Bystander} has to be served. */
public abstract class WithBystander {
    /** The node that is attacked. */
    protected NodeProcess node;

    @AutoClose
    protected Bystander bystander;

    @BeforeEach
    void start(@TempDir Path site) throws Exception {
        bystander = new Bystander(site);
        node = bystander.node();
    }
}
