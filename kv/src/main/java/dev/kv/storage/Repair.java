package dev.kv.storage;

import dev.kv.router.spi.Engine.Checked;
import dev.kv.router.spi.Engine.Damage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Sets the damaged bytes of a data folder aside and rewrites their segments without them, so that a node can start. Each step
 * leaves a folder that can be repaired again.
 */
final class Repair {
    private static final String ASIDE = "damaged";

    private final Folder folder;
    private final Chain chain;
    private final Consumer<Damage> found;
    private long files;
    private long bytes;
    private long records;
    private long damages;
    private long generation;

    private Repair(Folder folder, Chain chain, Consumer<Damage> found) {
        this.folder = folder;
        this.chain = chain;
        this.found = damage -> {
            damages++;
            found.accept(damage);
        };
    }

    static Checked of(Folder folder, Consumer<Damage> found) throws IOException {
        return new Repair(folder, Chain.of(folder.path()), found).run();
    }

    private Checked run() throws IOException {
        List<Chain.Part> parts = chain.parts();
        Mark.Position last = new Mark.Position(0, 0, 0);
        for (int i = 0; i < parts.size(); i++) {
            Chain.Part part = parts.get(i);
            try (Segment segment = chain.open(part)) {
                Survey survey = Verification.survey(chain, part, segment, found);
                files++;
                records += survey.records();
                generation = Math.max(generation, survey.generation());
                long end = survey.end();
                boolean isDamaged =
                        part.damage().isPresent() || !survey.damaged().isEmpty();
                if (isDamaged) {
                    end = rewrite(part, segment, survey);
                } else {
                    repairHint(part, segment);
                }
                bytes += end;
                last = new Mark.Position(part.name().number(), end, generation);
                if (survey.isTorn()) {
                    // What was torn ends the log at the next start; once it is gone, nothing would say so any more.
                    if (isDamaged) {
                        setAside(parts.subList(i + 1, parts.size()));
                    }
                    break;
                }
            }
        }
        repairMark(last);
        return new Checked(files, bytes, records, damages);
    }

    /** Puts a segment of what is sound in the place of another one; tells where it ends. */
    private long rewrite(Chain.Part part, Segment segment, Survey survey) throws IOException {
        if (part.damage().isPresent()) {
            setAside(part, new Survey.Range(0, Math.min(SegmentHeader.BYTES, segment.end())));
        }
        for (Survey.Range range : survey.damaged()) {
            setAside(part, range);
        }
        long sound = survey.sound().stream().mapToLong(Survey.Range::bytes).sum();
        Segment.Name name = new Segment.Name(part.name().number(), part.name().rewrite() + 1);
        Path unfinished = folder.unfinished(name.toString());
        Files.deleteIfExists(unfinished);
        try (Segment rewritten = Segment.create(unfinished, name, SegmentHeader.BYTES + sound)) {
            // It still says where the one before it ends.
            rewritten.begin(part.header().previous(), part.header().previousEnd());
            for (Survey.Range range : survey.sound()) {
                rewritten.append(segment, range.from(), range.to());
            }
            rewritten.seal();
            rewritten.moveTo(folder.log(name));
            folder.sync();
            folder.remove(part.name());
            folder.sync();
            return rewritten.end();
        }
    }

    private void setAside(Chain.Part part, Survey.Range range) throws IOException {
        Path aside = folder.path().resolve(ASIDE);
        Folder.make(aside);
        Path file = aside.resolve(part.name() + "-" + range.from());
        Folder.copy(chain.log(part), range.from(), range.bytes(), file);
        Folder.sync(aside);
    }

    private void setAside(List<Chain.Part> parts) throws IOException {
        for (Chain.Part part : parts.reversed()) {
            found.accept(new Damage(
                    chain.log(part),
                    0,
                    part.end(),
                    "it follows what was never known to be on the disk, and is not whole"));
            setAside(part, new Survey.Range(0, part.end()));
            folder.remove(part.name());
        }
        folder.sync();
    }

    private void repairHint(Chain.Part part, Segment segment) throws IOException {
        Optional<Damage> damage = Verification.damageOfHint(chain, part, segment);
        if (damage.isPresent()) {
            found.accept(damage.get());
            Files.delete(folder.hint(part.name()));
        }
    }

    private void repairMark(Mark.Position last) throws IOException {
        Optional<Damage> damage = Verification.damageOfMark(chain);
        if (damage.isPresent()) {
            found.accept(damage.get());
            try (Mark mark = Mark.open(folder.path())) {
                mark.set(last);
                mark.sync();
            }
        }
    }
}
