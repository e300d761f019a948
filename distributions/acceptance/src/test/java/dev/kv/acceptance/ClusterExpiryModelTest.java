package dev.kv.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.Cluster;
import dev.kv.acceptance.harness.Cluster.Member;
import dev.kv.router.testing.Await;
import dev.kv.server.testing.RespClient;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Random commands on names and fields that expire, on three nodes, compared with a map. The door of each node has a clock that the test moves:
 * forward, ahead of the others, and back. {@code -Dkv.seed=NUMBER} repeats the same commands.
 *
 * <p>What expires by the clock of the node that takes a request is gone. What expires later than every clock has ever told is there. In
 * between the node that keeps the name decides, by what somebody has seen gone there: the test asks it for the times, and what it says is gone
 * stays gone.
 *
 * <p>It is over 400 lines, as each command stands here with what it does to the map.
 */
@Timeout(600)
class ClusterExpiryModelTest {
    private static final long SEED = Long.getLong("kv.seed", new Random().nextLong());
    private static final String[] TABLES = {
        "a..i=foo@h,j..r=bar@h,s..z=baz@h", "j..r=bar@h,*=foo@h", "s..z=baz@h,*=foo@h"
    };
    private static final int NAMES = 24;
    private static final int FIELDS = 6;

    /** As the tables have it. */
    private static final int NAMES_OF_NODE = 9;

    private static final String NOTHING = "-2";
    private static final String NEVER = "-1";

    private final Random random = new Random(SEED);
    private final Map<Member, AtomicLong> clocks = new HashMap<>();
    private final Map<Member, RespClient> connections = new HashMap<>();
    private final Map<String, Thing> model = new TreeMap<>();
    private Cluster cluster;

    /** The time that most clocks tell, and the latest that any has told. Far ahead of this machine's, by which the nodes clean. */
    private long time = 4_000_000_000_000L;

    private long latest = time;

    /** How often a node said that something has expired, and how often before the clock of the node that was asked told so. */
    private int expired;

    private int expiredEarlier;

    /** A value, as a hash with one field of an empty name, or a hash. */
    private static final class Thing {
        private final boolean isValue;
        private final Map<String, String> values = new TreeMap<>();

        /** When it expires as a whole, and its fields; nothing that does not. */
        private long until;

        private final Map<String, Long> untils = new TreeMap<>();

        Thing(boolean isValue) {
            this.isValue = isValue;
        }

        static Thing value(String text) {
            Thing value = new Thing(true);
            value.values.put("", text);
            return value;
        }

        Thing copy() {
            Thing copy = new Thing(isValue);
            copy.values.putAll(values);
            copy.untils.putAll(untils);
            copy.until = until;
            return copy;
        }
    }

    @BeforeEach
    void start(@TempDir Path folder) throws IOException {
        System.out.println("ClusterExpiryModelTest: repeat with -Dkv.seed=" + SEED);
        cluster = new Cluster(folder, "foo", "bar", "baz");
        for (Member node : cluster.nodes()) {
            AtomicLong clock = new AtomicLong(time);
            clocks.put(node, clock);
            node.stampBy(clock::get);
        }
        for (int i = 0; i < TABLES.length; i++) {
            open(i);
        }
    }

    private void open(int number) throws IOException {
        Member node = cluster.nodes().get(number);
        node.start(TABLES[number]);
        connections.put(node, new RespClient(node.clients()));
    }

    @AfterEach
    void close() throws IOException {
        for (RespClient connection : connections.values()) {
            connection.close();
        }
        cluster.close();
    }

    @Test
    void threeNodesAnswerAsAMapDoesWhileTheirClocksMove() throws Exception {
        run(4_000);
    }

    @Test
    @Tag("soak")
    void threeNodesAnswerAsAMapDoesWhileTheirClocksMoveForMinutes() throws Exception {
        run(400_000);
    }

