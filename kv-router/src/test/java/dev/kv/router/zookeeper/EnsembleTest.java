package dev.kv.router.zookeeper;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.table.TableInForce;
import dev.kv.router.testing.Await;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.test.InstanceSpec;
import org.apache.curator.test.TestingCluster;
import org.apache.zookeeper.KeeperException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A node and an ensemble of three servers that loses one after the other. */
@Timeout(120)
class EnsembleTest {
    private static final Znodes ZNODES = new Znodes("/kv");

    private final AtomicReference<TableInForce> inForce = new AtomicReference<>();

    @Test
    void aNodeFollowsAnEnsembleWithAQuorumAndKeepsItsTableWithoutOne(@TempDir Path folder) throws Exception {
        try (TestingCluster ensemble = new TestingCluster(3)) {
            ensemble.start();
            ZooKeeperSettings settings = new ZooKeeperSettings(
                    ensemble.getConnectString(),
                    ZNODES,
                    Duration.ofSeconds(5),
                    Duration.ofSeconds(5),
                    Duration.ofSeconds(20),
                    512 * 1024,
                    1000,
                    Optional.empty(),
                    Map.of());
            try (CuratorFramework operator = settings.open();
                    Membership membership = new Membership(
                            settings,
                            new Membership.Self("foo@h", "combined", "1.0", "an instance", folder),
                            64 * 1024,
                            visitor -> {})) {
                operator.create().creatingParentsIfNeeded().forPath(ZNODES.table(), "*=foo@h".getBytes(UTF_8));
                inForce.set(membership.begin());
                membership.join("127.0.0.1:4041", inForce::set, _ -> {});
                awaitTable("*=foo@h");

                List<InstanceSpec> servers = List.copyOf(ensemble.getInstances());
                assertThat(ensemble.killServer(servers.get(0))).isTrue();
                set(operator, "*=bar@h");
                awaitTable("*=bar@h");

                assertThat(ensemble.killServer(servers.get(1))).isTrue();
                awaitSilence(operator);
                assertThat(inForce.get().table()).hasToString("*=bar@h");

                assertThat(ensemble.restartServer(servers.get(0))).isTrue();
                set(operator, "*=baz@h");
                awaitTable("*=baz@h");
            }
        }
    }

    private void awaitTable(String table) throws Exception {
        Await.until(() -> inForce.get().table().toString().equals(table));
    }

    /** Sets the table as soon as the ensemble takes it. */
    private static void set(CuratorFramework operator, String table) throws Exception {
        Await.until(() -> {
            try {
                operator.setData().forPath(ZNODES.table(), table.getBytes(UTF_8));
                return true;
            } catch (KeeperException.ConnectionLossException | KeeperException.SessionExpiredException e) {
                return false;
            }
        });
    }

    private static void awaitSilence(CuratorFramework operator) throws Exception {
        Await.until(() -> {
            try {
                operator.getData().forPath(ZNODES.table());
                return false;
            } catch (KeeperException.ConnectionLossException | KeeperException.SessionExpiredException e) {
                return true;
            }
        });
    }
}
