package dev.kv.server.reply;

import dev.kv.router.Bytes;
import dev.kv.router.Held;
import java.util.List;

/** A part of a written reply; a reply is sent as its pieces, one after the other. */
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

    /** A value that is sent from where it is held; whoever drops the piece releases it. */
    record Large(Held value) implements Piece {
        @Override
        public int size() {
            return value.size();
        }
    }

    /** The length of a reply. */
    static long bytes(List<Piece> reply) {
        long bytes = 0;
        for (Piece piece : reply) {
            bytes += piece.size();
        }
        return bytes;
    }

    /** What of a reply is in memory. */
    static long bytesInMemory(List<Piece> reply) {
        long bytes = 0;
        for (Piece piece : reply) {
            bytes += piece instanceof Array ? piece.size() : 0;
        }
        return bytes;
    }

    /** Lets go of a reply that will not be sent. */
    static void release(List<Piece> reply) {
        for (Piece piece : reply) {
            if (piece instanceof Large(Held value)) {
                value.release();
            }
        }
    }
}
