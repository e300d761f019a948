package dev.kv.router.peer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Command;
import dev.kv.router.Held;
import dev.kv.router.Reply;
import dev.kv.router.Reply.Word;
import dev.kv.router.Store;
import dev.kv.router.testing.Await;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Commands on several names of several nodes. */
class EachByNodeTest extends ThreeHosts {
    private static final String THIRDS = "a..f=foo@h,g..m=bar@h,n..z=baz@h";

    /** What the nodes were asked, but for the first requests. */
    private final List<Command> atBar = Collections.synchronizedList(new ArrayList<>());

    private final List<Command> atBaz = Collections.synchronizedList(new ArrayList<>());

    private static Command each(Command... commands) {
        return new Command.Each(List.of(commands));
    }

    private static void record(Host host, List<Command> asked) {
        Store plain = host.store;
        host.store = (command, takenMillis) -> {
            if (!(command instanceof Command.Create)) {
                asked.add(command);
            }
            return plain.run(command, takenMillis);
        };
    }

    private void start(String fooTable, String barTable, String bazTable) throws Exception {
        record(bar, atBar);
        record(baz, atBaz);
        startAll(fooTable, barTable, bazTable);
        for (String bucket : List.of("apples", "grapes", "melons", "nuts")) {
            awaitServed(foo, bucket);
        }
    }

    private static Reply ask(Host host, Command command) throws Exception {
        return Held.flat(host.clientOnLoop().run(command).toCompletableFuture().get(20, TimeUnit.SECONDS));
    }

    private static List<Reply> askEach(Host host, Command... commands) throws Exception {
        return ((Reply.Many) ask(host, each(commands))).replies();
    }

    @Test
    void eachNodeGetsOneRequestAndTheRepliesComeInTheOrderOfTheCommands() throws Exception {
        start(THIRDS, THIRDS, THIRDS);
        assertThat(askEach(
                        foo,
                        put("nuts", "k", "1"),
                        put("apples", "k", "2"),
                        put("grapes", "k", "3"),
                        put("nuts", "k", "4"),
                        put("melons", "k", "5")))
                .containsOnly(Reply.OK);
        assertThat(askEach(
                        foo,
                        get("melons", "k"),
                        get("nuts", "k"),
                        get("none", "k"),
                        get("apples", "k"),
                        get("grapes", "k"),
                        get("nuts", "none")))
                .containsExactly(value("5"), value("4"), Reply.NOT_FOUND, value("2"), value("3"), Reply.ABSENT);
        assertThat(atBar)
                .containsExactly(
                        each(put("grapes", "k", "3"), put("melons", "k", "5")),
                        each(get("melons", "k"), get("grapes", "k")));
        assertThat(atBaz)
                .containsExactly(
                        each(put("nuts", "k", "1"), put("nuts", "k", "4")),
                        each(get("nuts", "k"), get("none", "k"), get("nuts", "none")));

        // All of one other node.
        assertThat(askEach(foo, get("grapes", "k"), get("melons", "k"))).containsExactly(value("3"), value("5"));
        assertThat(atBar).endsWith(each(get("grapes", "k"), get("melons", "k")));
    }

    @Test
    void aNodeWithAnotherTableSplitsItsPartAgain() throws Exception {
        start("a..f=foo@h,g..z=bar@h", THIRDS, THIRDS);
        assertThat(askEach(foo, put("nuts", "k", "1"), put("grapes", "k", "2"), put("apples", "k", "3")))
                .containsOnly(Reply.OK);
        assertThat(askEach(foo, get("nuts", "k"), get("grapes", "k"))).containsExactly(value("1"), value("2"));
        assertThat(atBar).containsExactly(put("grapes", "k", "2"), get("grapes", "k"));
        assertThat(atBaz).containsExactly(put("nuts", "k", "1"), get("nuts", "k"));
    }

    @Test
    void aPartThatIsNotAnsweredFailsAndTheOthersAreRun() throws Exception {
        for (Host host : List.of(foo, bar, baz)) {
            host.timeout = Duration.ofSeconds(2);
        }
        start("b=nobody@h,c=bar@h,a..f=foo@h,g..m=bar@h,n..y=baz@h", "c=foo@h," + THIRDS, THIRDS);
        firewalls.get("baz@h").silence();
        List<Reply> replies = askEach(
                foo,
                put("apples", "k", "1"),
                put("nuts", "k", "2"),
                put("grapes", "k", "3"),
                put("none", "k", "4"),
                put("zebras", "k", "5"),
                put("cherries", "k", "6"),
                put("apples", "k".repeat(70_000), "7"));
        assertThat(replies.get(0)).isEqualTo(Reply.OK);
        assertThat(replies.get(2)).isEqualTo(Reply.OK);
        assertThat(replies)
                .extracting(reply -> reply instanceof Reply.Failed failed ? failed.word() : Word.ERR)
                .containsExactly(
                        Word.ERR, Word.UNCERTAIN, Word.ERR, Word.UNCERTAIN, Word.NOROUTE, Word.CIRCLE, Word.TOOLARGE);
        assertThat(((Reply.Failed) replies.get(4)).message()).contains("could not find entry for \"zebras\"");

        baz.close();
        Await.until(() -> askEach(foo, get("apples", "k"), get("nuts", "k")).getLast() instanceof Reply.Failed failed
                && failed.word() == Word.UNREACHABLE);
        assertThat(askEach(foo, get("nuts", "k"), get("apples", "k")).getLast()).isEqualTo(value("1"));
    }

