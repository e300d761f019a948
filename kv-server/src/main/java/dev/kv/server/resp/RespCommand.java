package dev.kv.server.resp;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.kv.router.Bytes;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * A command of RESP: a row of the table of commands.
 *
 * @param name in lower case
 * @param arity the number of its words, its name included; if negative, the least number
 * @param flags those of Redis: {@code write}, {@code readonly}, {@code fast} and so on
 * @param keys the positions of bucket names among the words
 * @param summary shown by {@code COMMAND DOCS}
 * @param handler makes a question of the words
 */
record RespCommand(
        String name, int arity, List<String> flags, Keys keys, String group, String summary, Handler handler) {
    private static final List<RespCommand> TABLE = Stream.of(
                    HashCommands.rows(),
                    KeyCommands.rows(),
                    ConnectionCommands.rows(),
                    TransactionCommands.rows(),
                    ServerCommands.rows())
            .flatMap(List::stream)
            .toList();

    /** A hash table by name with linear probing; its length is a power of two. */
    private static final List<Optional<RespCommand>> BY_HASH = byHash();

    /**
     * The positions of bucket names among the words of a command.
     *
     * @param first 0 if it has none
     * @param last counted from the end if negative
     */
    record Keys(int first, int last, int step) {
        static final Keys NONE = new Keys(0, 0, 0);
        static final Keys FIRST = new Keys(1, 1, 1);
        static final Keys ALL = new Keys(1, -1, 1);
    }

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

    boolean hasFlag(String flag) {
        return flags.contains(flag);
    }

    /** Whether the number of words is right. */
    boolean takes(int words) {
        return takes(arity, words);
    }

    static boolean takes(int arity, int words) {
        return arity < 0 ? words >= -arity : words == arity;
    }

    /** All rows. */
    static List<RespCommand> table() {
        return TABLE;
    }

    /** The row of that name, in either case. */
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
