package dev.kv.router.peer;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.Reply.Failed;
import dev.kv.router.Reply.Word;
import dev.kv.router.testing.Await;
import dev.kv.router.testing.Firewall;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Timeout;

/** Three nodes in this process with a firewall before each. */
@Timeout(60)
abstract class ThreeHosts {
    static final String HALVES = "a..m=foo@h,n..z=bar@h";
    final List<AutoCloseable> opened = new ArrayList<>();
    final Map<String, Firewall> firewalls = new HashMap<>();
    final Host foo = host("foo@h");
    final Host bar = host("bar@h");
    final Host baz = host("baz@h");

    /** A node that the others reach through a firewall. */
    Host host(String name) {
        Host host = new Host(name);
        Firewall firewall = new Firewall(() -> host.port);
        firewalls.put(name, firewall);
        opened.addFirst(firewall);
        opened.addFirst(host);
        return host;
    }

    void startAll(String fooTable, String barTable, String bazTable) {
        for (Host host : List.of(foo, bar, baz)) {
            firewalls.forEach((name, firewall) -> host.addresses.put(name, firewall.address()));
        }
        foo.start(fooTable);
        bar.start(barTable);
        baz.start(bazTable);
    }

    @AfterEach
    void stop() throws Exception {
        for (AutoCloseable one : opened) {
            one.close();
        }
    }

    static Command.Create create(String bucket) {
        return new Command.Create(Bytes.of(bucket));
    }

    static Command.Put put(String bucket, String key, String value) {
        return new Command.Put(Bytes.of(bucket), Bytes.of(key), Bytes.of(value));
    }

    static Command.Get get(String bucket, String key) {
        return new Command.Get(Bytes.of(bucket), Bytes.of(key));
    }

    static Reply value(String value) {
        return new Reply.Value(Bytes.of(value));
    }

    static void awaitServed(Host host, String bucket) throws Exception {
        Await.until(() -> host.ask(create(bucket)).equals(Reply.OK));
    }

    static void awaitUnreachable(Host host, String bucket) throws Exception {
        Await.until(() -> host.ask(create(bucket)) instanceof Failed failed && failed.word() == Word.UNREACHABLE);
    }
}
