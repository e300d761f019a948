package dev.kv.storage;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Which segments of a folder count, and up to where, by what they say of each other; what {@link Recovery} would read. Looks at
 * headers alone, and changes nothing.
 *
 * @param synced how far the log is known to be on the disk; without a sound mark, all of it
 * @param parts in the order of the log
 */
record Chain(Path folder, Mark.Position synced, List<Part> parts) {
    /**
     * A segment.
     *
     * @param end where it ends at the latest
     * @param isOpenEnded whether it may end earlier, in zeros
     * @param header what it says of itself, as far as that is sound
     * @param damage what is wrong with its header
     */
    record Part(Segment.Name name, long end, boolean isOpenEnded, SegmentHeader header, Optional<Damaged> damage) {
        Part endingAt(long offset) {
            return new Part(name, Math.min(end, offset), false, header, damage);
        }
    }

    private static final Mark.Position ALL = new Mark.Position(Long.MAX_VALUE, Long.MAX_VALUE, 0);

    /** The chain of a data folder. */
    static Chain of(Path folder) throws IOException {
        return of(folder, newest(Folder.segments(folder)), Mark.read(folder).orElse(ALL));
    }

    /** The chain of segments that are known to be on the disk as they are, in their order. */
    static Chain of(Path folder, List<Segment.Name> names) throws IOException {
        return of(folder, names, ALL);
    }

    private static Chain of(Path folder, List<Segment.Name> names, Mark.Position synced) throws IOException {
        List<Part> parts = new ArrayList<>();
        Map<Long, Long> ends = new HashMap<>();
        for (Segment.Name name : names) {
            Part part = part(folder, name);
            if (part.damage().isPresent() && !synced.isBehind(name.number(), 0)) {
                break;
            }
            SegmentHeader header = part.header();
            if (header.previous() != 0) {
                ends.put(header.previous(), header.previousEnd());
                while (!parts.isEmpty() && parts.getLast().name().number() > header.previous()) {
                    parts.removeLast();
                }
            }
            parts.add(part);
        }
        parts.replaceAll(part -> {
            Long end = ends.get(part.name().number());
            return part.isOpenEnded() && end != null ? part.endingAt(end) : part;
        });
        return new Chain(folder, synced, List.copyOf(parts));
    }

    private static List<Segment.Name> newest(List<Segment.Name> names) {
        List<Segment.Name> newest = new ArrayList<>();
        for (Segment.Name name : names) {
            if (!newest.isEmpty() && newest.getLast().number() == name.number()) {
                newest.removeLast();
            }
            newest.add(name);
        }
        return newest;
    }

    private static Part part(Path folder, Segment.Name name) throws IOException {
        Path file = folder.resolve(name.log());
        try (Segment segment = Segment.openToRead(file, name)) {
            boolean isOpenEnded = name.rewrite() == 0;
            try {
                return new Part(name, segment.end(), isOpenEnded, segment.header(), Optional.empty());
            } catch (Damaged e) {
                return new Part(name, segment.end(), isOpenEnded, new SegmentHeader(name, 0, 0), Optional.of(e));
            }
        }
    }

    /** Whether the offset of a part was never known to be on the disk. */
    boolean isDoubtful(Part part, long offset) {
        return !synced.isBehind(part.name().number(), offset);
    }

    /** Maps a part, for reading alone. */
    Segment open(Part part) throws IOException {
        Segment segment = Segment.openToRead(log(part), part.name());
        segment.endAt(part.end());
        return segment;
    }

    Path log(Part part) {
        return folder.resolve(part.name().log());
    }

    /** The hint of a part, if there is one. */
    Optional<Path> hint(Part part) {
        return Optional.of(folder.resolve(part.name().hint())).filter(Files::exists);
    }
}
