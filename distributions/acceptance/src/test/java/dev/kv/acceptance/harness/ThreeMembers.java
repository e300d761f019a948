package dev.kv.acceptance.harness;

import dev.kv.acceptance.harness.Cluster.Member;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** For tests of a {@link Cluster} of three nodes in this process, none of which runs yet. */
public abstract class ThreeMembers {
    /** A table that names all three. */
    protected static final String THIRDS = "a..i=foo@h,j..r=bar@h,s..z=baz@h";

    @AutoClose
    protected Cluster cluster;

    protected Member foo;
    protected Member bar;
    protected Member baz;

    @BeforeEach
    void makeNodes(@TempDir Path folder) throws IOException {
        cluster = new Cluster(folder, "foo", "bar", "baz");
        foo = cluster.node("foo");
        bar = cluster.node("bar");
        baz = cluster.node("baz");
    }
}
