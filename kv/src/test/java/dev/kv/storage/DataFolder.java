package dev.kv.storage;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Held;
import dev.kv.router.Limits;
import dev.kv.router.Reply;
import dev.kv.router.spi.Engine.Checked;
import dev.kv.router.spi.Engine.Copied;
import dev.kv.router.spi.Engine.Damage;
import dev.kv.storage.engine.Execution;
import dev.kv.storage.engine.Frozen;
import dev.kv.storage.engine.Turn;
import dev.kv.storage.format.Folder;
import dev.kv.storage.format.SegmentList;
import dev.kv.storage.format.SegmentName;
import dev.kv.storage.log.Log;
import dev.kv.storage.log.PinLimits;
import dev.kv.storage.log.Segment;
import dev.kv.storage.log.Sync;
import dev.kv.storage.tools.Backup;
import dev.kv.storage.tools.Repair;
import dev.kv.storage.tools.Verification;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.stream.Stream;
import java.util.zip.CRC32C;

/** A data folder, and the commands for it while no node runs there. */
public record DataFolder(Path path) {
    private static final Sync EACH_SECOND = new Sync(false, Optional.of(Duration.ofSeconds(1)));

    /** Longer than any test. */
    public static final PinLimits PINS = new PinLimits(Duration.ofHours(1), Duration.ofHours(1));

    /** The defaults of reference.conf. */
    public static final Execution.Limits LARGE = new Execution.Limits(
            new Turn.Limits(1_000, 1L << 20),
            1,
            256,
            10_000,
            260L << 20,
            Duration.ofSeconds(10),
            Duration.ofSeconds(10));

    public static LogStorage.StorageSettings settings(
            Path dir, Sync sync, long maxBytes, long segmentMaxBytes, PinLimits pins) {
        return settings(dir, sync, maxBytes, segmentMaxBytes, pins, LARGE);
    }

    public static LogStorage.StorageSettings settings(
            Path dir, Sync sync, long maxBytes, long segmentMaxBytes, PinLimits pins, Execution.Limits large) {
        return new LogStorage.StorageSettings(
                dir, sync, maxBytes, new Log.Limits(segmentMaxBytes, 4), pins, large, Duration.ofMinutes(1));
    }

    @FunctionalInterface
    public interface Work {
        void with(OpenStorage storage) throws Exception;
    }

    /** Limits of a node whose replies have a bound, and whose values have the same. */
    public static Limits limits(long replyMaxBytes) {
        return new Limits(16, 1 << 16, 1 << 16, Math.toIntExact(replyMaxBytes), 1 << 10, replyMaxBytes);
    }

    public OpenStorage open() throws IOException {
        return open(limits(1L << 20));
    }

    public OpenStorage open(Limits limits) throws IOException {
        return OpenStorage.open(DataFolder.settings(path, EACH_SECOND, 0, 1L << 20, PINS), limits, _ -> {});
    }

    /** Opens it, does the work, and closes it in order. */
    public void open(Work work) throws Exception {
        OpenStorage storage = open();
        try {
            work.with(storage);
        } finally {
            storage.stop(Duration.ZERO);
        }
    }

    public static void create(OpenStorage storage, String bucket) {
        assertThat(run(storage, new Command.Create(Bytes.of(bucket)))).isEqualTo(Reply.OK);
    }

    public static void put(OpenStorage storage, String bucket, String key, String value) {
        assertThat(run(storage, new Command.Put(Bytes.of(bucket), Bytes.of(key), Bytes.of(value))))
                .isEqualTo(Reply.OK);
    }

    public static Reply get(OpenStorage storage, String bucket, String key) {
        return run(storage, new Command.Get(Bytes.of(bucket), Bytes.of(key)));
    }

    /** Runs a command; the reply holds no memory of the storage. */
    public static Reply run(OpenStorage storage, Command command) {
        return Held.flat(storage.run(command).toCompletableFuture().join());
    }

