package dev.kv.storage.log;

import dev.kv.router.config.BadStart;
import dev.kv.router.spi.Engine.Damage;
import dev.kv.storage.format.Damaged;
import dev.kv.storage.format.Format;
import dev.kv.storage.format.Mark;
import dev.kv.storage.format.SegmentList;
import dev.kv.storage.format.SegmentName;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * The segments of a folder that count, in their order, each with its end, by the list of segments and the headers; and the files that
 * are missing or foreign. It reads headers alone, and changes nothing. A start, a verification, a repair and a backup begin with it.
 *
 * @param mark how far the log is known to be on the disk behind the list; empty if no mark is sound
 * @param parts in the order of the log
 * @param others segments that do not count: compaction or a rescue has replaced them
 * @param cut segments at the end whose headers never reached the disk
 * @param lastNumber the highest segment number in any file
 */
public record Chain(
        Path folder,
        Format format,
        Optional<SegmentList> list,
        Optional<Mark.Position> mark,
        List<Part> parts,
        List<SegmentName> others,
        List<SegmentName> cut,
        List<Fault> faults,
        long lastNumber) {
    /**
     * A segment.
     *
     * @param end where it ends; of one that may end earlier, in zeros, the end of its file
     * @param isOpenEnded whether it may end earlier
     * @param damage what is wrong with its header
     */
    public record Part(SegmentName name, long end, boolean isOpenEnded, Optional<Damaged> damage) {
        Part endingAt(long offset) {
            return new Part(name, offset, false, damage);
        }
    }

    public Chain {
        parts = List.copyOf(parts);
        others = List.copyOf(others);
        cut = List.copyOf(cut);
        faults = List.copyOf(faults);
    }

    /** What is wrong with a file as a whole, with the advice for it. */
    public enum Kind {
        MISSING("without it the other segments give wrong answers: put it back, or restore a backup"),
        FOREIGN("put back the one that was written here, or restore a backup"),
        MISPLACED("`kv repair` gives it its own name again"),
        LIST("`kv repair` makes a new one of the segments that are there"),
        MARK("`kv repair` makes a new one");

        private final String advice;

        Kind(String advice) {
            this.advice = advice;
        }
    }

    /**
     * A file that is missing, or is not the one that has to be there.
     *
     * @param is the segment that it is, if it is {@link Kind#MISPLACED}
     */
    public record Fault(Kind kind, Path file, String what, Optional<SegmentName> is) {
        Fault(Kind kind, Path file, String what) {
            this(kind, file, what, Optional.empty());
        }

        public BadStart refusal() {
            return new BadStart(file + ": " + what + "; " + kind.advice);
        }

        public Damage damage() throws IOException {
            return new Damage(file, 0, Files.exists(file) ? Files.size(file) : 0, what);
        }
    }

    /** The chain of a data folder. */
    public static Chain of(Path folder, Format format) throws IOException {
        return new ChainBuilder(folder, format).dataFolder();
    }

    /** The chain of segments that are known to be on the disk as they are, in their order. */
    public static Chain whole(Path folder, Format format, List<SegmentName> names) throws IOException {
        return new ChainBuilder(folder, format).whole(names);
    }

    /**
     * Refuses a folder with a file that is not what has to be there.
     *
     * @throws BadStart if there is one
     */
    public void refuseFaults() {
        if (!faults.isEmpty()) {
            throw faults.getFirst().refusal();
        }
    }

    /**
     * The damage of the mark, unless it is a fault. One damaged place of its two is none: the power failed during its write.
     */
    public Optional<Damage> damageOfMark() throws IOException {
        Path file = folder.resolve(Mark.FILE);
        boolean isFault = faults.stream().anyMatch(fault -> fault.file().equals(file));
        if (parts.isEmpty() || mark.isPresent() || isFault) {
            return Optional.empty();
        }
        return Optional.of(
                Files.exists(file)
                        ? new Damage(file, 0, Files.size(file), "none of the two marks is sound")
                        : new Damage(file, 0, 0, "it is missing"));
    }

    /** Whether the list names a part, so that all of it is on the disk. */
    boolean isListed(Part part) {
        return list.isPresent() && part.name().number() <= list.get().through();
    }

    /** Whether all of a part is known to be on the disk. */
    public boolean isOnDisk(Part part) {
        return isListed(part)
                || mark.isEmpty()
                || part.name().number() < mark.get().number();
    }

    /** Whether the offset of a part was never known to be on the disk. Without a mark, all of it may have been. */
    boolean isDoubtful(Part part, long offset) {
        return !isListed(part)
                && mark.isPresent()
                && !mark.get().isBehind(part.name().number(), offset);
    }

    /** Offset up to which a part is known to be on the disk. */
    long known(Part part) {
        return mark.filter(position -> position.number() == part.name().number())
                .map(Mark.Position::offset)
                .orElse(0L);
    }

    /** Maps a part, for reading alone. */
    public Segment open(Part part) throws IOException {
        Segment segment = Segment.openToRead(log(part), part.name());
        segment.endAt(Math.min(part.end(), segment.capacity()));
        return segment;
    }

    public Path log(Part part) {
        return folder.resolve(part.name().log());
    }

    /** The hint of a part, if there is one. */
    public Optional<Path> hint(Part part) {
        return Optional.of(folder.resolve(part.name().hint())).filter(Files::exists);
    }
}
