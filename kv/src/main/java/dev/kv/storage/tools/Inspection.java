package dev.kv.storage.tools;

import dev.kv.router.config.BadStart;
import dev.kv.router.spi.Engine.Damage;
import dev.kv.storage.format.Layout;
import dev.kv.storage.log.Chain;
import dev.kv.storage.log.Segment;
import dev.kv.storage.log.Walk;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The result of a {@link Walk} over a segment.
 *
 * @param sound ranges of complete changes
 * @param damaged ranges between them
 * @param end the end of the log in this segment
 * @param isTorn whether there is an incomplete change behind the end
 */
record Inspection(List<Range> sound, List<Range> damaged, long records, long generation, long end, boolean isTorn) {
    private static final Logger LOG = LoggerFactory.getLogger(Inspection.class);

    /** Bytes of a segment. */
    record Range(long from, long to) {
        long bytes() {
            return to - from;
        }
    }

    /**
     * Inspects a part of a chain.
     *
     * @param segment the part, mapped
     * @param found receives what is lost, by key where keys are known
     */
    static Inspection of(Chain chain, Chain.Part part, Segment segment, Consumer<Damage> found) throws IOException {
        List<Damage> nameless = new ArrayList<>();
        Consumer<Damage> told = damage -> {
            if (damage.bucket().isPresent()) {
                found.accept(damage);
            } else {
                nameless.add(damage);
            }
        };
        Inspection inspection = new Inspector(new Walk(chain, part, segment), segment, told).run();
        HintedNames names = new HintedNames(nameless);
        Optional<Path> hint = nameless.isEmpty() || part.damage().isPresent() ? Optional.empty() : chain.hint(part);
        if (hint.isPresent()) {
            try {
                boolean _ = segment.hint().read(hint.get(), chain.format(), names);
            } catch (IOException | BadStart unreadable) {
                LOG.debug("{} gives no names", hint.get(), unreadable);
            }
        }
        names.tell(found);
        return inspection;
    }

    private static final class Inspector {
        private final Walk walk;
        private final Segment segment;
        private final Consumer<Damage> found;
        private final List<Range> sound = new ArrayList<>();
        private final List<Range> damaged = new ArrayList<>();
        private long records;
        private long generation;

        Inspector(Walk walk, Segment segment, Consumer<Damage> found) {
            this.walk = walk;
            this.segment = segment;
            this.found = found;
        }

        Inspection run() {
            Walk.Step step = walk.next();
            while (step == Walk.Step.CHANGE || step == Walk.Step.DAMAGE) {
                if (step == Walk.Step.CHANGE) {
                    tookSound();
                } else {
                    tookDamaged();
                }
                step = walk.next();
            }
            return new Inspection(sound, damaged, records, generation, walk.at(), step == Walk.Step.TORN);
        }

        private void tookSound() {
            long from = walk.at();
            walk.records(record -> {
                records++;
                generation = Math.max(generation, record.generation());
            });
            boolean isNext = !sound.isEmpty() && sound.getLast().to() == from;
            sound.add(new Range(isNext ? sound.removeLast().from() : from, walk.end()));
        }

        private void tookDamaged() {
            String what = walk.damage().what();
            long from = walk.at();
            long broken = walk.brokenAt();
            long to = walk.skip();
            damaged.add(new Range(from, to));
            while (from < broken) {
                long next = from + Layout.recordLength(segment.memory(), from);
                new Loss(segment, new Range(from, next), "another record of this change is damaged", found).tell();
                from = next;
            }
            new Loss(segment, new Range(from, to), what, found).tell();
        }
    }
}
