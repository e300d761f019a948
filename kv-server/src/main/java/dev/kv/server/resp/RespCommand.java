package dev.kv.server.resp;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.kv.router.Bytes;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A command of RESP, or a subcommand: a row of the table of commands. The allowed number of words, the
 * positions of keys and the replies of {@code COMMAND} are derived from it.
 */
public final class RespCommand {
    private static final AtomicInteger ROWS = new AtomicInteger();

    /** The subcommand that lists the others. */
    private static final String HELP = "help";

    /** The categories of access lists that commands here have, in the order of Redis. A group can be one. */
    private static final List<String> CATEGORIES = List.of(
            "@keyspace",
            "@read",
            "@write",
            "@hash",
            "@string",
            "@admin",
            "@fast",
            "@slow",
            "@dangerous",
            "@connection",
            "@transaction");

    private static final List<RespCommand> TABLE = Stream.of(
                    ValueCommands.rows(),
                    HashCommands.rows(),
                    FieldExpiryCommands.rows(),
                    KeyCommands.rows(),
                    KeyExpiryCommands.rows(),
                    ConnectionCommands.rows(),
                    TransactionCommands.rows(),
                    ServerCommands.rows())
            .flatMap(List::stream)
            .toList();

    /** A hash table by name with linear probing; its length is a power of two. */
    private static final List<Optional<RespCommand>> BY_HASH = byHash();

    private final int number = ROWS.getAndIncrement();
    private final Syntax syntax;
    private final String name;
    private final String group;
    private final List<String> flags;
    private final List<String> categories;
    private final List<String> tips;
    private final String summary;
    private final Handler handler;
    private final List<RespCommand> subcommands;
    private final int arity;
    private final boolean hasKeys;
    private final int listFrom;

    /** Makes a question of a request whose number of words is right. */
    @FunctionalInterface
    interface Handler {
        /**
         * Makes the question.
         *
         * @throws RespError if an argument is wrong
         */
        Question ask(RespRequest request, RespSession session);
    }

    private RespCommand(
            String group,
            String syntax,
            String traits,
            String summary,
            Optional<Handler> handler,
            List<RespCommand> subcommands) {
        this.group = group;
        this.syntax = Syntax.of(syntax);
        this.name = this.syntax.name();
        List<String> words = traits.isEmpty() ? List.of() : Arrays.asList(traits.split(" "));
        this.flags = words.stream()
                .filter(word -> Character.isLetter(word.charAt(0)))
                .toList();
        this.tips = words.stream()
                .filter(word -> word.startsWith("~"))
                .map(word -> word.substring(1))
                .toList();
        // A command that does nothing without a subcommand is in no category of its own.
        this.categories = categories(handler.isEmpty() ? "" : group, flags, words);
        this.summary = summary;
        this.handler = handler.orElse((request, session) -> {
            throw RespError.arity(this.name);
        });
        this.subcommands = subcommands;
        // The name of a subcommand follows, where the command does nothing without one.
        int ofSyntax = subcommands.isEmpty() ? this.syntax.arity() : handler.isEmpty() ? -2 : -1;
        this.arity = words.stream()
                .filter(word -> word.startsWith("-"))
                .findFirst()
                .map(Integer::valueOf)
                .orElse(ofSyntax);
        this.hasKeys = !this.syntax.keys().isEmpty();
        this.listFrom = words.stream()
                .filter(word -> word.startsWith("+"))
                .findFirst()
                .map(Integer::valueOf)
                .orElse(Integer.MAX_VALUE);
    }

    /**
     * A command.
     *
     * @param group as in Redis's manual
     * @param syntax see {@link Syntax}
     * @param traits its flags, categories of access lists with {@code @} that do not follow from the flags and the group, tips for
     *     clients with {@code ~}, all as Redis names them, its arity if it does not follow from the syntax, and with {@code +} its {@link
     *     #listFrom}
     * @param summary shown by {@code COMMAND DOCS}
     * @param handler makes a question of the words
     */
    static RespCommand of(String group, String syntax, String traits, String summary, Handler handler) {
        return new RespCommand(group, syntax, traits, summary, Optional.of(handler), List.of());
    }

    /** The word from which on the handler takes all as one list ({@link RespRequest#from}); above all words if it takes them one by one. */
    int listFrom() {
        return listFrom;
    }

    /** A command with subcommands, which does nothing without one. */
    static RespCommand container(
            String group, String syntax, String traits, String summary, List<RespCommand> subcommands) {
        return new RespCommand(
                group, syntax, traits, summary, Optional.empty(), withHelp(group, syntax, traits, subcommands));
    }

    /** A command that may have a subcommand. */
    static RespCommand container(
            String group,
            String syntax,
            String traits,
            String summary,
            List<RespCommand> subcommands,
            Handler handler) {
        return new RespCommand(
                group, syntax, traits, summary, Optional.of(handler), withHelp(group, syntax, traits, subcommands));
    }

