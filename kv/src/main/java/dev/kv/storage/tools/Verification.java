package dev.kv.storage.tools;

import dev.kv.router.spi.Engine.Checked;
import dev.kv.router.spi.Engine.Damage;
import dev.kv.storage.format.Folder;
import dev.kv.storage.format.Mark;
import dev.kv.storage.format.SegmentHeader;
import dev.kv.storage.log.Chain;
import dev.kv.storage.log.Segment;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Consumer;

/** Reads all that a data folder holds, and tells what is not what was written. Changes nothing. */
public final class Verification {
    private final Chain chain;
    private final Consumer<String> doing;
    private final Consumer<Damage> found;
    private long files;
    private long bytes;
    private long records;
    private long damages;

    private Verification(Chain chain, Consumer<String> doing, Consumer<Damage> found) {
        this.chain = chain;
        this.doing = doing;
        this.found = damage -> {
            damages++;
            found.accept(damage);
        };
    }

    /**
     * Checks a folder.
     *
     * @param doing is told from time to time how far it is, for people
     */
    public static Checked of(Folder folder, Consumer<String> doing, Consumer<Damage> found) throws IOException {
        return new Verification(Chain.of(folder.path(), folder.format()), doing, found).run();
    }

    private Checked run() throws IOException {
        damageOfMark(chain).ifPresent(found);
        for (Chain.Fault fault : chain.faults()) {
            found.accept(fault.damage());
        }
        for (Chain.Part part : chain.parts()) {
            doing.accept("segment " + ++files + " of " + chain.parts().size());
            try (Segment segment = chain.open(part)) {
                Survey survey = survey(chain, part, segment, found);
                records += survey.records();
                bytes += survey.end();
                damageOfHint(chain, part, segment).ifPresent(found);
                if (survey.isTorn()) {
                    break;
                }
            }
        }
        return new Checked(files, bytes, records, damages);
    }

    /** Checks a part alone; tells how many sound records it holds. */
    static long verify(Chain chain, Chain.Part part, Consumer<Damage> found) throws IOException {
        try (Segment segment = chain.open(part)) {
            return survey(chain, part, segment, found).records();
        }
    }

    /** Looks at a part with its header. */
    static Survey survey(Chain chain, Chain.Part part, Segment segment, Consumer<Damage> found) {
        part.damage().ifPresent(damage -> {
            long bytes = Math.min(SegmentHeader.BYTES, part.end());
            found.accept(new Damage(damage.file(), 0, bytes, damage.what()));
        });
        return Survey.of(chain, part, segment, found);
    }

    /** What is wrong with the mark. One of its two places may be: the power failed while that was written. */
    static Optional<Damage> damageOfMark(Chain chain) throws IOException {
        Path mark = chain.folder().resolve(Mark.FILE);
        boolean isTold = chain.faults().stream().anyMatch(fault -> fault.file().equals(mark));
        if (chain.parts().isEmpty() || chain.mark().isPresent() || isTold) {
            return Optional.empty();
        }
        return Optional.of(
                Files.exists(mark)
                        ? new Damage(mark, 0, Files.size(mark), "none of the two marks is sound")
                        : new Damage(mark, 0, 0, "it is missing"));
    }

    /** What is wrong with the hint of a part; nothing is lost with it. */
    static Optional<Damage> damageOfHint(Chain chain, Chain.Part part, Segment segment) throws IOException {
        Optional<Path> hint = chain.hint(part);
        if (hint.isEmpty() || part.damage().isPresent() || segment.hint().isSound(hint.get(), chain.format())) {
            return Optional.empty();
        }
        return Optional.of(new Damage(
                hint.get(), 0, Files.size(hint.get()), "it is not the hint of its segment, and is of no use"));
    }
}
