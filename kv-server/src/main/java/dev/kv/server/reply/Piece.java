package dev.kv.server.reply;

import dev.kv.router.Bytes;
import dev.kv.router.Held;
import java.util.List;

/** A part of a written reply, which is sent as a sequence of pieces. */
public sealed interface Piece {
    /** The length in bytes. */
    int size();

    /** Bytes in memory. */
    record Array(Bytes bytes) implements Piece {
        @Override
        public int size() {
            return bytes.size();
        }
    }

    /** A held value. The owner of the piece sends it or releases it. */
    record Large(Held value) implements Piece {
        @Override
        public int size() {
            return value.size();
        }
    }

    /** The length of a reply in bytes. */
    static long bytes(List<Piece> reply) {
        long bytes = 0;
        for (Piece piece : reply) {
            bytes += piece.size();
        }
        return bytes;
    }

    /** The bytes of a reply that are in memory. */
    static long bytesInMemory(List<Piece> reply) {
        long bytes = 0;
        for (Piece piece : reply) {
            bytes += piece instanceof Array ? piece.size() : 0;
        }
        return bytes;
    }

    /** Releases a reply that will not be sent. */
    static void release(List<Piece> reply) {
        for (Piece piece : reply) {
            if (piece instanceof Large(Held value)) {
                value.release();
            }
        }
    }
}