    @Test
    void commandsOfOneClientRunInTheirOrderWhetherTogetherOrNot() throws Exception {
        start(THIRDS, THIRDS, THIRDS);
        Store client = foo.clientOnLoop();
        List<CompletableFuture<Reply>> replies = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            String value = "v".repeat(i % 3 == 0 ? 30_000 : 1) + i;
            replies.add(client.run(each(
                            put("nuts", "k", value),
                            put("grapes", "k", value),
                            put("melons", "k", value),
                            put("apples", "k", value)))
                    .toCompletableFuture());
            for (String bucket : List.of("nuts", "apples", "grapes")) {
                replies.add(client.run(get(bucket, "k")).toCompletableFuture());
            }
            replies.add(client.run(put("nuts", "k", "other" + i)).toCompletableFuture());
            replies.add(client.run(each(get("nuts", "k"), get("melons", "k"))).toCompletableFuture());
        }
        for (int i = 0; i < 100; i++) {
            String value = "v".repeat(i % 3 == 0 ? 30_000 : 1) + i;
            for (int j = 1; j <= 3; j++) {
                assertThat(Host.await(replies.get(6 * i + j))).isEqualTo(value(value));
            }
            assertThat(Host.await(replies.get(6 * i + 5)))
                    .isEqualTo(new Reply.Many(List.of(value("other" + i), value(value))));
        }
    }

    /** It would not know the command: it gets a request for each name, in the same order with others of the client. */
    @Test
    void aNodeOfAnOlderReleaseGetsARequestForEachName() throws Exception {
        try (VersionOneNode old = new VersionOneNode("old@h", foo.cookie)) {
            foo.addresses.put("old@h", old.address());
            foo.addresses.put("bar@h", firewalls.get("bar@h").address());
            bar.start("*=bar@h");
            foo.start("a..f=foo@h,g..m=bar@h,n..z=old@h");
            awaitServed(foo, "apples");
            awaitServed(foo, "grapes");
            Await.until(() -> ask(foo, put("nuts", "k", "0")).equals(Reply.OK));
            assertThat(askEach(
                            foo,
                            put("nuts", "k", "1"),
                            put("apples", "k", "2"),
                            put("oranges", "k", "3"),
                            put("nuts", "k", "4"),
                            put("grapes", "k", "5")))
                    .containsOnly(Reply.OK);
            assertThat(askEach(
                            foo,
                            get("oranges", "k"),
                            get("grapes", "k"),
                            get("nuts", "none"),
                            get("apples", "k"),
                            get("nuts", "k")))
                    .containsExactly(value("3"), value("5"), Reply.ABSENT, value("2"), value("4"));
            assertThat(askEach(foo, get("oranges", "k"), get("nuts", "k"))).containsExactly(value("3"), value("4"));
        }
    }

    /** The parts fit by themselves. */
    @Test
    void whatOneReplyCannotHoldIsNotReceived() throws Exception {
        foo.messageMaxBytes = 200_000;
        start(THIRDS, THIRDS, THIRDS);
        Command[] gets = new Command[6];
        for (int i = 0; i < gets.length; i++) {
            String bucket = i % 2 == 0 ? "grapes" : "nuts";
            assertThat(ask(foo, put(bucket, "k" + i, "v".repeat(50_000)))).isEqualTo(Reply.OK);
            gets[i] = get(bucket, "k" + i);
        }
        assertThat(askEach(foo, gets))
                .contains(new Reply.Failed(Reply.Reason.CONTENT_TOO_LARGE), value("v".repeat(50_000)));
        assertThat(askEach(foo, gets[0], gets[2], gets[1]))
                .containsExactly(value("v".repeat(50_000)), value("v".repeat(50_000)), value("v".repeat(50_000)));
        Await.until(() -> foo.roomTaken() == 0 && bar.repliesTaken() == 0);
    }

    @Test
    void aPartThatIsLongWaitsForTheOthersInTheMemoryForMessages() throws Exception {
        start(THIRDS, THIRDS, THIRDS);
        CompletableFuture<Reply> last = new CompletableFuture<>();
        Store plain = baz.store;
        baz.store = (command, takenMillis) -> command instanceof Command.Get ? last : plain.run(command, takenMillis);
        Command[] gets =
                IntStream.range(0, 64).mapToObj(i -> get("grapes", "k" + i)).toArray(Command[]::new);
        for (int i = 0; i < gets.length; i++) {
            assertThat(ask(foo, put("grapes", "k" + i, "v".repeat(20_000)))).isEqualTo(Reply.OK);
        }
        List<Command> all = new ArrayList<>(List.of(gets));
        all.add(get("nuts", "k"));
        CompletableFuture<Reply> reply =
                foo.clientOnLoop().run(new Command.Each(all)).toCompletableFuture();
        Await.until(() -> foo.roomTaken() > 64 * 20_000);
        assertThat(reply).isNotDone();
        last.complete(Reply.ABSENT);
        assertThat(((Reply.Many) Host.await(reply)).replies()).hasSize(65).endsWith(Reply.ABSENT);
        Await.until(() -> foo.roomTaken() == 0 && bar.repliesTaken() == 0);
    }
}
