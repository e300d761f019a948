package dev.kv.storage;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Limits;
import dev.kv.router.Reply;
import dev.kv.router.metrics.Counter;
import dev.kv.router.metrics.Gauge;
import dev.kv.router.metrics.Metric;
import dev.kv.router.metrics.State;
import dev.kv.router.metrics.Unit;
import dev.kv.router.spi.Engine;
import dev.kv.router.spi.EngineFailed;
import dev.kv.storage.engine.Buckets;
import dev.kv.storage.engine.Commands;
import dev.kv.storage.engine.Execution;
import dev.kv.storage.engine.Replay;
import dev.kv.storage.format.Folder;
import dev.kv.storage.format.Mark;
import dev.kv.storage.log.Chain;
import dev.kv.storage.log.Log;
import dev.kv.storage.log.PinLimits;
import dev.kv.storage.log.Recovery;
import dev.kv.storage.log.Reserves;
import dev.kv.storage.log.Segment;
import dev.kv.storage.log.Segments;
import dev.kv.storage.log.Syncer;
import dev.kv.storage.log.Tail;
import dev.kv.storage.log.Troubles;
import dev.kv.storage.maintenance.Cleaner;
import dev.kv.storage.maintenance.Compaction;
import dev.kv.storage.maintenance.Keeper;
import dev.kv.storage.tools.Backup;
import dev.kv.storage.tools.Export;
import dev.kv.storage.tools.Import;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The buckets on this node while it runs; {@link Execution} says which thread runs a command. */
public final class OpenStorage implements Engine.Open {
    private static final Logger LOG = LoggerFactory.getLogger(OpenStorage.class);

    /** Most damaged segments that the status names: a line that can be read. The log names all. */
    private static final int DAMAGES_SHOWN_MAX = 3;

    /** If not even that much fits within {@code kv.storage.max-bytes}, the state says so. */
    private static final long SMALL_WRITE_BYTES = 1024;

    private final Log log;
    private final Buckets buckets;
    private final Execution turns;
    private final Syncer syncer;
    private final Compaction compaction;
    private final Keeper keeper;
    private final Cleaner cleaner;
    private final PinLimits pins;
    private final Troubles troubles;
    private final Duration syncWait;
    private final long maxBytes;
    private final Recovery.Figures recovered;
    private final Duration recovery;

    private OpenStorage(
            Log log,
            Buckets buckets,
            LogStorage.StorageSettings settings,
            Limits limits,
            Troubles troubles,
            Recovery.Figures recovered,
            Duration recovery) {
        this.pins = settings.pins();
        this.troubles = troubles;
        this.syncWait = settings.syncWait();
        this.maxBytes = settings.maxBytes();
        this.log = log;
        this.buckets = buckets;
        this.recovered = recovered;
        this.recovery = recovery;
        this.syncer = new Syncer(log, buckets.liveEntries(), settings.sync(), troubles);
        this.compaction = new Compaction(log, buckets.liveEntries());
        this.keeper = new Keeper(log, compaction, pins, troubles);
        this.cleaner = new Cleaner(buckets.expired(), log.seenTime(), troubles);
        Commands commands = new Commands(buckets, settings.large().turn(), limits);
        this.turns = new Execution(commands, buckets, this::acknowledged, settings.large());
    }

    /**
     * Opens what the folder holds; a folder that is not there is made.
     *
     * @param limits how large names, values and replies may be
     * @param doing receives the progress, as text
     */
    public static OpenStorage open(LogStorage.StorageSettings settings, Limits limits, Consumer<String> doing)
            throws IOException {
        long from = System.nanoTime();
        Folder folder = Folder.hold(settings.dir());
        try {
            folder.removeUnfinished();
            Chain chain = Chain.of(folder.path(), folder.format());
            chain.refuseFaults();
            Troubles troubles = new Troubles();
            chain.damageOfMark()
                    .ifPresent(damage -> troubles.warn(
                            damage.file() + " was replaced",
                            damage.what() + ", so a loss at the end of the log is not noticed; if the host crashed,"
                                    + " compare with a backup"));
            Mark mark = openMark(folder, chain);
            Log log = new Log(folder, mark, settings.log(), settings.sync().isAlways());
            Buckets buckets = new Buckets(
                    log, folder.hash(), settings.maxBytes(), settings.large().turn());
            Replay replay = new Replay(buckets);
            Recovery.Figures figures = new Recovery(folder, chain, mark, log, replay::of, doing).run();
            replay.end();
            // Before the first write. The keeper tells if they cannot be made.
            log.supply().keepReservesIfRoom();
            Duration took = Duration.ofNanos(System.nanoTime() - from);
            OpenStorage opened = new OpenStorage(log, buckets, settings, limits, troubles, figures, took);
            opened.cleaner.start();
            return opened;
        } catch (IOException | RuntimeException e) {
            folder.close();
            throw e;
        }
    }

