package dev.kv.storage.log;

import dev.kv.router.config.BadStart;
import dev.kv.storage.format.Damaged;
import dev.kv.storage.format.Folder;
import dev.kv.storage.format.Hint;
import dev.kv.storage.format.Mark;
import dev.kv.storage.format.Scan;
import dev.kv.storage.format.SegmentHeader;
import dev.kv.storage.format.SegmentName;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Opens a log after a stop in order, a crash or a power cut, and has it replayed. All up to the durable position must be sound;
 * behind that the log ends at the first record that is not, since no such record was acknowledged as durable. {@code
 * docs/format.md} has the rules.
 */
public final class Recovery {
    private static final Logger LOG = LoggerFactory.getLogger(Recovery.class);

    private final Folder folder;
    private final Chain chain;
    private final Mark mark;
    private final Log log;
    private final Function<Segment, Reader> replay;
    private final Consumer<String> doing;

    /** Files that do not count; removed when the list of segments on the disk no longer names them. */
    private final List<SegmentName> dropped = new ArrayList<>();

    private long readBytes;
    private long hintedBytes;

    /**
     * @param chain that of the folder
     * @param mark that of the chain
     * @param replay reads the entries of a segment, which is a part of the log from then on
     * @param doing receives the progress from time to time, as text
     */
    public Recovery(
            Folder folder, Chain chain, Mark mark, Log log, Function<Segment, Reader> replay, Consumer<String> doing) {
        this.folder = folder;
        this.chain = chain;
        this.mark = mark;
        this.log = log;
        this.replay = replay;
        this.doing = doing;
    }

    /** Takes in what a segment holds: by its hint, and {@link #end} behind that, or record by record. */
    public interface Reader extends Hint.Reader {
        /** All of the hint was read. */
        void end();

        /** Reads the record at the position of the scan. */
        void record(Scan scan);
    }

    /**
     * What a recovery has read.
     *
     * @param readBytes of segments
     * @param hintedBytes of segments of which it read the hint instead
     */
    public record Figures(long readBytes, long hintedBytes) {}

    /**
     * Reads the log. In the end all of it is on the disk and on the list of segments, and the folder is of the newest format.
     *
     * @throws BadStart if something is missing of what was known to be on the disk
     */
    public Figures run() throws IOException {
        log.tail().startAfter(chain.lastNumber());
        chain.mark().ifPresent(position -> log.sawGeneration(position.generation()));
        for (SegmentName name : chain.others()) {
            LOG.info("{} does not count any more, and is removed", folder.log(name));
            dropped.add(name);
        }
        List<Chain.Part> parts = chain.parts();
        for (int i = 0; i < parts.size(); i++) {
            doing.accept("reading the log: segment " + (i + 1) + " of " + parts.size());
            if (!read(parts.get(i))) {
                cutOff(
                        parts.subList(i + 1, parts.size()).stream()
                                .map(Chain.Part::name)
                                .toList(),
                        "it follows an incomplete record");
                break;
            }
        }
        cutOff(chain.cut(), "its header, or that of a segment before it, never reached the disk");
        folder.sync();
        log.listing().writeFirst(chain.list());
        Reserves.writeInAnyCase(folder.path(), () -> mark.set(log.opened()));
        mark.sync();
        Reserves.writeInAnyCase(folder.path(), folder::upgrade);
        for (SegmentName name : dropped.reversed()) {
            folder.remove(name);
        }
        folder.sync();
        return new Figures(readBytes, hintedBytes);
    }

    private void cutOff(List<SegmentName> names, String why) {
        for (SegmentName name : names) {
            LOG.warn("{} does not count, and is removed when the log has been read: {}", folder.log(name), why);
            dropped.add(name);
        }
    }

    /** The reason for which a node does not start. */
    public static BadStart refusal(Damaged damage) {
        return new BadStart(
                damage.getMessage()
                        + "; move the data folder away and restore a backup (`kv restore`), or `kv repair` sets aside what is damaged, and tells what is lost",
                damage);
    }

    /** Reads a segment; returns whether it is whole, so that the segments behind it count. */
    private boolean read(Chain.Part part) throws IOException {
        Segment segment = Segment.open(folder.log(part.name()), part.name());
        segment.endAt(Math.min(part.end(), segment.capacity()));
        try {
            segment.header();
            log.tail().add(segment);
            boolean isWhole = read(part, segment);
            settle(part, segment);
            return isWhole;
        } catch (Damaged e) {
            throw refusal(e);
        } catch (InternalError sigbus) {
            throw refusal(Damaged.unreadable(segment.path(), sigbus));
        }
    }

    private boolean read(Chain.Part part, Segment segment) throws IOException {
        Reader reader = replay.apply(segment);
        boolean mayBeHinted = segment.capacity() == part.end() && part.end() >= chain.known(part);
        if (mayBeHinted && segment.hint().read(folder.hint(segment.name()), folder.format(), reader)) {
            reader.end();
            hintedBytes += part.end();
            segment.gotHint();
            return true;
        }
        Walk walk = new Walk(chain, part, segment);
        Walk.Step step = walk.next();
        while (step == Walk.Step.CHANGE) {
            walk.records(reader::record);
            step = walk.next();
        }
        readBytes += walk.at();
        // Without a mark, nobody knows whether there was more.
        boolean isUnknown = chain.mark().isEmpty() && walk.at() < segment.capacity() && part.isOpenEnded();
        if (step == Walk.Step.DAMAGE || isUnknown) {
            throw step == Walk.Step.DAMAGE
                    ? walk.damage()
                    : new Damaged(segment.path(), walk.at(), "records are missing here");
        }
        if (step == Walk.Step.TORN) {
            LOG.warn(
                    "{} ends at byte {}: the {} bytes behind it were never known to be on the disk, and are incomplete ({})",
                    segment.path(),
                    walk.at(),
                    walk.tornBytes(),
                    walk.damage().getMessage());
        }
        segment.endAt(walk.at());
        return step == Walk.Step.END;
    }

    /** Forces what was read of a segment onto the disk, and drops the segment if it is empty. */
    private void settle(Chain.Part part, Segment segment) throws IOException {
        if (!chain.isListed(part) || segment.capacity() > segment.end()) {
            segment.seal();
        }
        if (segment.end() == SegmentHeader.BYTES) {
            log.segments().remove(List.of(segment));
            segment.close();
            dropped.add(segment.name());
        }
    }
}
