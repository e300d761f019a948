package dev.kv.server.resp;

import dev.kv.router.Bytes;
import dev.kv.router.PackedList;
import dev.kv.router.net.Budget;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * One request of RESP, an array of bulk strings, while it arrives and when it is complete. Arguments are taken as they arrive, so
 * no byte is searched twice, however many packets the request is cut into. One instance is used for all requests of a client.
 */
public final class RespRequest {
    /** The largest number of arguments, as in Redis. */
    static final int ARGUMENTS_MAX = 1024 * 1024;

    /** The limits for clients that have not logged in, as in Redis. */
    private static final int STRANGERS_ARGUMENTS_MAX = 10;

    private static final int STRANGERS_BULK_MAX_BYTES = 16 * 1024;

    /** The longest line with a number, as in Redis. */
    private static final int NUMBER_MAX_BYTES = 64;

    /** The first allocation for an incomplete bulk string: the announced length is not trusted. */
    private static final int PARTIAL_FIRST_BYTES = 64 * 1024;

    /** A longer list of arguments is not reused for the next request. */
    private static final int KEPT_PLACES = 1024;

    /** Of a request of more words the list that its command takes as a whole is packed: a million objects take the garbage collector 100 ms. */
    private static final int OBJECTS_MAX = 4096;

    private static final int ARGUMENT_OVERHEAD_BYTES = 48;
    private static final int NO_BULK = -1;

    private final int bulkMaxBytes;
    private final String bulkMaxKey;
    private List<Bytes> arguments = new ArrayList<>();
    private Optional<RespCommand> command = Optional.empty();

    /** The arguments behind these, if they are packed. */
    private PackedList.Builder list = new PackedList.Builder();

    private int listed;

    private boolean begun;
    private int count;

    /** The announced length of the bulk string that arrives; {@link #NO_BULK} before that is known. */
    private int bulkBytes = NO_BULK;

    /** The part of an incomplete bulk string that has arrived. */
    private byte[] partial = new byte[0];

    private int partialBytes;
    private long heldBytes;

    /**
     * @param bulkMaxBytes the longest bulk string
     * @param bulkMaxKey the setting that says so
     */
    public RespRequest(int bulkMaxBytes, String bulkMaxKey) {
        this.bulkMaxBytes = bulkMaxBytes;
        this.bulkMaxKey = bulkMaxKey;
    }

    /** The input is not RESP; the connection has to be closed. */
    public static final class ProtocolError extends Exception {
        private static final long serialVersionUID = 1L;

        ProtocolError(String message) {
            super("Protocol error: " + message, null, false, false);
        }

        /** Much input without a request. */
        public static ProtocolError tooBigLine() {
            return new ProtocolError("too big inline request");
        }
    }

    /** Whether a part of a request has arrived. */
    public boolean isBegun() {
        return begun;
    }

    /** The memory that the request takes, in bytes. */
    public long heldBytes() {
        return heldBytes;
    }

    /** Drops the request, to take the next one. */
    public void clear() {
        if (arguments.size() > KEPT_PLACES) {
            arguments = new ArrayList<>();
        } else {
            arguments.clear();
        }
        command = Optional.empty();
        if (listed > 0) {
            list = new PackedList.Builder();
            listed = 0;
        }
        begun = false;
        bulkBytes = NO_BULK;
        partial = new byte[0];
        heldBytes = 0;
    }

    /** The number of arguments that have arrived, the name of the command included. */
    public int count() {
        return arguments.size() + listed;
    }

    /** An argument; argument 0 is the name of the command, or empty if {@link #command} knows it. */
    Bytes at(int index) {
        return arguments.get(index);
    }

    /**
     * The argument as a whole number.
     *
     * @throws RespError if it is none of 64 bits
     */
    long whole(int index) {
        return at(index).wholeNumber().orElseThrow(RespError::notAnInteger);
    }

    /** The arguments from one on. If many are packed, it is {@link RespCommand#listFrom}, once for each request. */
    List<Bytes> from(int index) {
        if (listed == 0) {
            return arguments.subList(index, arguments.size());
        }
        if (index != arguments.size()) {
            throw new IllegalStateException(
                    "the list of arguments begins at " + arguments.size() + ", not at " + index);
        }
        return list.build();
    }

    /** Whether the next argument is one of those that are packed. */
    private boolean isListed() {
        return count > OBJECTS_MAX
                && command.isPresent()
                && arguments.size() >= command.get().listFrom();
    }

    /** The row of the command, if the table has its name. */
    Optional<RespCommand> command() {
        return command;
    }

    /**
     * Takes the part of the request that the input holds.
     *
     * @param stranger whether the client has not logged in
     * @return whether the request is complete; a request without arguments gets no answer
     */
    public boolean take(ByteBuffer input, boolean stranger) throws ProtocolError {
        if (!begun) {
            long announced = number(input, "mbulk", "multibulk", stranger);
            if (announced == Long.MIN_VALUE) {
                return false;
            }
            begun = true;
            count = (int) Math.max(0, announced);
        }
        while (count() < count) {
            if (!takeArgument(input, stranger)) {
                return false;
            }
        }
        return true;
    }

