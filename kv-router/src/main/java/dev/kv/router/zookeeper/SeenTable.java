package dev.kv.router.zookeeper;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.kv.router.table.RoutingTable;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Optional;

/**
 * A routing table that was read from a znode.
 *
 * @param source the znode's path
 * @param mzxid the transaction that wrote the text
 * @param text the text
 * @param sha256 the hash in hex of the canonical form, or of the text if it is not a table
 * @param table the table; empty if the text is rejected
 * @param reason why it is rejected; empty if it is not
 */
public record SeenTable(
        String source, long mzxid, String text, String sha256, Optional<RoutingTable> table, String reason) {

    /**
     * Reads the data of a znode.
     *
     * @param maxBytes more than this is rejected
     */
    public static SeenTable of(String source, long mzxid, byte[] data, long maxBytes) {
        if (data.length > maxBytes) {
            return rejected(
                    source,
                    mzxid,
                    "",
                    data,
                    "%d bytes, at most %d are taken (kv.router.table-max)".formatted(data.length, maxBytes));
        }
        String text;
        try {
            text = UTF_8.newDecoder().decode(ByteBuffer.wrap(data)).toString();
        } catch (CharacterCodingException e) {
            return rejected(source, mzxid, "", data, "the text is not UTF-8");
        }
        try {
            RoutingTable table = RoutingTable.parse(text);
            if (table.entries().isEmpty()) {
                return rejected(source, mzxid, text, data, "line 1, column 1: expected an entry, found an empty table");
            }
            return new SeenTable(source, mzxid, text, sha256(table.toString().getBytes(UTF_8)), Optional.of(table), "");
        } catch (RoutingTable.Malformed e) {
            return rejected(source, mzxid, text, data, e.getMessage());
        }
    }

    /** Whether this is the write that is read here. The text counts, too: another ZooKeeper counts from the beginning. */
    boolean isOf(String path, long transaction, byte[] data) {
        return mzxid == transaction && source.equals(path) && !text.isEmpty() && text.equals(new String(data, UTF_8));
    }

    /** Whether it is the same write of the same text. (The version does not tell: a znode that was created again starts at 0.) */
    boolean isSameAs(SeenTable other) {
        return mzxid == other.mzxid && source.equals(other.source) && sha256.equals(other.sha256);
    }

    private static SeenTable rejected(String source, long mzxid, String text, byte[] data, String reason) {
        return new SeenTable(source, mzxid, text, sha256(data), Optional.empty(), reason);
    }

    private static String sha256(byte[] data) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(data));
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java platform has SHA-256", e);
        }
    }
}
