package dev.kv.server.resp;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.PackedList;
import dev.kv.server.reply.Piece;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class RespWriterTest {
    private static final int PIECE_MAX_BYTES = 4 << 20;

    private static byte[] bytes(List<Piece> pieces) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (Piece piece : pieces) {
            all.writeBytes(((Piece.Array) piece).bytes().array());
        }
        return all.toByteArray();
    }

    /** Pieces of some kilobytes would be copied by the garbage collector, which stops all threads meanwhile. */
    @Test
    void manyBytesAreWrittenInFewLargePieces() {
        PackedList.Builder builder = new PackedList.Builder();
        List<Bytes> plain = new ArrayList<>();
        for (int i = 0; i < 1_000; i++) {
            byte[] value = new byte[i == 500 ? 9 << 20 : i % 2 == 0 ? 3 : 20 << 10];
            value[i % 3] = (byte) i;
            plain.add(Bytes.owning(value));
            builder.add(plain.getLast());
        }
        List<Bytes> packed = builder.build();
        assertThat(packed).isInstanceOf(PackedList.class);

        List<Piece> pieces = new RespWriter(true).bulks(packed).toPieces();
        assertThat(pieces).hasSizeBetween(5, 7).allMatch(piece -> piece.size() <= PIECE_MAX_BYTES);
        assertThat(bytes(pieces))
                .isEqualTo(bytes(new RespWriter(true).bulks(plain).toPieces()));
        assertThat(bytes(new RespWriter(true).pairs(packed).toPieces()))
                .isEqualTo(bytes(new RespWriter(true).pairs(plain).toPieces()));
    }

    @Test
    void pairsAreArraysOfTwo() {
        List<Bytes> values = List.of(Bytes.of("a"), Bytes.of("1"), Bytes.of("b"), Bytes.of("2"));
        assertThat(new String(bytes(new RespWriter(true).pairs(values).toPieces()), StandardCharsets.US_ASCII))
                .isEqualTo("*2\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n*2\r\n$1\r\nb\r\n$1\r\n2\r\n");
    }

    /** One writer serves the clients of a loop: what failed for one must not reach the next one. */
    @Test
    void aReplyBeginsWithNothingOfOneThatFailed() {
        RespWriter writer = new RespWriter(true);
        writer.array(2).bulk(Bytes.owning(new byte[20 << 10])).error("ERR of the first one");
        writer.begin(false);
        assertThat(writer.hasErrors()).isFalse();
        assertThat(new String(bytes(writer.nil().toPieces()), StandardCharsets.US_ASCII))
                .isEqualTo("$-1\r\n");
    }
}
