package dev.kv.storage.tools;

import dev.kv.router.OperatorError;
import dev.kv.router.spi.Engine.Checked;
import dev.kv.router.spi.Engine.Damage;
import dev.kv.storage.format.Folder;
import dev.kv.storage.format.SegmentHeader;
import dev.kv.storage.log.Chain;
import dev.kv.storage.log.Segment;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Consumer;

/** Reads all of a data folder and reports what is damaged. Changes nothing. */
public final class Verification {
    private final Chain chain;
    private final Consumer<String> doing;
    private final Tally found;

    private Verification(Chain chain, Consumer<String> doing, Consumer<Damage> found) {
        this.chain = chain;
        this.doing = doing;
        this.found = new Tally(found);
    }

    /**
     * Checks a folder.
     *
     * @param doing receives the progress from time to time, as text
     */
    public static Checked of(Folder folder, Consumer<String> doing, Consumer<Damage> found) throws IOException {
        return new Verification(Chain.of(folder.path(), folder.format()), doing, found).run();
    }

    private Checked run() throws IOException {
        chain.damageOfMark().ifPresent(found);
        for (Chain.Fault fault : chain.faults()) {
            found.accept(fault.damage());
        }
        for (Chain.Part part : chain.parts()) {
            doing.accept("segment " + found.file() + " of " + chain.parts().size());
            try (Segment segment = chain.open(part)) {
                Inspection inspection = inspect(chain, part, segment, found);
                found.records(inspection.records());
                found.bytes(inspection.end());
                damageOfHint(chain, part, segment).ifPresent(found);
                if (inspection.isTorn()) {
                    break;
                }
            }
        }
        return found.checked();
    }

    /** Checks one segment; returns the number of its sound records. */
    static long verify(Chain chain, Chain.Part part, Consumer<Damage> found) throws IOException {
        try (Segment segment = chain.open(part)) {
            return inspect(chain, part, segment, found).records();
        }
    }

    /** Inspects a segment and its header. */
    static Inspection inspect(Chain chain, Chain.Part part, Segment segment, Consumer<Damage> found)
            throws IOException {
        part.damage().ifPresent(damage -> {
            long bytes = Math.min(SegmentHeader.BYTES, part.end());
            found.accept(new Damage(damage.file(), 0, bytes, damage.what()));
        });
        return Inspection.of(chain, part, segment, found);
    }

    /** The damage of the hint of a segment; nothing is lost with a hint. */
    static Optional<Damage> damageOfHint(Chain chain, Chain.Part part, Segment segment) throws IOException {
        Optional<Path> hint = chain.hint(part);
        if (hint.isEmpty() || part.damage().isPresent()) {
            return Optional.empty();
        }
        String what = "it is no sound hint of its segment";
        try {
            if (segment.hint().isSound(hint.get(), chain.format())) {
                return Optional.empty();
            }
        } catch (IOException unreadable) {
            what = "it cannot be read: " + OperatorError.reason(unreadable);
        }
        return Optional.of(new Damage(hint.get(), 0, Files.size(hint.get()), what));
    }
}
