package dev.kv.storage.log;

import dev.kv.storage.format.Damaged;
import dev.kv.storage.format.Folder;
import dev.kv.storage.format.Format;
import dev.kv.storage.format.Layout;
import dev.kv.storage.format.Mark;
import dev.kv.storage.format.SegmentHeader;
import dev.kv.storage.format.SegmentList;
import dev.kv.storage.format.SegmentName;
import dev.kv.storage.log.Chain.Fault;
import dev.kv.storage.log.Chain.Kind;
import dev.kv.storage.log.Chain.Part;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/** Builds a {@link Chain} from the headers of the segments, the list and the mark. */
final class ChainBuilder {
    private static final long SEGMENT_MAX_BYTES = SegmentHeader.BYTES + Layout.CHANGE_MAX_BYTES;

    private final Path folder;
    private final Format format;
    private Optional<SegmentList> list = Optional.empty();
    private Optional<Mark.Position> mark = Optional.empty();
    private final List<Part> parts = new ArrayList<>();
    private final List<SegmentName> others = new ArrayList<>();
    private final List<SegmentName> cut = new ArrayList<>();
    private final List<Fault> faults = new ArrayList<>();

    /** Ends of segments by number, from the header of the segment that was written after each. */
    private final Map<Long, Long> ends = new HashMap<>();

    /** Numbers of the segments after the last listed one. */
    private final Set<Long> tail = new HashSet<>();

    ChainBuilder(Path folder, Format format) {
        this.folder = folder;
        this.format = format;
    }

    /** See {@link Chain#whole}. */
    Chain whole(List<SegmentName> names) throws IOException {
        for (SegmentName name : names) {
            add(name, false);
        }
        parts.replaceAll(part -> part.endingAt(part.end()));
        return chain(0);
    }

    /** See {@link Chain#of}. */
    Chain dataFolder() throws IOException {
        Set<SegmentName> names = new TreeSet<>(Folder.segments(folder));
        if (format.hasIds()) {
            readList();
        }
        readMark();
        long lastNumber = names.stream().mapToLong(SegmentName::number).max().orElse(0);
        if (list.isPresent()) {
            takeListed(names);
            long through = list.get().through();
            names.removeIf(name -> name.number() <= through && others.add(name));
            takeTail(names, through);
            lastNumber = Math.max(lastNumber, through);
        } else {
            takeNewest(names);
        }
        if (format.hasIds() && mark.isPresent()) {
            checkMark(mark.get());
        }
        return chain(Math.max(lastNumber, mark.map(Mark.Position::number).orElse(0L)));
    }

    private Chain chain(long lastNumber) {
        parts.replaceAll(part -> {
            Long end = ends.get(part.name().number());
            return part.isOpenEnded() && end != null ? part.endingAt(end) : part;
        });
        parts.removeIf(part -> part.end() > SEGMENT_MAX_BYTES && faults.add(tooLong(part)));
        return new Chain(folder, format, list, mark, parts, others, cut, faults, lastNumber);
    }

    private Fault tooLong(Part part) {
        String what = "it has %d bytes, and no segment has more than %d".formatted(part.end(), SEGMENT_MAX_BYTES);
        return new Fault(Kind.FOREIGN, folder.resolve(part.name().log()), what);
    }

    private void readList() throws IOException {
        Path file = folder.resolve(SegmentList.FILE);
        try {
            list = SegmentList.read(folder);
            if (list.isEmpty()) {
                faults.add(new Fault(Kind.LIST, file, "it is missing"));
            } else if (list.isPresent() && list.get().id() != format.id()) {
                faults.add(new Fault(
                        Kind.LIST,
                        file,
                        "it is of another data folder, %016x"
                                .formatted(list.get().id())));
                list = Optional.empty();
            }
        } catch (Damaged e) {
            faults.add(new Fault(Kind.LIST, file, e.what()));
        }
    }

    private void readMark() throws IOException {
        try {
            mark = Mark.read(folder, format);
        } catch (Damaged e) {
            faults.add(new Fault(Kind.MARK, e.file(), e.what()));
        }
    }

    /** Adds the listed segments, and removes their names from {@code names}. */
    private void takeListed(Set<SegmentName> names) throws IOException {
        for (SegmentList.Entry entry : list.orElseThrow().segments()) {
            Path file = folder.resolve(entry.name().log());
            if (!names.remove(entry.name())) {
                faults.add(new Fault(Kind.MISSING, file, "it is missing"));
                continue;
            }
            int before = parts.size();
            Optional<SegmentHeader> header = add(entry.name(), false);
            if (parts.size() == before) {
                continue;
            }
            Part part = parts.removeLast();
            if (header.isPresent() && header.get().checksum() != entry.headerChecksum()) {
                faults.add(new Fault(Kind.FOREIGN, file, "its header is not the one on the list of segments"));
                continue;
            }
            parts.add(part.endingAt(entry.bytes()));
        }
    }

