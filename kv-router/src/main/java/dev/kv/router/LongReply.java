package dev.kv.router;

import java.util.List;

/** The size of replies, by which an I/O loop leaves the long ones to another thread: turning them into bytes takes longer than a turn. */
public final class LongReply {
    /** A loop turns as many values, of as many bytes, into bytes of a message in some 0.2 ms. */
    private static final int VALUES_MAX = 4096;

    private static final long BYTES_MAX = 1L << 20;

    /** What an object takes beside what it holds, roughly. */
    private static final int OBJECT_BYTES = 48;

    private LongReply() {}

    /** Whether a loop leaves the reply to another thread. */
    public static boolean is(Reply reply) {
        return switch (reply) {
            case Reply.Values(List<Bytes> values) -> isLong(values);
            case Reply.Page(long _, List<Bytes> values) -> isLong(values);
            case Reply.Names names -> names.names().size() + names.owners().size() > VALUES_MAX;
            case Reply.Many(List<Reply> replies) ->
                replies.size() > VALUES_MAX
                        || bytes(reply) > BYTES_MAX
                        || replies.stream().anyMatch(LongReply::is);
            case Reply.Ok _,
                    Reply.NotFound _,
                    Reply.Absent _,
                    Reply.Value _,
                    Reply.LargeValue _,
                    Reply.Amount _,
                    Reply.Way _,
                    Reply.Failed _ -> false;
        };
    }

    private static boolean isLong(List<Bytes> values) {
        return values.size() > VALUES_MAX || bytes(values) > BYTES_MAX;
    }

    /** The memory that a reply takes, roughly; held values take none. */
    public static long bytes(Reply reply) {
        return switch (reply) {
            case Reply.Values(List<Bytes> values) -> bytes(values);
            case Reply.Page(long _, List<Bytes> values) -> bytes(values);
            case Reply.Names names -> {
                long bytes = (long) names.owners().size() * OBJECT_BYTES;
                for (Reply.Name name : names.names()) {
                    bytes += 2 * OBJECT_BYTES + name.bucket().size();
                }
                yield bytes;
            }
            case Reply.Many(List<Reply> replies) -> {
                long bytes = 0;
                for (Reply one : replies) {
                    bytes += bytes(one);
                }
                yield bytes;
            }
            case Reply.Value(Bytes value) -> 2 * OBJECT_BYTES + value.size();
            case Reply.Ok _,
                    Reply.NotFound _,
                    Reply.Absent _,
                    Reply.LargeValue _,
                    Reply.Amount _,
                    Reply.Way _,
                    Reply.Failed _ -> OBJECT_BYTES;
        };
    }

    private static long bytes(List<Bytes> values) {
        if (values instanceof PackedList packed) {
            return packed.bytes();
        }
        long bytes = 0;
        for (Bytes value : values) {
            bytes += OBJECT_BYTES + value.size();
        }
        return bytes;
    }
}
