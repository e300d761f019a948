package dev.kv.storage.format;

import static java.nio.file.StandardOpenOption.READ;

import dev.kv.router.spi.EngineFailed;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.CRC32C;

/**
 * The list of the files that make a backup; {@code docs/format.md} describes it.
 *
 * @param files by their names
 */
public record Manifest(SortedMap<String, Content> files) {
    static final String FILE = "manifest";

    private static final int BUFFER_BYTES = 1 << 16;

    private static final String TITLE = "kv storage backup 1\n";
    private static final Pattern LINE = Pattern.compile("([0-9a-z-]+(?:[.](?:log|hint))?) ([0-9]{1,18}) ([0-9a-f]{8})");

    /** Length and checksum of a file. */
    public record Content(long bytes, int checksum) {
        /** Reads a file. */
        public static Content of(Path file) throws IOException {
            CRC32C crc = new CRC32C();
            ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_BYTES);
            try (FileChannel channel = FileChannel.open(file, READ)) {
                while (channel.read(buffer) >= 0) {
                    crc.update(buffer.flip());
                    buffer.clear();
                }
            }
            return new Content(Files.size(file), (int) crc.getValue());
        }

        /** Whether a file holds this. One of another length is not read. */
        public boolean isThatOf(Path file) throws IOException {
            return Files.size(file) == bytes && of(file).equals(this);
        }
    }

    /**
     * The manifest of a backup; empty if none was completed there.
     *
     * @throws EngineFailed if it is damaged
     */
    public static Optional<Manifest> read(Path backup) throws IOException {
        Path file = backup.resolve(FILE);
        if (!Files.exists(file)) {
            return Optional.empty();
        }
        String lines = SealedText.read(file).orElse("");
        if (!lines.startsWith(TITLE)) {
            throw new EngineFailed(file + " is damaged: this backup cannot be used; choose another one");
        }
        SortedMap<String, Content> files = new TreeMap<>();
        lines.substring(TITLE.length()).lines().forEach(line -> {
            Matcher parts = LINE.matcher(line);
            if (!parts.matches()) {
                throw new EngineFailed(
                        file + " names a file that this release does not know: use the one that wrote it");
            }
            files.put(
                    parts.group(1),
                    new Content(Long.parseLong(parts.group(2)), Integer.parseUnsignedInt(parts.group(3), 16)));
        });
        return Optional.of(new Manifest(files));
    }

    /** Replaces the file as a whole. */
    public void write(Path backup) throws IOException {
        StringBuilder text = new StringBuilder(TITLE);
        for (Map.Entry<String, Content> file : files.entrySet()) {
            Content content = file.getValue();
            text.append("%s %d %08x\n".formatted(file.getKey(), content.bytes(), content.checksum()));
        }
        SealedText.write(backup.resolve(FILE), text.toString());
    }

    public long bytes() {
        return files.values().stream().mapToLong(Content::bytes).sum();
    }
}
