package dev.kv.storage.tools;

import static java.nio.file.StandardCopyOption.ATOMIC_MOVE;

import dev.kv.router.OperatorError;
import dev.kv.router.spi.Engine.Checked;
import dev.kv.router.spi.Engine.Damage;
import dev.kv.router.spi.EngineFailed;
import dev.kv.storage.format.DurableFiles;
import dev.kv.storage.format.Folder;
import dev.kv.storage.format.Mark;
import dev.kv.storage.format.SegmentHeader;
import dev.kv.storage.format.SegmentList;
import dev.kv.storage.format.SegmentName;
import dev.kv.storage.log.Chain;
import dev.kv.storage.log.Reserves;
import dev.kv.storage.log.Segment;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Moves the damaged bytes of a data folder aside and rewrites their segments without them, so that a node can start. The new
 * segments count once the list of segments names them; each step before that leaves a folder that can be repaired again. A folder
 * with a missing segment is refused and left as it is.
 */
public final class Repair {
    private static final Logger LOG = LoggerFactory.getLogger(Repair.class);

    private static final String ASIDE = "damaged";

    /** Suffix of a misnamed segment on its way to its own name. */
    private static final String PUT_BACK = ".putback";

    private final Folder folder;
    private final Consumer<String> doing;
    private final Tally found;
    private Chain chain;
    private final List<SegmentList.Entry> sound = new ArrayList<>();
    private final List<SegmentName> dropped = new ArrayList<>();
    private long generation;

    /** Where damaged bytes were copied to. */
    private Optional<Path> aside = Optional.empty();

    private Repair(Folder folder, Consumer<String> doing, Consumer<Damage> found) {
        this.folder = folder;
        this.doing = doing;
        this.found = new Tally(found);
    }

    /**
     * Repairs a folder.
     *
     * @param doing receives the progress from time to time, as text
     * @throws OperatorError if a segment is missing, or another one is in its place
     */
    public static Checked of(Folder folder, Consumer<String> doing, Consumer<Damage> found) throws IOException {
        return new Repair(folder, doing, found).run();
    }

    private Checked run() throws IOException {
        folder.removeUnfinished();
        finishPutBack();
        chain = Chain.of(folder.path(), folder.format());
        putBack();
        for (Chain.Fault fault : chain.faults()) {
            if (fault.kind() == Chain.Kind.MISSING || fault.kind() == Chain.Kind.FOREIGN) {
                throw fault.refusal();
            }
            found.accept(fault.damage());
        }
        Optional<Damage> ofMark = chain.damageOfMark();
        ofMark.ifPresent(found);
        for (Chain.Part part : chain.parts()) {
            doing.accept("segment " + found.file() + " of " + chain.parts().size());
            if (repair(part)) {
                break;
            }
        }
        if (!found.isClean()) {
            complete();
        }
        Checked checked = found.checked();
        return new Checked(checked.files(), checked.bytes(), checked.records(), checked.damages(), aside);
    }

    /** Renames segments whose files have the names of other segments. Nothing is lost by that. */
    private void putBack() throws IOException {
        List<Chain.Fault> misplaced = chain.faults().stream()
                .filter(fault -> fault.kind() == Chain.Kind.MISPLACED)
                .toList();
        List<Path> free = misplaced.stream().map(Chain.Fault::file).toList();
        Set<Path> taken = new HashSet<>();
        for (Chain.Fault fault : misplaced) {
            Path own = folder.log(fault.is().orElseThrow());
            if (!taken.add(own) || (Files.exists(own) && !free.contains(own))) {
                throw new EngineFailed(
                        "%s: %s, which is there, too; put back the one that was written here, or restore a backup"
                                .formatted(fault.file(), fault.what()));
            }
        }
        for (Chain.Fault fault : misplaced) {
            found.accept(fault.damage());
            Files.move(fault.file(), folder.path().resolve(fault.is().orElseThrow() + PUT_BACK), ATOMIC_MOVE);
        }
        if (!misplaced.isEmpty()) {
            folder.sync();
            finishPutBack();
            chain = Chain.of(folder.path(), folder.format());
        }
    }

    private void finishPutBack() throws IOException {
        List<Path> halfWay;
        try (Stream<Path> all = Files.list(folder.path())) {
            halfWay = all.filter(file -> file.toString().endsWith(PUT_BACK)).toList();
        }
        for (Path file : halfWay) {
            String name = file.getFileName().toString();
            String own = name.substring(0, name.length() - PUT_BACK.length()) + ".log";
            if (SegmentName.of(own) == null || Files.exists(file.resolveSibling(own))) {
                throw new EngineFailed(
                        "%s: it is not from a repair, since %s is not a free name of a segment; move it away"
                                .formatted(file, own));
            }
            Files.move(file, file.resolveSibling(own), ATOMIC_MOVE);
        }
        folder.sync();
    }

