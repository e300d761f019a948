package dev.kv.router.dispatch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Kind;
import dev.kv.router.Limits;
import dev.kv.router.NameSpace;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.table.RoutingTable;
import dev.kv.router.table.TableInForce;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What is above the limits of a node is refused there, before it is run or passed on. */
class RouterLimitsTest {
    private static final Limits LIMITS = new Limits(8, 10, 20, 30, 5, 1024);
    private static final Bytes BUCKET = Bytes.of("b");

    private static Bytes bytes(int size) {
        return Bytes.of("x".repeat(size));
    }

    private static Command scan(int patternBytes) {
        return new Command.Scan(BUCKET, 0, bytes(patternBytes), 10, Command.Part.KEYS);
    }

    private static Command names(int patternBytes) {
        return new Command.Names(NameSpace.ALL, 0, bytes(patternBytes), 10);
    }

    private static Command set(int valueBytes, Command.Condition condition) {
        return new Command.SetValue(BUCKET, bytes(valueBytes), condition, false);
    }

    record Case(Command fits, Command tooLarge, String why) {}

    private static Stream<Case> cases() {
        return Stream.of(
                new Case(
                        new Command.Size(bytes(10)),
                        new Command.Size(bytes(11)),
                        "the bucket's name has 11 bytes, at most 10 are allowed (kv.router.bucket-max)"),
                new Case(
                        new Command.Get(BUCKET, bytes(20)),
                        new Command.Get(BUCKET, bytes(21)),
                        "the key has 21 bytes, at most 20 are allowed (kv.router.key-max)"),
                new Case(
                        new Command.Put(BUCKET, BUCKET, bytes(30)),
                        new Command.Put(BUCKET, BUCKET, bytes(31)),
                        "the value has 31 bytes, at most 30 are allowed (kv.router.value-max)"),
                new Case(
                        set(30, Command.Condition.ALWAYS),
                        set(31, Command.Condition.ALWAYS),
                        "the value has 31 bytes, at most 30 are allowed (kv.router.value-max)"),
                new Case(
                        set(1, new Command.Condition.IfEqual(bytes(30))),
                        set(1, new Command.Condition.IfEqual(bytes(31))),
                        "the value has 31 bytes, at most 30 are allowed (kv.router.value-max)"),
                new Case(
                        new Command.DropEqual(BUCKET, bytes(30)),
                        new Command.DropEqual(BUCKET, bytes(31)),
                        "the value has 31 bytes, at most 30 are allowed (kv.router.value-max)"),
                new Case(
                        new Command.WriteRange(BUCKET, 28, bytes(2)),
                        new Command.WriteRange(BUCKET, 28, bytes(3)),
                        "the value has 31 bytes, at most 30 are allowed (kv.router.value-max)"),
                new Case(
                        new Command.WriteRange(BUCKET, Long.MAX_VALUE, Bytes.EMPTY),
                        new Command.WriteRange(BUCKET, Long.MAX_VALUE, bytes(1)),
                        "the value has 9223372036854775807 bytes, at most 30 are allowed (kv.router.value-max)"),
                new Case(
                        new Command.WriteRange(BUCKET, Command.WriteRange.END, bytes(30)),
                        new Command.WriteRange(BUCKET, Command.WriteRange.END, bytes(31)),
                        "the value has 31 bytes, at most 30 are allowed (kv.router.value-max)"),
                new Case(
                        new Command.SetAbsentValues(List.of(BUCKET, bytes(30))),
                        new Command.SetAbsentValues(List.of(BUCKET, bytes(1), bytes(11), bytes(1))),
                        "the bucket's name has 11 bytes, at most 10 are allowed (kv.router.bucket-max)"),
                new Case(
                        new Command.NamesOfKind((Command.Names) names(5), Kind.VALUE),
                        new Command.NamesOfKind((Command.Names) names(6), Kind.VALUE),
                        "the pattern has 6 bytes, at most 5 are allowed (kv.router.pattern-max)"),
                new Case(scan(5), scan(6), "the pattern has 6 bytes, at most 5 are allowed (kv.router.pattern-max)"),
                new Case(names(5), names(6), "the pattern has 6 bytes, at most 5 are allowed (kv.router.pattern-max)"),
                new Case(
                        new Command.Batch(BUCKET, List.of(scan(5))),
                        new Command.Batch(BUCKET, List.of(scan(5), scan(6))),
                        "the pattern has 6 bytes, at most 5 are allowed (kv.router.pattern-max)"));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void whatIsTooLargeIsRefused(Case row) throws Exception {
        Store local = (command, _) -> CompletableFuture.completedFuture(
                command instanceof Command.Survey ? new Reply.Names(List.of(), 0, List.of()) : Reply.OK);
        Router router = new Router(
                "foo@h",
                Optional.of(local),
                (node, request) -> CompletableFuture.failedFuture(new AssertionError("passed on")),
                LIMITS,
                new TableInForce(RoutingTable.parse("*=foo@h"), 0, "", Instant.EPOCH));
        assertThat(router.store().run(row.fits()).toCompletableFuture().join()).isNotInstanceOf(Reply.Failed.class);
        assertThat(router.store().run(row.tooLarge()).toCompletableFuture().join())
                .isEqualTo(new Reply.Failed(Reply.Word.TOOLARGE, row.why()));
    }
}