    /** Adds the segments after the last listed one. The header of each has the number and the end of its predecessor. */
    private void takeTail(Set<SegmentName> names, long through) throws IOException {
        long before = through;
        for (SegmentName name : names) {
            if (name.rewrite() > 0) {
                // The process ended before the list named it.
                others.add(name);
                continue;
            }
            int partsBefore = parts.size();
            Optional<SegmentHeader> header = add(name, true);
            if (isCut(name, header, partsBefore)) {
                cutOff(name, names);
                return;
            }
            if (header.isPresent()) {
                ends.put(header.get().previous(), header.get().previousEnd());
                if (header.get().previous() > before) {
                    missing(header.get().previous(), name.log() + " was written after it");
                } else if (header.get().previous() < before) {
                    faults.add(new Fault(
                            Kind.FOREIGN, folder.resolve(name.log()), "its header names another predecessor"));
                }
            }
            tail.add(name.number());
            before = name.number();
        }
    }

    private void missing(long number, String why) {
        Path file = folder.resolve(new SegmentName(number, 0).log());
        faults.add(new Fault(Kind.MISSING, file, "it is missing: " + why));
    }

    /** Adds the newest rewrite of each number, for a folder without a list. */
    private void takeNewest(Set<SegmentName> names) throws IOException {
        List<SegmentName> newest = new ArrayList<>();
        for (SegmentName name : names) {
            if (!newest.isEmpty() && newest.getLast().number() == name.number()) {
                others.add(newest.removeLast());
            }
            newest.add(name);
        }
        for (SegmentName name : newest) {
            int before = parts.size();
            Optional<SegmentHeader> header = add(name, false);
            if (isCut(name, header, before)) {
                cutOff(name, newest);
                return;
            }
            header.filter(says -> says.previous() != 0).ifPresent(this::follow);
            tail.add(name.number());
        }
    }

    /** Whether the header of a segment never reached the disk. */
    private boolean isCut(SegmentName name, Optional<SegmentHeader> header, int partsBefore) {
        boolean isDamaged = header.isEmpty() && parts.size() > partsBefore;
        return isDamaged && mark.isPresent() && !mark.get().isBehind(name.number(), 0);
    }

    private void cutOff(SegmentName from, Iterable<SegmentName> names) {
        parts.removeLast();
        for (SegmentName name : names) {
            if (name.compareTo(from) >= 0) {
                cut.add(name);
            }
        }
    }

    /** Sets the end of the predecessor of the last part from the header of that part; parts between the two do not count. */
    private void follow(SegmentHeader header) {
        Part last = parts.removeLast();
        while (!parts.isEmpty() && parts.getLast().name().number() > header.previous()) {
            others.add(parts.removeLast().name());
        }
        ends.put(header.previous(), header.previousEnd());
        parts.add(last);
    }

    /**
     * Adds a segment, unless its header is that of another one.
     *
     * @param isTail whether it is not listed, so that it must have been written in this folder
     * @return its header; empty if the segment was not added, or the header is damaged
     */
    private Optional<SegmentHeader> add(SegmentName name, boolean isTail) throws IOException {
        Path file = folder.resolve(name.log());
        try (Segment segment = Segment.openToRead(file, name)) {
            boolean isOpenEnded = name.rewrite() == 0;
            SegmentHeader header;
            try {
                header = SegmentHeader.of(segment.memory(), file);
            } catch (Damaged e) {
                parts.add(new Part(name, segment.capacity(), isOpenEnded, Optional.of(e)));
                return Optional.empty();
            }
            if (isForeign(header, isTail)) {
                String what = "it is of another data folder, %016x".formatted(header.folder());
                faults.add(new Fault(Kind.FOREIGN, file, what));
                return Optional.empty();
            }
            if (!header.name().equals(name)) {
                String what = "its header is that of another segment, "
                        + header.name().log();
                faults.add(new Fault(Kind.MISPLACED, file, what, Optional.of(header.name())));
                return Optional.empty();
            }
            parts.add(new Part(name, segment.capacity(), isOpenEnded, Optional.empty()));
            return Optional.of(header);
        }
    }

    private boolean isForeign(SegmentHeader header, boolean isTail) {
        if (!format.hasIds()) {
            return false;
        }
        if (header.version() == 1) {
            return isTail;
        }
        return isTail ? header.folder() != format.id() : !format.isOwn(header.folder());
    }

    /** Reports a fault if the segment of the mark is missing. */
    private void checkMark(Mark.Position position) {
        long through = list.map(SegmentList::through).orElse(0L);
        if (position.number() > through && !tail.contains(position.number())) {
            missing(position.number(), "the log is known to reach byte " + position.offset() + " of it");
        }
    }
}