    private void run(int steps) throws Exception {
        try {
            for (int step = 0; step < steps; step++) {
                moveClocks();
                if (step % 1_000 == 999) {
                    restart(random.nextInt(TABLES.length));
                }
                Member node = cluster.nodes().get(random.nextInt(TABLES.length));
                new Step(connections.get(node), clocks.get(node).get()).run();
            }
            assertThat(expired).as("what has expired").isGreaterThan(steps / 100);
            assertThat(expiredEarlier).as("by a clock that was ahead").isPositive();
        } catch (AssertionError e) {
            throw new AssertionError("with -Dkv.seed=" + SEED, e);
        }
    }

    /** A node that is asked through another one while it is away answers that it is unreachable: the links are there again before the next step. */
    private void restart(int number) throws Exception {
        Member node = cluster.nodes().get(number);
        connections.get(node).close();
        node.stop();
        open(number);
        for (RespClient connection : connections.values()) {
            for (String name : List.of("a", "k", "t")) {
                Await.until(
                        "the links are there again",
                        () -> connection.ask("EXISTS", name).startsWith(":"));
            }
        }
    }

    private void moveClocks() {
        time += random.nextInt(8) == 0 ? random.nextInt(400) : 0;
        for (AtomicLong clock : clocks.values()) {
            if (random.nextInt(30) == 0) {
                clock.set(time + random.nextInt(-2_000, 2_000));
            } else if (random.nextInt(4) == 0) {
                clock.set(time);
            }
            latest = Math.max(latest, clock.get());
        }
    }

    /** One command on one name, by one node: first its times are asked for, so that it is known what is there. */
    private final class Step {
        private final RespClient node;
        private final long now;
        private final String name;

        Step(RespClient node, long now) {
            this(node, now, random.nextInt(NAMES));
        }

        private Step(RespClient node, long now, int number) {
            this.node = node;
            this.now = now;
            this.name = (char) ('a' + number) + "-" + number;
        }

        void run() throws IOException {
            resolve();
            Thing thing = model.get(name);
            switch (random.nextInt(14)) {
                case 10 -> setTwo();
                case 11 -> increment(thing);
                case 12 -> copy(thing);
                case 13 -> setInOneTransaction();
                case 0, 1 -> set();
                case 2, 3, 4 -> {
                    if (thing == null || !thing.isValue) {
                        setField(thing == null ? new Thing(false) : thing);
                    }
                }
                case 5 -> expire(thing);
                case 6 -> {
                    if (thing != null && !thing.isValue) {
                        expireField(thing);
                    }
                }
                case 7 -> delete(thing);
                default -> read(thing);
            }
        }

        /** Asks for all times of the name, checks them, and takes out of the model what is gone. */
        private void resolve() throws IOException {
            Thing thing = model.get(name);
            String until = integer("PEXPIRETIME", name);
            if (thing == null) {
                assertThat(until).as(name).isEqualTo(NOTHING);
                return;
            }
            thing.untils.keySet().removeIf(field -> !thing.values.containsKey(field));
            if (thing.isValue) {
                thing.until = thing.untils.getOrDefault("", 0L);
            } else {
                for (String field : List.copyOf(thing.values.keySet())) {
                    String ofField = array("HPEXPIRETIME", name, "FIELDS", "1", field);
                    if (isGone(ofField, thing.untils.getOrDefault(field, 0L), thing.until)) {
                        thing.values.remove(field);
                        thing.untils.remove(field);
                    }
                }
            }
            boolean isEmpty = thing.values.isEmpty();
            if (isEmpty) {
                assertThat(until).as(name).isEqualTo(NOTHING);
            }
            if (isEmpty || isGone(until, thing.until, 0)) {
                model.remove(name);
            }
        }

