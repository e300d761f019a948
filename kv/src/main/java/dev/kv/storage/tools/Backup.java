package dev.kv.storage.tools;

import static java.nio.file.StandardCopyOption.ATOMIC_MOVE;

import dev.kv.router.spi.Engine.Copied;
import dev.kv.router.spi.EngineFailed;
import dev.kv.storage.format.Damaged;
import dev.kv.storage.format.DurableFiles;
import dev.kv.storage.format.Folder;
import dev.kv.storage.format.Format;
import dev.kv.storage.format.Manifest;
import dev.kv.storage.format.Mark;
import dev.kv.storage.format.Scan;
import dev.kv.storage.format.SegmentHeader;
import dev.kv.storage.format.SegmentName;
import dev.kv.storage.log.Chain;
import dev.kv.storage.log.Recovery;
import dev.kv.storage.log.Segment;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A backup that is being made: a locked folder with a copy of a log. A segment never changes under its name, so a backup keeps the
 * segments of the one before that the log still has. The manifest lists the files of the backup, and is written last.
 */
public final class Backup implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Backup.class);

    private final Path data;
    private final Path folder;
    private final FileChannel lock;
    private final SortedMap<String, Manifest.Content> earlier;
    private final SortedMap<String, Manifest.Content> files = new TreeMap<>();
    private final List<String> fresh = new ArrayList<>();
    private long copied;
    private long copiedBytes;
    private long linked;
    private long records;

    private Backup(Path data, Path folder, FileChannel lock, SortedMap<String, Manifest.Content> earlier) {
        this.data = data;
        this.folder = folder;
        this.lock = lock;
        this.earlier = earlier;
    }

    /**
     * Begins a backup of a locked data folder.
     *
     * @throws EngineFailed if the folder for the backup is inside the data folder, or holds anything but a backup of it
     */
    public static Backup begin(Path data, Path folder) throws IOException {
        refuseInside(data, folder);
        Folder.make(folder);
        Folder.refuseIrregular(folder, "choose another folder for the backup");
        // Before the lock, whose file would stay in a foreign folder.
        refuseOthers(folder);
        FileChannel lock = Folder.lock(folder);
        try {
            Path own = folder.resolve(Format.FILE);
            if (!Files.exists(own)) {
                DurableFiles.replace(own, Files.readAllBytes(data.resolve(Format.FILE)));
            } else if (Format.read(folder).id() != Format.read(data).id()) {
                throw new EngineFailed(folder + " holds a backup of another data folder, or of this one before it was"
                        + " restored: choose another folder");
            }
            SortedMap<String, Manifest.Content> earlier =
                    Manifest.read(folder).map(Manifest::files).orElse(new TreeMap<>());
            return new Backup(data, folder, lock, earlier);
        } catch (IOException | RuntimeException e) {
            lock.close();
            throw e;
        }
    }

    private static void refuseOthers(Path folder) throws IOException {
        if (Files.exists(folder.resolve(Mark.FILE))) {
            throw new EngineFailed(folder + " is a data folder: choose another folder for the backup");
        }
        if (!Files.exists(folder.resolve(Format.FILE)) && !Folder.isEmpty(folder)) {
            throw new EngineFailed(folder + " is not empty, and holds no backup: choose another folder");
        }
    }

    private static void refuseInside(Path data, Path folder) throws IOException {
        Path there = folder.toAbsolutePath().normalize();
        while (!Files.exists(there)) {
            there = there.getParent();
        }
        if (there.toRealPath().startsWith(data.toRealPath())) {
            throw new EngineFailed(folder + " is inside the data folder: choose one outside, best on another disk");
        }
    }

    /** Backs up a data folder that no node runs in. */
    public static Copied of(Folder data, Path folder) throws IOException {
        Chain chain = Chain.of(data.path(), data.format());
        chain.refuseFaults();
        try (Backup backup = begin(data.path(), folder)) {
            for (Chain.Part part : chain.parts()) {
                part.damage().ifPresent(damage -> {
                    throw Recovery.refusal(damage);
                });
                // The ends of all others are known.
                boolean isLast = part.equals(chain.parts().getLast());
                if (!isLast && chain.isOnDisk(part)) {
                    backup.take(part.name(), part.end());
                    continue;
                }
                Inspection inspection = inspect(chain, part);
                if (inspection.end() > SegmentHeader.BYTES) {
                    backup.take(part.name(), inspection.end());
                }
                if (inspection.isTorn()) {
                    break;
                }
            }
            return backup.complete();
        }
    }

    private static Inspection inspect(Chain chain, Chain.Part part) throws IOException {
        try (Segment segment = chain.open(part)) {
            return Inspection.of(chain, part, segment, damage -> {
                throw Recovery.refusal(new Damaged(damage.file(), damage.offset(), damage.what()));
            });
        }
    }

    /** Copies a segment and its hint, of a data folder that no node uses. */
    void take(SegmentName name, long bytes) throws IOException {
        take(name.log(), bytes, copy -> DurableFiles.copy(data.resolve(name.log()), 0, bytes, copy));
        takeHint(name);
    }

    /** Copies a pinned segment and its hint. Compaction may remove the files meanwhile. */
    public void take(Segment segment) throws IOException {
        take(segment.name().log(), segment.end(), segment::copyTo);
        try {
            takeHint(segment.name());
        } catch (NoSuchFileException gone) {
            LOG.debug("{} was removed before it was copied", gone.getFile());
        }
    }

    private void takeHint(SegmentName name) throws IOException {
        Path hint = data.resolve(name.hint());
        if (Files.exists(hint)) {
            long bytes = Files.size(hint);
            take(name.hint(), bytes, copy -> DurableFiles.copy(hint, 0, bytes, copy));
        }
    }

    /** Copies the content of a file. */
    private interface Copying {
        void to(Path copy) throws IOException;
    }

    private void take(String file, long bytes, Copying source) throws IOException {
        Path copy = folder.resolve(file);
        Manifest.Content before = earlier.get(file);
        if (Files.exists(copy) && Files.size(copy) == bytes && before != null && before.bytes() == bytes) {
            files.put(file, before);
            return;
        }
        Path unfinished = folder.resolve(file + Folder.UNFINISHED);
        Files.deleteIfExists(unfinished);
        if (isLinked(unfinished, data.resolve(file), bytes)) {
            linked++;
        } else {
            source.to(unfinished);
            copied++;
            copiedBytes += bytes;
        }
        Files.move(unfinished, copy, ATOMIC_MOVE);
        fresh.add(file);
    }

    private static boolean isLinked(Path link, Path file, long bytes) throws IOException {
        try {
            if (Files.size(file) != bytes) {
                return false;
            }
            Files.createLink(link, file);
            return true;
        } catch (UnsupportedOperationException | FileSystemException notHere) {
            return false;
        }
    }

    /**
     * Checks the new files and completes the backup.
     *
     * @throws EngineFailed if one of them is damaged: the earlier backup stays
     */
    public Copied complete() throws IOException {
        files.put(Format.FILE, Manifest.Content.of(folder.resolve(Format.FILE)));
        for (String file : fresh) {
            check(file);
        }
        DurableFiles.sync(folder);
        Manifest manifest = new Manifest(files);
        manifest.write(folder);
        removeOthers();
        return new Copied(
                files.size(), manifest.bytes(), copied, copiedBytes, linked, files.size() - 1 - fresh.size(), records);
    }

    private void check(String file) throws IOException {
        Path path = folder.resolve(file);
        SegmentName name = SegmentName.of(file);
        if (name != null) {
            records += records(path, name);
        }
        files.put(file, Manifest.Content.of(path));
    }

    private static long records(Path path, SegmentName name) throws IOException {
        long records = 0;
        try (Segment segment = Segment.openToRead(path, name)) {
            segment.header();
            Scan scan = segment.scan();
            while (scan.next()) {
                records++;
            }
            if (scan.at() < segment.end()) {
                throw new Damaged(path, scan.at(), "records are missing here");
            }
        } catch (Damaged e) {
            throw new EngineFailed(
                    e.getMessage() + ": this backup was not completed, and an earlier one stays; `kv verify` tells"
                            + " more",
                    e);
        }
        return records;
    }

    /** Removes files of earlier backups and of incomplete ones. */
    private void removeOthers() throws IOException {
        List<Path> others = new ArrayList<>();
        try (Stream<Path> all = Files.list(folder)) {
            all.filter(file -> isOurs(file.getFileName().toString())).forEach(others::add);
        }
        for (Path other : others) {
            Files.delete(other);
        }
    }

    private boolean isOurs(String file) {
        boolean isOfSegment = SegmentName.of(file.replaceFirst("[.](hint|(log|hint)[.]tmp)$", ".log")) != null;
        return isOfSegment && !files.containsKey(file);
    }

    @Override
    public void close() throws IOException {
        lock.close();
    }
}
