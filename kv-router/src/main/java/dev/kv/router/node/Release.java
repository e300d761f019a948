package dev.kv.router.node;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.kv.router.config.BadStart;
import dev.kv.router.spi.Door;
import dev.kv.router.spi.Engine;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Properties;
import java.util.ServiceLoader;

/**
 * The contents of a release, which define the role of its nodes.
 *
 * @param engine the storage, if the release keeps data
 * @param door the listener for clients, if the release has one
 * @param version the version of the umbrella
 * @param commit the commit that it was built from
 */
public record Release(Optional<Engine> engine, Optional<Door> door, String version, String commit) {
    private static final String UNKNOWN = "unknown";

    /** The release of this process: the services on its class path, and the contents of the file RELEASE in {@code home}. */
    public static Release of(Path home) {
        Properties facts = new Properties();
        Path file = home.resolve("RELEASE");
        try (BufferedReader reader = Files.newBufferedReader(file, UTF_8)) {
            facts.load(reader);
        } catch (NoSuchFileException e) {
            facts.setProperty("version", "development");
        } catch (IOException | IllegalArgumentException e) {
            throw new BadStart(file + " cannot be read: unpack the release again", e);
        }
        return new Release(
                ServiceLoader.load(Engine.class).findFirst(),
                ServiceLoader.load(Door.class).findFirst(),
                facts.getProperty("version", UNKNOWN),
                facts.getProperty("commit", UNKNOWN));
    }

    /** {@code combined}, {@code storage}, {@code server}, or {@code router} with neither storage nor a door for clients. */
    public String role() {
        if (engine.isPresent()) {
            return door.isPresent() ? "combined" : "storage";
        }
        return door.isPresent() ? "server" : "router";
    }
}