        /** Whether something is gone by what a node says when it expires, which has to be right; as a whole it may be gone earlier. */
        private boolean isGone(String told, long until, long wholeUntil) {
            long first = wholeUntil == 0 || (until != 0 && until < wholeUntil) ? until : wholeUntil;
            if (told.equals(NOTHING)) {
                assertThat(first != 0 && first <= latest)
                        .as("%s expires at %d, the latest clock was at %d", name, first, latest)
                        .isTrue();
                expired++;
                expiredEarlier += first > now ? 1 : 0;
                return true;
            }
            assertThat(told).as(name).isEqualTo(until == 0 ? NEVER : String.valueOf(until));
            assertThat(first == 0 || first > now)
                    .as("%s expires at %d, and is there at %d", name, first, now)
                    .isTrue();
            return false;
        }

        /** The time that a relative one has come to: the node that keeps the name may have seen a later time pass than that of the request. */
        private long learned(String told, long millis) {
            long until = Long.parseLong(told);
            assertThat(until).as(name).isBetween(now + millis, latest + millis);
            return until;
        }

        private void set() throws IOException {
            String text = text();
            Thing value = Thing.value(text);
            model.put(name, value);
            long millis = random.nextLong(1, 3_000);
            switch (random.nextInt(3)) {
                case 0 -> assertThat(node.ask("SET", name, text)).isEqualTo("OK");
                case 1 -> {
                    assertThat(node.ask("SET", name, text, "PX", String.valueOf(millis)))
                            .isEqualTo("OK");
                    value.untils.put("", learned(integer("PEXPIRETIME", name), millis));
                }
                default -> {
                    assertThat(node.ask("SET", name, text, "PXAT", String.valueOf(now + millis)))
                            .isEqualTo("OK");
                    value.untils.put("", now + millis);
                }
            }
            value.until = value.untils.getOrDefault("", 0L);
            resolve();
        }

        /** A number, or none. */
        private String text() {
            return (random.nextBoolean() ? "" : "value ") + random.nextInt(1_000_000);
        }

        /** Names of one node or of two. */
        private void setTwo() throws IOException {
            String other = new Step(node, now).name;
            String text = text();
            assertThat(node.ask("MSET", name, text, other, text + "1")).isEqualTo("OK");
            model.put(name, Thing.value(text));
            model.put(other, Thing.value(text + "1"));
        }

        private void increment(Thing thing) throws IOException {
            String reply = node.ask("INCR", name);
            String before = thing == null ? "0" : thing.values.get("");
            if (before == null) {
                assertThat(reply).startsWith("WRONGTYPE ");
            } else if (before.startsWith("value")) {
                assertThat(reply).isEqualTo("ERR value is not an integer or out of range");
            } else {
                String after = String.valueOf(Long.parseLong(before) + 1);
                assertThat(reply).isEqualTo(":" + after);
                model.computeIfAbsent(name, _ -> new Thing(true)).values.put("", after);
            }
        }

        /** To a name that the same node keeps. */
        private void copy(Thing thing) throws IOException {
            int number = name.charAt(0) - 'a';
            int first = number / NAMES_OF_NODE * NAMES_OF_NODE;
            Step to = new Step(node, now, random.nextInt(first, Math.min(NAMES, first + NAMES_OF_NODE)));
            if (to.name.equals(name)) {
                return;
            }
            to.resolve();
            boolean replaces = random.nextBoolean();
            boolean isDone = thing != null && (replaces || !model.containsKey(to.name));
            assertThat(replaces ? integer("COPY", name, to.name, "REPLACE") : integer("COPY", name, to.name))
                    .isEqualTo(isDone ? "1" : "0");
            if (isDone) {
                model.put(to.name, thing.copy());
                to.resolve();
            }
        }

        private void setInOneTransaction() throws IOException {
            int number = random.nextInt(1_000_000);
            long until = latest + random.nextInt(1, 3_000);
            assertThat(node.ask("MULTI")).isEqualTo("OK");
            assertThat(node.ask("SET", name, String.valueOf(number))).isEqualTo("QUEUED");
            assertThat(node.ask("INCR", name)).isEqualTo("QUEUED");
            assertThat(node.ask("PEXPIREAT", name, String.valueOf(until))).isEqualTo("QUEUED");
            assertThat(node.ask("PEXPIRETIME", name)).isEqualTo("QUEUED");
            assertThat(node.ask("EXEC")).isEqualTo("[OK :%d :1 :%d]".formatted(number + 1, until));
            Thing value = Thing.value(String.valueOf(number + 1));
            until(value, until);
            model.put(name, value);
        }