    /** Waits until the condition holds; fails after a minute. */
    public static void await(BooleanSupplier condition) {
        long end = System.nanoTime() + Duration.ofSeconds(60).toNanos();
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime() - end).isNegative();
            LockSupport.parkNanos(1_000_000);
        }
    }

    /** Waits until all that was written is on the disk. */
    public static void awaitSynced(OpenStorage storage) {
        await(() -> storage.log().tail().synced() == storage.log().tail().appended());
    }

    /** Writes a list that names these segments alone, as compaction does. */
    public static void list(Path folder, List<SegmentName> names) throws IOException {
        List<SegmentList.Entry> entries = new ArrayList<>();
        for (SegmentName name : names) {
            try (Segment segment = Segment.openToRead(folder.resolve(name.log()), name)) {
                segment.header();
                entries.add(segment.entry());
            }
        }
        SegmentList before = SegmentList.read(folder).orElseThrow();
        new SegmentList(before.id(), before.through(), entries).write(folder);
    }

    public static void setValue(OpenStorage storage, String name, String value) {
        Command set = new Command.SetValue(Bytes.of(name), Bytes.of(value), Command.Condition.ALWAYS, false);
        assertThat(storage.run(set).toCompletableFuture().join()).isEqualTo(Reply.OK);
    }

    /** The content: by bucket, values by key. */
    public static Map<String, Map<String, String>> content(OpenStorage storage) {
        Map<String, Map<String, String>> content = new TreeMap<>();
        storage.forEachBucket((name, _) -> {
            Map<String, String> values = content.computeIfAbsent(name.text(), _ -> new TreeMap<>());
            try (Frozen bucket = storage.buckets().frozen(0, name)) {
                bucket.view().forEach(0, (_, key, value) -> {
                    values.put(key.text(), value.text());
                    return true;
                });
            }
            return true;
        });
        return content;
    }

    public Map<String, Map<String, String>> content() throws Exception {
        Map<String, Map<String, String>> content = new TreeMap<>();
        open(storage -> content.putAll(content(storage)));
        return content;
    }

    public Copied backup(Path to) throws IOException {
        try (Folder folder = Folder.holdExisting(path)) {
            return Backup.of(folder, to);
        }
    }

    public Checked verify(Consumer<Damage> found) throws IOException {
        try (Folder folder = Folder.holdExisting(path)) {
            return Verification.of(folder, _ -> {}, found);
        }
    }

    public List<Damage> damages() throws IOException {
        List<Damage> damages = new ArrayList<>();
        Checked checked = verify(damages::add);
        assertThat(checked.damages()).isEqualTo(damages.size());
        return damages;
    }

    public List<Damage> repair() throws IOException {
        List<Damage> damages = new ArrayList<>();
        try (Folder folder = Folder.holdExisting(path)) {
            Checked checked = Repair.of(folder, _ -> {}, damages::add);
            assertThat(checked.damages()).isEqualTo(damages.size());
        }
        return damages;
    }

    public List<Path> files(String suffix) throws IOException {
        return files(path, suffix);
    }

    public static List<Path> files(Path folder, String suffix) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(file -> file.toString().endsWith(suffix))
                    .sorted()
                    .toList();
        }
    }

    /** Gives the last entry of a hint kind 1, in a version that has no such kind, with a sound checksum. */
    public static void makeKindUnknown(Path hint) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(hint)).order(ByteOrder.LITTLE_ENDIAN);
        int lastEntry = bytes.capacity() - 16;
        bytes.putInt(lastEntry, bytes.getInt(lastEntry) | 1 << 24);
        CRC32C crc = new CRC32C();
        crc.update(bytes.slice(64, bytes.capacity() - 64));
        bytes.putInt(12, (int) crc.getValue());
        Files.write(hint, bytes.array());
    }

    /** Flips one bit of a file. */
    public static void flip(Path file, long offset) throws IOException {
        flip(file, offset, 4);
    }

    /** Flips a bit of a byte of a file, from the lowest on. */
    public static void flip(Path file, long offset, int bit) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            ByteBuffer one = ByteBuffer.allocate(1);
            channel.read(one, offset);
            one.put(0, (byte) (one.get(0) ^ 1 << bit)).rewind();
            channel.write(one, offset);
        }
    }

    /** Copies a folder with its subfolders. */
    public static Path copy(Path from, Path to) throws IOException {
        try (Stream<Path> files = Files.walk(from)) {
            for (Path file : files.toList()) {
                Files.copy(file, to.resolve(from.relativize(file).toString()));
            }
        }
        return to;
    }

    /** Copies the files of a folder in use as of one moment: again, if a file was made, truncated or removed meanwhile. */
    public static void image(Path from, Path to) throws IOException {
        Map<String, Long> before;
        do {
            before = sizes(from);
            if (Files.exists(to)) {
                for (String file : sizes(to).keySet()) {
                    Files.delete(to.resolve(file));
                }
            }
            Files.createDirectories(to);
            for (String file : before.keySet()) {
                try {
                    Files.copy(from.resolve(file), to.resolve(file));
                } catch (NoSuchFileException gone) {
                    break;
                }
            }
        } while (!sizes(from).equals(before));
    }

    private static Map<String, Long> sizes(Path folder) throws IOException {
        Map<String, Long> sizes = new TreeMap<>();
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.filter(file -> !file.endsWith("lock")).toList()) {
                try {
                    sizes.put(file.getFileName().toString(), Files.size(file));
                } catch (NoSuchFileException gone) {
                    // The other listing lacks it, too, or the copy begins again.
                }
            }
        }
        return sizes;
    }
}
