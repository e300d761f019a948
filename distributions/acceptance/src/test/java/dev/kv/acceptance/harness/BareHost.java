package dev.kv.acceptance.harness;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.github.dockerjava.api.DockerClient;
import com.github.dockerjava.api.model.Capability;
import com.github.dockerjava.api.model.ContainerNetwork;
import dev.kv.acceptance.harness.UnpackedRelease.Role;
import dev.kv.server.testing.LineClient;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.testcontainers.DockerClientFactory;
import org.testcontainers.containers.Container.ExecResult;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.Network;
import org.testcontainers.containers.wait.strategy.Wait;
import org.testcontainers.images.builder.Transferable;
import org.testcontainers.utility.MountableFile;

/**
 * A container with a shell and without Java, in which a release is unpacked. Other containers reach it by its name on their
 * common network. The test reaches it on another network, so that it can cut the common one.
 */
public final class BareHost implements AutoCloseable {
    private static final String IMAGE = "kv-bare-host";
    private static final int CLIENTS_PORT = 4040;

    private final String name;
    private final Role role;
    private final Network network;
    private final GenericContainer<?> container;

    /** Starts the container and unpacks the release; no node runs yet. */
    public BareHost(String name, Role role, Network network) {
        this.name = name;
        this.role = role;
        this.network = network;
        this.container = new GenericContainer<>(IMAGE)
                .withExposedPorts(CLIENTS_PORT)
                .withEnv("KV_JAVA_OPTIONS", UnpackedRelease.WITHOUT_CLASS_CACHE + " " + UnpackedRelease.SHORT_LIVED)
                .withCreateContainerCmdModifier(host -> {
                    host.withHostName(name);
                    Objects.requireNonNull(host.getHostConfig()).withCapAdd(Capability.NET_ADMIN);
                })
                .withCommand("sh", "-c", "trap exit TERM; while :; do sleep 60 & wait; done")
                .waitingFor(Wait.forSuccessfulCommand("true"))
                .withCopyFileToContainer(MountableFile.forHostPath(role.tarball()), "/opt/kv.tar.gz");
        container.start();
        plugIn();
        run("cd /opt && tar xzf kv.tar.gz");
    }

    /** Makes the image of these containers from files of this machine. */
    public static void makeImage() {
        Path script = Path.of(System.getProperty("kv.root"), "distributions/acceptance/bare-host-image.sh");
        Ended made = Ended.of(script.toString(), IMAGE);
        if (made.status() != 0) {
            throw new AssertionError(made.err());
        }
    }

    /** Appends lines to the release's {@code config/kv.conf}. */
    public void configure(String lines) {
        run("cat >> config/kv.conf <<'END'\n" + lines + "\nEND\n");
    }

    /** Writes a file of mode 0600 into the release's folder. */
    public void put(String file, String content) {
        container.copyFileToContainer(Transferable.of(content.getBytes(UTF_8), 0100600), folder() + "/" + file);
    }

    private String folder() {
        return "/opt/" + role.folder();
    }

    /** Runs a shell command in the release's folder, which has to succeed, and returns what it prints. */
    public String run(String command) {
        Ended ended = tryTo(command);
        if (ended.status() != 0) {
            throw new AssertionError(
                    "%s: status %d of %s%n%s%s".formatted(name, ended.status(), command, ended.out(), ended.err()));
        }
        return ended.out();
    }

    /** Runs a shell command in the release's folder. */
    public Ended tryTo(String command) {
        try {
            ExecResult result = container.execInContainer("sh", "-c", "cd " + folder() + " 2>&- || cd /; " + command);
            return new Ended(result.getExitCode(), result.getStdout(), result.getStderr());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError(e);
        }
    }

    /** Connects a client to its node; the connection stays open when the host is unplugged. */
    public LineClient connect() throws IOException {
        return LineClient.connect(new InetSocketAddress(container.getHost(), container.getMappedPort(CLIENTS_PORT)));
    }

    private static DockerClient docker() {
        return DockerClientFactory.lazyClient();
    }

    /** Freezes all of its processes, as on a host that hangs. */
    public void pause() {
        docker().pauseContainerCmd(container.getContainerId()).exec();
    }

    public void resume() {
        docker().unpauseContainerCmd(container.getContainerId()).exec();
    }

    /** Takes it off the common network. */
    public void unplug() {
        docker().disconnectFromNetworkCmd()
                .withContainerId(container.getContainerId())
                .withNetworkId(network.getId())
                .exec();
    }

    public void plugIn() {
        docker().connectToNetworkCmd()
                .withContainerId(container.getContainerId())
                .withNetworkId(network.getId())
                .withContainerNetwork(new ContainerNetwork().withAliases(List.of(name)))
                .exec();
    }

    /** Drops all packets from and to other hosts. */
    public void dropPackets() {
        run("iptables -A INPUT ! -i lo -j DROP && iptables -A OUTPUT ! -o lo -j DROP");
    }

    public void passPackets() {
        run("iptables -F");
    }

    @Override
    public void close() {
        container.close();
    }
}
