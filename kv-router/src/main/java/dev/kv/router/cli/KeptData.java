package dev.kv.router.cli;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.kv.router.Bytes;
import dev.kv.router.admin.NodeAnswers;
import dev.kv.router.config.Settings;
import dev.kv.router.node.Release;
import dev.kv.router.spi.Engine;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Path;

/**
 * The data of a node, whether the node runs or not.
 *
 * @param node the node, which may be running
 * @param storage access to the data while the node does not run
 */
record KeptData(Remote node, Engine.Ready storage) {
    /**
     * The data of the node of the options.
     *
     * @throws CommandFailed if its release keeps no data
     */
    static KeptData of(Options options) {
        Release release = options.release();
        Engine storage = release.engine()
                .orElseThrow(() -> new CommandFailed("this is a " + release.role()
                        + " release, which keeps no data: call this in the one of a node that does"));
        Settings settings = options.settings();
        return new KeptData(Remote.of(settings), storage.configure(settings));
    }

    /** The storage of the node, which must not run. */
    Engine.Ready atRest() {
        if (node.runs()) {
            throw new CommandFailed(node.name() + " runs in " + node.folder() + ": stop it first");
        }
        return storage;
    }

    /** Backs it up, through the node if that runs; returns what {@link NodeAnswers#document} describes. */
    Config backup(Path to) {
        if (node.runs()) {
            return node.ask(
                    "backup " + Bytes.of(to.toString()).printable(Integer.MAX_VALUE),
                    InputStream.nullInputStream(),
                    OutputStream.nullOutputStream());
        }
        return ConfigFactory.parseMap(NodeAnswers.document(storage.backup(to)));
    }
}