    private static List<RespCommand> withHelp(
            String group, String command, String traits, List<RespCommand> subcommands) {
        List<String> lines = new ArrayList<>();
        lines.add(command.toUpperCase(Locale.ROOT) + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
        Question.Here help = out -> {
            out.array(lines.size());
            lines.forEach(out::simple);
        };
        List<RespCommand> all = new ArrayList<>(subcommands);
        String categories = Stream.of(traits.split(" "))
                .filter(trait -> trait.startsWith("@"))
                .map(trait -> " " + trait)
                .collect(Collectors.joining());
        all.add(of(
                group,
                command + "|" + HELP,
                "loading stale no_multi" + categories,
                "Lists the subcommands",
                (request, session) -> help));
        all.stream()
                .map(row -> row.syntax.shown().substring(command.length() + 1))
                .sorted()
                .forEach(lines::add);
        return List.copyOf(all);
    }

    private static List<String> categories(String group, List<String> flags, List<String> words) {
        Set<String> all = new HashSet<>();
        words.stream().filter(word -> word.startsWith("@")).forEach(all::add);
        if (flags.contains("write")) {
            all.add("@write");
        }
        if (flags.contains("readonly")) {
            all.add("@read");
        }
        if (flags.contains("admin")) {
            all.addAll(List.of("@admin", "@dangerous"));
        }
        all.add(flags.contains("fast") ? "@fast" : "@slow");
        switch (group) {
            case "generic" -> all.add("@keyspace");
            case "transactions" -> all.add("@transaction");
            default -> all.add("@" + group);
        }
        return CATEGORIES.stream().filter(all::contains).toList();
    }

    /** In lower case; that of a subcommand is {@code command|subcommand}. */
    String name() {
        return name;
    }

    /** A number that no other row has, from 0 to {@link #count}. */
    int number() {
        return number;
    }

    /** The number of rows, subcommands included. */
    static int count() {
        return ROWS.get();
    }

    /** The number of words, its name included; if negative, the least number. */
    int arity() {
        return arity;
    }

    Syntax syntax() {
        return syntax;
    }

    String group() {
        return group;
    }

    List<String> flags() {
        return flags;
    }

    boolean hasFlag(String flag) {
        return flags.contains(flag);
    }

    /** The categories of Redis's access lists. */
    List<String> categories() {
        return categories;
    }

    /** Hints for clients. */
    List<String> tips() {
        return tips;
    }

    String summary() {
        return summary;
    }

    Handler handler() {
        return handler;
    }

    List<RespCommand> subcommands() {
        return subcommands;
    }

    /** Whether words of it are names of buckets. */
    boolean hasKeys() {
        return hasKeys;
    }

    /** Whether the number of words is right. */
    boolean takes(int words) {
        return arity < 0 ? words >= -arity : words == arity;
    }

    /** All commands; {@link #subcommands} has the rows of subcommands. */
    static List<RespCommand> table() {
        return TABLE;
    }

    /** All commands, each followed by its subcommands. */
    static Stream<RespCommand> all() {
        return TABLE.stream().flatMap(row -> Stream.concat(Stream.of(row), row.subcommands.stream()));
    }

    /** The command of that name, in either case. */
    static Optional<RespCommand> find(byte[] array, int start, int end) {
        for (int slot = hash(array, start, end); ; slot++) {
            Optional<RespCommand> row = BY_HASH.get(slot & (BY_HASH.size() - 1));
            if (row.isEmpty() || Keyword.is(array, start, end, row.get().name)) {
                return row;
            }
        }
    }

    static Optional<RespCommand> find(Bytes name) {
        return find(name.array(), 0, name.size());
    }

    /** The command or subcommand of that name, as {@code COMMAND INFO} has it. */
    static Optional<RespCommand> findWhole(Bytes name) {
        return all().filter(row -> Keyword.is(name, row.name)).findFirst();
    }

    /** The subcommand of that name, in either case. */
    Optional<RespCommand> subcommand(Bytes name) {
        int ahead = this.name.length() + 1;
        return subcommands.stream()
                .filter(row -> Keyword.is(name, row.name.substring(ahead)))
                .findFirst();
    }

    private static List<Optional<RespCommand>> byHash() {
        int size = Integer.highestOneBit(4 * TABLE.size());
        List<Optional<RespCommand>> rows = new ArrayList<>(Collections.nCopies(size, Optional.empty()));
        for (RespCommand row : TABLE) {
            byte[] name = row.name.getBytes(US_ASCII);
            int slot = hash(name, 0, name.length) & (size - 1);
            while (rows.get(slot).isPresent()) {
                slot = (slot + 1) & (size - 1);
            }
            rows.set(slot, Optional.of(row));
        }
        return List.copyOf(rows);
    }

    private static int hash(byte[] array, int start, int end) {
        int hash = 0;
        // No command has a longer name.
        for (int i = start; i < Math.min(end, start + 16); i++) {
            hash = 31 * hash + (array[i] | 0x20);
        }
        return hash ^ hash >>> 8;
    }
}
