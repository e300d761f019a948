package dev.kv.storage.format;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.Optional;
import java.util.zip.CRC32C;

/** Text files whose last line holds the checksum of the lines before. */
final class SealedText {
    /** Longest text that is read, in bytes: 340 000 lines of a list of files, five times as many as a process may map. */
    private static final int MAX_BYTES = 16 << 20;

    private static final String LAST = "checksum ";

    private SealedText() {}

    static String checksum(String text) {
        CRC32C crc = new CRC32C();
        crc.update(text.getBytes(ISO_8859_1));
        return HexFormat.of().toHexDigits((int) crc.getValue());
    }

    /** Replaces a file as a whole. */
    static void write(Path file, String lines) throws IOException {
        DurableFiles.replace(file, (lines + last(lines)).getBytes(US_ASCII));
    }

    /** The lines before the last one; empty if the checksum is wrong. */
    static Optional<String> read(Path file) throws IOException {
        if (Files.size(file) > MAX_BYTES) {
            return Optional.empty();
        }
        String text = new String(DurableFiles.read(file, MAX_BYTES), ISO_8859_1);
        int end = text.lastIndexOf(LAST);
        if (end < 0 || !text.substring(end).equals(last(text.substring(0, end)))) {
            return Optional.empty();
        }
        return Optional.of(text.substring(0, end));
    }

    private static String last(String lines) {
        return LAST + checksum(lines) + "\n";
    }
}