    private static Mark openMark(Folder folder, Chain chain) throws IOException {
        long id = folder.format().id();
        // Written as a whole first if it is not there as the chain has it; then there is nothing left to write.
        Reserves.writeInAnyCase(
                folder.path(), () -> Mark.open(folder.path(), id, chain.mark()).close());
        return Mark.open(folder.path(), id, chain.mark());
    }

    public Buckets buckets() {
        return buckets;
    }

    public Log log() {
        return log;
    }

    /** Compacts the log as far as possible. */
    public void compact() throws IOException {
        compact(true);
    }

    /** See {@link Compaction#run}. */
    public void compact(boolean isThorough) throws IOException {
        keeper.compact(isThorough);
    }

    /** See {@link Cleaner#clean}. */
    public void clean(long nowMillis) {
        cleaner.clean(nowMillis);
    }

    /** See {@link Keeper#giveBack}. */
    public void giveBack() {
        keeper.giveBack();
    }

    @Override
    public CompletionStage<Reply> run(Command command, long takenMillis) {
        return turns.run(command, takenMillis);
    }

    /** Completes with the reply to a command that ran, when it may be sent. */
    private CompletionStage<Reply> acknowledged(Command command, Reply reply) {
        return command.isRead() || reply instanceof Reply.Failed
                ? CompletableFuture.completedFuture(reply)
                : syncer.acknowledge(reply);
    }

    @Override
    public Path folder() {
        return log.folder().path();
    }

    @Override
    public void forEachBucket(Engine.BucketVisitor visitor) {
        buckets.table().forEachBucket(visitor);
    }

    @Override
    public Engine.Copied backup(Path to) {
        // Pinned before the wait: compaction may drop a value meanwhile that a later segment replaces.
        try (Backup backup = Backup.begin(log.folder().path(), to);
                Tail.Ended ended = log.tail().endAndPin()) {
            awaitSync();
            if (!ended.isWhole()) {
                throw new EngineFailed("the disk failed while the backup waited for it: begin the backup again");
            }
            for (Segment segment : ended.pin().segments()) {
                backup.take(segment);
            }
            return backup.complete();
        } catch (IOException e) {
            throw LogStorage.failure("the backup into " + to, e);
        }
    }