        private void setField(Thing hash) throws IOException {
            String field = "field-" + random.nextInt(FIELDS);
            String text = "value " + random.nextInt(1_000_000);
            assertThat(integer("HSET", name, field, text)).isEqualTo(hash.values.containsKey(field) ? "0" : "1");
            hash.values.put(field, text);
            hash.untils.remove(field);
            model.put(name, hash);
        }

        private void expire(Thing thing) throws IOException {
            if (random.nextInt(4) == 0) {
                boolean hasTime = thing != null && thing.until != 0;
                assertThat(integer("PERSIST", name)).isEqualTo(hasTime ? "1" : "0");
                if (hasTime) {
                    until(thing, 0);
                }
                return;
            }
            long until = now + random.nextInt(-100, 3_000);
            assertThat(integer("PEXPIREAT", name, String.valueOf(until))).isEqualTo(thing == null ? "0" : "1");
            if (thing != null) {
                until(thing, until);
                resolve();
            }
        }

        private static void until(Thing thing, long until) {
            thing.until = until;
            if (thing.isValue) {
                thing.untils.put("", until);
            }
        }

        private void expireField(Thing hash) throws IOException {
            String field = "field-" + random.nextInt(FIELDS);
            long until = now + random.nextInt(-100, 3_000);
            String reply = array("HPEXPIREAT", name, String.valueOf(until), "FIELDS", "1", field);
            if (!hash.values.containsKey(field)) {
                assertThat(reply).isEqualTo(NOTHING);
                return;
            }
            assertThat(reply).isIn("1", "2");
            hash.untils.put(field, until);
            if (reply.equals("2")) {
                assertThat(until).isLessThanOrEqualTo(latest);
                hash.values.remove(field);
                hash.untils.remove(field);
                if (hash.values.isEmpty()) {
                    model.remove(name);
                }
            }
            resolve();
        }

        private void delete(Thing thing) throws IOException {
            if (thing == null || thing.isValue || random.nextInt(4) == 0) {
                assertThat(integer("DEL", name)).isEqualTo(thing == null ? "0" : "1");
                model.remove(name);
                return;
            }
            String field = "field-" + random.nextInt(FIELDS);
            boolean isThere = thing.values.remove(field) != null;
            assertThat(integer("HDEL", name, field)).isEqualTo(isThere ? "1" : "0");
            thing.untils.remove(field);
            if (thing.values.isEmpty()) {
                model.remove(name);
            }
        }

        private void read(Thing thing) throws IOException {
            if (thing == null) {
                assertThat(integer("EXISTS", name)).isEqualTo("0");
                assertThat(node.ask("GET", name)).isEqualTo("nil");
            } else if (thing.isValue) {
                assertThat(node.ask("GET", name)).isEqualTo(quoted(thing.values.get("")));
            } else {
                for (int i = 0; i < FIELDS; i++) {
                    String value = thing.values.get("field-" + i);
                    assertThat(node.ask("HGET", name, "field-" + i)).isEqualTo(value == null ? "nil" : quoted(value));
                }
            }
        }

        private String integer(String... words) throws IOException {
            String reply = node.ask(words);
            assertThat(reply).as(String.join(" ", words)).startsWith(":");
            return reply.substring(1);
        }

        private static String quoted(String value) {
            return '"' + value + '"';
        }

        /** The only element of a reply. */
        private String array(String... words) throws IOException {
            String reply = node.ask(words);
            assertThat(reply).as(String.join(" ", words)).startsWith("[:").endsWith("]");
            return reply.substring(2, reply.length() - 1);
        }
    }
}
