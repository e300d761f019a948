package dev.kv.storage.format;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The list of the segments of a data folder that no longer grow, in their order; {@code docs/format.md} describes it. A segment
 * up to the last number that is not in it was removed by compaction, and one that is in it and not in the folder is missing.
 *
 * @param id of the folder
 * @param through the highest number that it speaks for
 */
public record SegmentList(long id, long through, List<Entry> segments) {
    public static final String FILE = "segments";

    private static final String TITLE = "kv segments " + Layout.VERSION + "\n";
    private static final Pattern HEAD = Pattern.compile(TITLE + "folder ([0-9a-f]{16})\nthrough ([0-9a-f]{16})\n");

    /** One line at a time: a pattern for all lines would take a frame of the stack for each. */
    private static final Pattern LINE = Pattern.compile("([0-9a-f]{16}-[0-9]{1,9}) ([0-9]{1,18}) ([0-9a-f]{8})");

    private static final int HEX = 16;
    private static final String NOT_IT = "it is no sound list of segments";

    /**
     * A segment.
     *
     * @param bytes where it ends; its file may be longer
     * @param headerChecksum that of its header, which tells it from another one of the same name
     */
    public record Entry(SegmentName name, long bytes, int headerChecksum) {
        public Entry endingAt(long offset) {
            return new Entry(name, offset, headerChecksum);
        }
    }

    /** Makes a list; segments without records are left out. */
    public static SegmentList of(long id, long through, List<Entry> segments) {
        return new SegmentList(
                id,
                through,
                segments.stream()
                        .filter(segment -> segment.bytes() > SegmentHeader.BYTES)
                        .toList());
    }

    public SegmentList {
        segments = List.copyOf(segments);
    }

    /**
     * The list of a folder; empty if it has none.
     *
     * @throws Damaged if it is not as it was written
     */
    public static Optional<SegmentList> read(Path folder) throws IOException {
        Path file = folder.resolve(FILE);
        if (!Files.exists(file)) {
            return Optional.empty();
        }
        String text = SealedText.read(file).orElse("");
        Matcher head = HEAD.matcher(text);
        if (!head.lookingAt()) {
            throw new Damaged(file, 0, NOT_IT);
        }
        List<Entry> segments = new ArrayList<>();
        text.substring(head.end()).lines().forEach(line -> segments.add(entry(file, line)));
        SegmentList list = new SegmentList(
                Long.parseUnsignedLong(head.group(1), HEX), Long.parseUnsignedLong(head.group(2), HEX), segments);
        if (!list.isInOrder()) {
            throw new Damaged(file, 0, NOT_IT);
        }
        return Optional.of(list);
    }

    /** Whether each segment holds something, and follows the one before it. */
    private boolean isInOrder() {
        long before = 0;
        for (Entry segment : segments) {
            if (segment.bytes() <= SegmentHeader.BYTES || segment.name().number() <= before) {
                return false;
            }
            before = segment.name().number();
        }
        return before <= through;
    }

    private static Entry entry(Path file, String line) {
        Matcher words = LINE.matcher(line);
        SegmentName name = words.matches() ? SegmentName.of(words.group(1) + ".log") : null;
        if (name == null) {
            throw new Damaged(file, 0, NOT_IT);
        }
        return new Entry(name, Long.parseLong(words.group(2)), Integer.parseUnsignedInt(words.group(3), HEX));
    }

    /** Replaces the file as a whole. */
    public void write(Path folder) throws IOException {
        StringBuilder lines = new StringBuilder(TITLE);
        lines.append("folder %016x\nthrough %016x\n".formatted(id, through));
        for (Entry segment : segments) {
            lines.append("%s %d %08x\n".formatted(segment.name(), segment.bytes(), segment.headerChecksum()));
        }
        SealedText.write(folder.resolve(FILE), lines.toString());
    }
}