    /** Waits until all that is appended by now is on the disk. */
    private void awaitSync() throws IOException {
        try {
            Reply reply =
                    syncer.whenSynced(Reply.OK).toCompletableFuture().get(syncWait.toMillis(), TimeUnit.MILLISECONDS);
            if (reply instanceof Reply.Failed failed) {
                throw new EngineFailed(failed.message());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new EngineFailed("this node stops", e);
        } catch (ExecutionException | TimeoutException e) {
            throw new IOException(
                    "the writes were not on the disk within %ds (kv.storage.sync-wait)".formatted(syncWait.toSeconds()),
                    e);
        }
    }

    @Override
    public long exportTo(Bytes name, OutputStream stream) throws IOException {
        return new Export(buckets, name, pins).run(stream);
    }

    @Override
    public long importFrom(Bytes name, boolean replaces, Limits limits, InputStream stream) {
        try {
            long keys = new Import(buckets, log.folder(), name, replaces, limits).run(stream);
            awaitSync();
            return keys;
        } catch (IOException e) {
            throw LogStorage.failure("the import into " + log.folder().path(), e);
        }
    }

    @Override
    public List<Metric> metrics() {
        return List.of(
                new State("state", "What is wrong with the storage; ok if nothing is.", () -> Optional.of(state())),
                new Gauge(Engine.BUCKETS, Unit.COUNT, "Buckets on this node.", buckets.table()::buckets),
                new Gauge("keys", Unit.COUNT, "Keys in them.", buckets.table()::keys),
                new Gauge(Engine.EXPIRING, Unit.COUNT, "Buckets and values that expire.", buckets.table()::expiring),
                new Gauge("bytes", Unit.BYTES, "Live bytes in the log.", log.liveBytes()::get),
                new Gauge(
                        "max bytes", Unit.BYTES, "Most live bytes (kv.storage.max-bytes); 0 for any.", () -> maxBytes),
                new Gauge(
                        "free bytes",
                        Unit.BYTES,
                        "Free bytes of the file system of the data.",
                        () -> log.folder().path().toFile().getUsableSpace()),
                new Gauge("log bytes", Unit.BYTES, "Bytes of all segments.", this::logBytes),
                new Gauge(
                        "segments",
                        Unit.COUNT,
                        "Segments of the log.",
                        () -> log.segments().live().size()),
                new Counter("compactions", Unit.COUNT, "Runs of compaction.", compaction::runs),
                new Counter("compacted bytes", Unit.BYTES, "Bytes that compaction freed.", compaction::freedBytes),
                new Counter("syncs", Unit.COUNT, "Times that the log was forced onto the disk.", syncer::syncs),
                new Gauge(
                        "sync micros",
                        Unit.MICROSECONDS,
                        "Duration of one such time, on average since the start.",
                        () -> syncer.average().toNanos() / 1000),
                new Gauge("recovery millis", Unit.MILLISECONDS, "Duration of the last recovery.", recovery::toMillis),
                new Gauge("recovery read bytes", Unit.BYTES, "Bytes of segments that it read.", recovered::readBytes),
                new Gauge(
                        "recovery hinted bytes",
                        Unit.BYTES,
                        "Bytes of segments of which it read the hint in their place.",
                        recovered::hintedBytes));
    }

    private long logBytes() {
        return Segments.bytes(log.segments().live());
    }

    /** The troubles now; {@code ok} if there are none. */
    private String state() {
        List<String> states = new ArrayList<>();
        if (syncer.isDead() || keeper.isDead() || cleaner.isDead()) {
            states.add("a thread of the storage has ended: restart the node");
        }
        log.segments().live().stream()
                .flatMap(segment -> damage(segment).stream())
                .limit(DAMAGES_SHOWN_MAX)
                .forEach(states::add);
        if (maxBytes > 0 && log.liveBytes().get() + SMALL_WRITE_BYTES > maxBytes) {
            states.add("no room: writes are refused: the buckets take %d of at most %d bytes (kv.storage.max-bytes):"
                            .formatted(log.liveBytes().get(), maxBytes)
                    + " delete keys, or raise it");
        }
        troubles.text().ifPresent(states::add);
        return states.isEmpty() ? "ok" : String.join("; ", states);
    }

    private static Optional<String> damage(Segment segment) {
        return segment.damage()
                .map(damage -> "set aside: " + damage.getMessage())
                .or(() -> segment.fields().damageMet().map(damage -> "met by a read: " + damage.getMessage()));
    }

    /** Answers large requests for as long as the limit says, then forces all that was written onto the disk, however long that takes. */
    @Override
    public void stop(Duration limit) {
        log.supply().endWaits();
        log.tail().endWaits();
        turns.close(limit);
        cleaner.end();
        keeper.end();
        syncer.end();
        try {
            log.close();
            syncer.closed(Optional.empty());
        } catch (IOException e) {
            LOG.error("the log could not be closed in order; the next start reads it as after a crash", e);
            syncer.closed(Optional.of(e));
        }
        try {
            keeper.writeLastHints();
        } catch (IOException e) {
            LOG.info("without hints the next start reads more: {}", e.getMessage());
        }
        try {
            log.closeSegments();
        } catch (IOException e) {
            LOG.warn("the log could not be closed", e);
        }
    }
}
