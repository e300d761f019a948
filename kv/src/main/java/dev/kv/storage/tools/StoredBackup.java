package dev.kv.storage.tools;

import dev.kv.router.spi.Engine.Checked;
import dev.kv.router.spi.Engine.Copied;
import dev.kv.router.spi.Engine.Damage;
import dev.kv.router.spi.EngineFailed;
import dev.kv.storage.format.DurableFiles;
import dev.kv.storage.format.Folder;
import dev.kv.storage.format.Format;
import dev.kv.storage.format.Manifest;
import dev.kv.storage.format.Mark;
import dev.kv.storage.format.SegmentList;
import dev.kv.storage.format.SegmentName;
import dev.kv.storage.log.Chain;
import dev.kv.storage.log.Segment;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/** A completed backup, made by {@link Backup}: verifies and restores it. */
public final class StoredBackup {
    private StoredBackup() {}

    /** Locks a backup while it is read, where the folder is writable. */
    private static Optional<FileChannel> hold(Path backup) throws IOException {
        return Files.isWritable(backup) ? Optional.of(Folder.lock(backup)) : Optional.empty();
    }

    private static Manifest manifest(Path backup) throws IOException {
        if (!Files.exists(backup)) {
            throw new EngineFailed(backup + " does not exist: choose the folder of a backup");
        }
        if (Files.isDirectory(backup)) {
            Folder.refuseIrregular(backup, "put back the file that was here, or use another backup");
        }
        return Manifest.read(backup)
                .orElseThrow(
                        () -> new EngineFailed(backup + " holds no backup that was completed: choose another folder"));
    }

    /**
     * Checks all files of a backup, and what they hold.
     *
     * @param doing receives the progress from time to time, as text
     */
    public static Checked verify(Path backup, Consumer<String> doing, Consumer<Damage> found) throws IOException {
        Manifest manifest = manifest(backup);
        try (FileChannel _ = hold(backup).orElse(null)) {
            long[] damages = new long[1];
            long records = verify(backup, manifest, doing, damage -> {
                damages[0]++;
                found.accept(damage);
            });
            return new Checked(manifest.files().size(), manifest.bytes(), records, damages[0]);
        }
    }

    private static long verify(Path backup, Manifest manifest, Consumer<String> doing, Consumer<Damage> found)
            throws IOException {
        long records = 0;
        int files = 0;
        Manifest.Content ofFormat = manifest.files().get(Format.FILE);
        Path formatFile = backup.resolve(Format.FILE);
        boolean hasFormat = ofFormat != null && Files.exists(formatFile) && ofFormat.isThatOf(formatFile);
        Format format = hasFormat ? Format.read(backup) : Format.UNKNOWN;
        for (Map.Entry<String, Manifest.Content> file : manifest.files().entrySet()) {
            Path path = backup.resolve(file.getKey());
            doing.accept("file " + ++files + " of " + manifest.files().size());
            if (!Files.exists(path)) {
                found.accept(new Damage(path, 0, file.getValue().bytes(), "it is missing"));
                continue;
            }
            if (Files.size(path) != file.getValue().bytes()) {
                String what = "it has %d bytes, and %d were copied"
                        .formatted(Files.size(path), file.getValue().bytes());
                found.accept(new Damage(path, 0, Files.size(path), what));
                continue;
            }
            boolean[] isTold = new boolean[1];
            SegmentName name = SegmentName.of(file.getKey());
            if (name != null) {
                Consumer<Damage> told = damage -> {
                    isTold[0] = true;
                    found.accept(damage);
                };
                Chain chain = Chain.whole(backup, format, List.of(name));
                for (Chain.Fault fault : chain.faults()) {
                    told.accept(fault.damage());
                }
                for (Chain.Part part : chain.parts()) {
                    records += Verification.verify(chain, part, told);
                }
            }
            if (!isTold[0] && !file.getValue().isThatOf(path)) {
                found.accept(new Damage(path, 0, Files.size(path), "it is not what was copied"));
            }
        }
        return records;
    }

    /**
     * Copies a backup into an empty data folder. The copy has an id of its own: its segments may have the names of segments of
     * the original with other content.
     *
     * @throws EngineFailed if the folder is not empty, or the backup is damaged
     */
    public static Copied restore(Path backup, Path data) throws IOException {
        Manifest manifest = manifest(backup);
        try (FileChannel _ = hold(backup).orElse(null)) {
            Folder.make(data);
            try (FileChannel _ = Folder.lock(data)) {
                if (!Folder.isEmpty(data)) {
                    throw new EngineFailed(
                            data + " is not empty: move away what is there, or choose another" + " kv.storage.dir");
                }
                long records = verify(backup, manifest, _ -> {}, damage -> {
                    throw new EngineFailed(
                            "%s is damaged at byte %d: %s; nothing was restored, and `kv verify %s` tells more"
                                    .formatted(damage.file(), damage.offset(), damage.what(), backup));
                });
                Folder.beginRestored(data);
                for (String file : manifest.files().keySet()) {
                    if (!file.equals(Format.FILE)) {
                        restore(
                                backup.resolve(file),
                                data.resolve(file),
                                manifest.files().get(file));
                    }
                }
                Format format = Format.read(backup).restored();
                listAll(data, format.id());
                DurableFiles.sync(data);
                format.write(data);
                int files = manifest.files().size();
                return new Copied(files, manifest.bytes(), files, manifest.bytes(), 0, 0, records);
            }
        }
    }

    /** Writes the list of segments and the mark of a restored folder. */
    private static void listAll(Path data, long id) throws IOException {
        List<SegmentList.Entry> entries = new ArrayList<>();
        for (SegmentName name : Folder.segments(data)) {
            try (Segment segment = Segment.openToRead(data.resolve(name.log()), name)) {
                segment.header();
                entries.add(segment.entry());
            }
        }
        long last = entries.isEmpty() ? 0 : entries.getLast().name().number();
        SegmentList.of(id, last, entries).write(data);
        long bytes = entries.isEmpty() ? 0 : entries.getLast().bytes();
        try (Mark mark = Mark.open(data, id, Optional.of(new Mark.Position(last, bytes, 0)))) {
            mark.sync();
        }
    }

    private static void restore(Path from, Path to, Manifest.Content content) throws IOException {
        DurableFiles.copy(from, 0, content.bytes(), to);
        if (!content.isThatOf(to)) {
            throw new EngineFailed(
                    to + " is not what was just copied: check the disk, remove what is there, and try again");
        }
    }
}