    /** Repairs a segment; returns whether the log ends in it. */
    private boolean repair(Chain.Part part) throws IOException {
        try (Segment segment = chain.open(part)) {
            Inspection inspection = Verification.inspect(chain, part, segment, found);
            found.records(inspection.records());
            generation = Math.max(generation, inspection.generation());
            if (part.damage().isPresent() || !inspection.damaged().isEmpty()) {
                writeInAnyCase(() -> rewrite(part, segment, inspection));
            } else {
                repairHint(part, segment);
                segment.endAt(inspection.end());
                segment.header();
                sound.add(segment.entry());
            }
            found.bytes(sound.getLast().bytes());
            return inspection.isTorn();
        }
    }

    private void writeInAnyCase(Reserves.Writing writing) throws IOException {
        Reserves.writeInAnyCase(folder.path(), writing);
    }

    /** Replaces a segment by one with its sound records alone. If that fails, it can be called again. */
    private void rewrite(Chain.Part part, Segment segment, Inspection inspection) throws IOException {
        if (part.damage().isPresent()) {
            setAside(part, new Inspection.Range(0, SegmentHeader.BYTES));
        }
        for (Inspection.Range range : inspection.damaged()) {
            setAside(part, range);
        }
        long soundBytes =
                inspection.sound().stream().mapToLong(Inspection.Range::bytes).sum();
        SegmentName name = new SegmentName(part.name().number(), part.name().rewrite() + 1);
        Path unfinished = folder.unfinished(name.toString());
        Files.deleteIfExists(unfinished);
        Files.deleteIfExists(folder.hint(name));
        try (Segment rewritten = Segment.create(unfinished, name, SegmentHeader.BYTES + soundBytes)) {
            rewritten.begin(folder.format().id(), 0, 0);
            for (Inspection.Range range : inspection.sound()) {
                rewritten.append(segment, range.from(), range.to());
            }
            rewritten.seal();
            rewritten.moveTo(folder.log(name));
            sound.add(rewritten.entry());
        }
        dropped.add(part.name());
    }

    private void setAside(Chain.Part part, Inspection.Range range) throws IOException {
        long there = Math.min(range.to(), Files.size(chain.log(part))) - range.from();
        if (there > 0) {
            Path damaged = folder.path().resolve(ASIDE);
            Folder.make(damaged);
            aside = Optional.of(damaged);
            Path copy = damaged.resolve(part.name() + "-" + range.from());
            long unreadable = DurableFiles.copyReadable(chain.log(part), range.from(), there, copy);
            if (unreadable > 0) {
                LOG.warn("{} of the {} bytes in {} cannot be read, and are zeros there", unreadable, there, copy);
            }
            DurableFiles.sync(damaged);
        }
    }

    private void repairHint(Chain.Part part, Segment segment) throws IOException {
        Optional<Damage> damage = Verification.damageOfHint(chain, part, segment);
        if (damage.isPresent()) {
            found.accept(damage.get());
            Files.delete(folder.hint(part.name()));
        }
    }

    /** Makes the sound segments the log: list, mark, format; then removes all others. */
    private void complete() throws IOException {
        for (Chain.Part part :
                chain.parts().subList((int) found.files(), chain.parts().size())) {
            String what = "it follows an incomplete record";
            found.accept(new Damage(chain.log(part), 0, part.end(), what));
            writeInAnyCase(() -> setAside(part, new Inspection.Range(0, part.end())));
            dropped.add(part.name());
        }
        for (SegmentList.Entry entry : sound) {
            cut(entry);
        }
        folder.sync();
        SegmentList list = SegmentList.of(folder.format().id(), chain.lastNumber(), sound);
        writeInAnyCase(() -> list.write(folder.path()));
        markAll();
        writeInAnyCase(folder::upgrade);
        dropped.addAll(chain.others());
        dropped.addAll(chain.cut());
        // A segment may have the name of one that an earlier repair, or a compaction, did not complete.
        dropped.removeAll(sound.stream().map(SegmentList.Entry::name).toList());
        for (SegmentName name : dropped.reversed()) {
            folder.remove(name);
        }
        folder.sync();
    }

    /** Truncates a segment at its sound end and forces it onto the disk. */
    private void cut(SegmentList.Entry entry) throws IOException {
        try (Segment segment = Segment.open(folder.log(entry.name()), entry.name())) {
            segment.endAt(entry.bytes());
            segment.seal();
        }
    }

    private void markAll() throws IOException {
        SegmentList.Entry last = sound.isEmpty() ? null : sound.getLast();
        Mark.Position position = new Mark.Position(
                last == null ? 0 : last.name().number(),
                last == null ? 0 : last.bytes(),
                Math.max(generation, chain.mark().map(Mark.Position::generation).orElse(0L)));
        writeInAnyCase(() -> {
            try (Mark mark = Mark.open(folder.path(), folder.format().id(), Optional.of(position))) {
                mark.sync();
            }
        });
    }
}