    private boolean takeArgument(ByteBuffer input, boolean stranger) throws ProtocolError {
        if (bulkBytes == NO_BULK) {
            if (!input.hasRemaining()) {
                return false;
            }
            byte mark = input.get(input.position());
            if (mark != '$') {
                throw new ProtocolError("expected '$', got '" + (char) (mark & 0xFF) + "'");
            }
            long announced = number(input, "bulk", "bulk", stranger);
            if (announced == Long.MIN_VALUE) {
                return false;
            }
            bulkBytes = (int) announced;
            partialBytes = 0;
        }
        if (partialBytes == 0 && input.remaining() >= bulkBytes + 2) {
            add(input);
            return true;
        }
        return takePartial(input);
    }

    private void add(ByteBuffer input) {
        if (isListed()) {
            list.add(input, bulkBytes);
            listed++;
            added(input);
            return;
        }
        if (arguments.isEmpty()) {
            int start = input.arrayOffset() + input.position();
            command = RespCommand.find(input.array(), start, start + bulkBytes);
        }
        if (arguments.isEmpty() && command.isPresent()) {
            arguments.add(Bytes.EMPTY);
            input.position(input.position() + bulkBytes);
        } else {
            arguments.add(Bytes.read(input, bulkBytes));
        }
        added(input);
    }

    /** Skips the CR and LF after a bulk string, which are not checked, as in Redis. */
    private void added(ByteBuffer input) {
        input.position(input.position() + 2);
        // The first ones of a packed list are objects, too, until it is long enough.
        heldBytes += ARGUMENT_OVERHEAD_BYTES + Budget.ofArray(bulkBytes);
        bulkBytes = NO_BULK;
        partialBytes = 0;
    }

    private boolean takePartial(ByteBuffer input) {
        int some = Math.min(bulkBytes - partialBytes, input.remaining());
        if (some > 0) {
            growPartial(partialBytes + some);
            input.get(partial, partialBytes, some);
            partialBytes += some;
        }
        if (partialBytes < bulkBytes || input.remaining() < 2) {
            return false;
        }
        if (arguments.isEmpty()) {
            command = RespCommand.find(partial, 0, bulkBytes);
        }
        boolean isName = arguments.isEmpty() && command.isPresent();
        Bytes argument = isName
                ? Bytes.EMPTY
                : Bytes.owning(partial.length == bulkBytes ? partial : Arrays.copyOf(partial, bulkBytes));
        heldBytes -= Budget.ofArray(partial.length);
        partial = new byte[0];
        if (isListed()) {
            list.add(argument);
            listed++;
        } else {
            arguments.add(argument);
        }
        added(input);
        return true;
    }

    private void growPartial(int bytes) {
        if (bytes > partial.length) {
            long size = Math.max(Math.max(PARTIAL_FIRST_BYTES, 2L * partial.length), bytes);
            byte[] larger = Arrays.copyOf(partial, (int) Math.min(size, bulkBytes));
            heldBytes += Budget.ofArray(larger.length) - Budget.ofArray(partial.length);
            partial = larger;
        }
    }

    /**
     * Takes a line with a number after its first byte.
     *
     * @return {@link Long#MIN_VALUE} if the line is incomplete
     */
    private long number(ByteBuffer input, String counted, String what, boolean stranger) throws ProtocolError {
        byte[] array = input.array();
        int start = input.arrayOffset() + input.position();
        int limit = input.arrayOffset() + input.limit();
        int end = start + 1;
        while (end < limit && array[end] != '\r') {
            end++;
            if (end - start > NUMBER_MAX_BYTES) {
                throw new ProtocolError("too big " + counted + " count string");
            }
        }
        // The line ends with the LF after the CR.
        if (end + 1 >= limit) {
            return Long.MIN_VALUE;
        }
        long number = number(array, start + 1, end);
        boolean isBulk = array[start] == '$';
        if (number == Long.MIN_VALUE || (isBulk ? number < 0 : number > ARGUMENTS_MAX)) {
            throw new ProtocolError("invalid " + what + " length");
        }
        if (isBulk && number > bulkMaxBytes) {
            throw new ProtocolError("invalid bulk length: %d bytes, at most %d are allowed (%s)"
                    .formatted(number, bulkMaxBytes, bulkMaxKey));
        }
        if (stranger && number > (isBulk ? STRANGERS_BULK_MAX_BYTES : STRANGERS_ARGUMENTS_MAX)) {
            throw new ProtocolError("unauthenticated " + what + " length");
        }
        input.position(input.position() + end + 2 - start);
        return number;
    }

    /** The number; {@link Long#MIN_VALUE} if the text is none, or has more than 18 digits. */
    private static long number(byte[] array, int start, int end) {
        boolean negative = start < end && array[start] == '-';
        int first = negative ? start + 1 : start;
        int digits = end - first;
        if (digits < 1 || digits > 18 || (array[first] == '0' && (digits > 1 || negative))) {
            return Long.MIN_VALUE;
        }
        long number = 0;
        for (int i = first; i < end; i++) {
            int digit = array[i] - '0';
            if (digit < 0 || digit > 9) {
                return Long.MIN_VALUE;
            }
            number = number * 10 + digit;
        }
        return negative ? -number : number;
    }
}
