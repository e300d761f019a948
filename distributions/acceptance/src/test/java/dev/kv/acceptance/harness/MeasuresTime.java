package dev.kv.acceptance.harness;

import java.io.IOException;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** A class whose tests have limits of time so short that no other class of this module may run beside it, in any JVM. */
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
public @interface MeasuresTime {
    /**
     * Runs with every class, by {@code META-INF/services}: holds a lock on a file while the class runs, which those that measure
     * time have for themselves and all others share.
     */
    final class Turn implements BeforeAllCallback {
        @Override
        public void beforeAll(ExtensionContext context) throws IOException {
            Path file =
                    Path.of(System.getProperty("kv.releases")).toAbsolutePath().resolveSibling("turn");
            Files.createDirectories(file.getParent());
            FileChannel channel = FileChannel.open(
                    file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
            channel.lock(0, Long.MAX_VALUE, !context.getRequiredTestClass().isAnnotationPresent(MeasuresTime.class));
            // Closed with the class, and the lock with it.
            context.getStore(ExtensionContext.Namespace.create(Turn.class)).put(file, channel);
        }
    }
}
