package dev.kv.router.node;

import com.typesafe.config.Config;
import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Limits;
import dev.kv.router.Reply;
import dev.kv.router.admin.LocalClient;
import dev.kv.router.config.Layers;
import dev.kv.router.metrics.Gauge;
import dev.kv.router.metrics.Metric;
import dev.kv.router.metrics.Unit;
import dev.kv.router.spi.Door;
import dev.kv.router.spi.Engine;
import dev.kv.router.spi.EngineFailed;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Nodes whose storage and door are stand-ins that record what is asked of them. */
@Timeout(60)
abstract class NodeOfStandIns {
    static final Duration LIMIT = Duration.ofSeconds(10);

    @TempDir
    Path home;

    final List<String> events = Collections.synchronizedList(new ArrayList<>());
    final List<Node> nodes = new ArrayList<>();

    @AfterEach
    void stopNodes() {
        nodes.forEach(node -> node.stop(Duration.ZERO));
    }

    /** A storage without buckets that records its calls. */
    Engine storage() {
        return settings -> {
            events.add("storage configured");
            return new ReadyStorage(() -> events.add("storage started"));
        };
    }

    final class ReadyStorage implements Engine.Ready {
        private final Runnable starting;

        ReadyStorage(Runnable starting) {
            this.starting = starting;
        }

        @Override
        public Engine.Open start(Limits limits, Consumer<String> doing) {
            starting.run();
            return new EmptyStorage();
        }

        @Override
        public void check(Path held) {
            events.add("storage checked beside " + held);
        }

        @Override
        public Engine.Copied backup(Path to) {
            throw new EngineFailed("there is nothing to copy");
        }

        @Override
        public Engine.Copied restore(Path from) {
            throw new EngineFailed("there is nowhere to copy to");
        }

        @Override
        public Engine.Checked verify(Optional<Path> backup, Consumer<String> doing, Consumer<Engine.Damage> found) {
            return new Engine.Checked(0, 0, 0, 0);
        }

        @Override
        public Engine.Checked repair(Consumer<String> doing, Consumer<Engine.Damage> found) {
            return new Engine.Checked(0, 0, 0, 0);
        }
    }

    final class EmptyStorage implements Engine.Open {
        @Override
        public void forEachBucket(Engine.BucketVisitor visitor) {
            // There are none.
        }

        @Override
        public Path folder() {
            return home.resolve("data");
        }

        @Override
        public Engine.Copied backup(Path to) {
            throw new EngineFailed("there is nothing to copy");
        }

        @Override
        public long exportTo(Bytes bucket, OutputStream stream) {
            throw new EngineFailed("there is no bucket " + bucket);
        }

        @Override
        public long importFrom(Bytes bucket, boolean replaces, Limits limits, InputStream stream) {
            throw new EngineFailed("there is no room for " + bucket);
        }

        @Override
        public CompletionStage<Reply> run(Command command, long takenMillis) {
            return CompletableFuture.completedFuture(Reply.NOT_FOUND);
        }

        @Override
        public List<Metric> metrics() {
            return List.of(new Gauge(Engine.BUCKETS, Unit.COUNT, "Buckets here.", () -> 0));
        }

        @Override
        public void stop(Duration limit) {
            events.add("storage stopped");
        }
    }

    /** A door that accepts nobody and records its calls. */
    Door door() {
        return settings -> {
            events.add("door configured");
            return (stores, loops, facts) -> {
                events.add("door started");
                return new ClosedDoor();
            };
        };
    }

    final class ClosedDoor implements Door.Open {
        @Override
        public InetSocketAddress address() {
            return new InetSocketAddress(InetAddress.getLoopbackAddress(), 1);
        }

        @Override
        public List<Metric> metrics() {
            return List.of(new Gauge("connections", Unit.COUNT, "Open connections.", () -> 0));
        }

        @Override
        public void stop(Duration limit) {
            events.add("door stopped");
        }
    }

    Release release(Optional<Engine> storage, Optional<Door> door) {
        return new Release(storage, door, "1.2.3", "abc");
    }

    Release combined() {
        return release(Optional.of(storage()), Optional.of(door()));
    }

    Node.Ready configure(Release release, Map<String, String> more) {
        Map<String, String> overrides = new HashMap<>();
        overrides.put("kv.node.name", "foo@h");
        overrides.put("kv.router.host", "127.0.0.1");
        overrides.put("kv.router.port", "0");
        overrides.putAll(more);
        return Node.configure(Layers.of(home, overrides).load(), release);
    }

    Node start(Release release, Map<String, String> more) {
        Node node = configure(release, more).start(() -> events.add("asked to stop"));
        nodes.add(node);
        return node;
    }

    Path folder() {
        return home.resolve("nodes/foo@h");
    }

    Config ask(String line) {
        return LocalClient.ask(folder(), line, LIMIT).document().orElseThrow();
    }
}
