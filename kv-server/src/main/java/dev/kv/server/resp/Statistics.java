package dev.kv.server.resp;

import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.LongAdder;

/**
 * What clients of a door asked and how it ended, by command, since the start or since {@code CONFIG RESETSTAT}. Any thread.
 */
public final class Statistics {
    private final Map<Object, LoopCounts> loops = new ConcurrentHashMap<>();
    private final AtomicLongArray rejected = new AtomicLongArray(RespCommand.count());
    private final AtomicLongArray failed = new AtomicLongArray(RespCommand.count());

    /** By the first word of the error, which the node chooses and not the client. */
    private final Map<String, LongAdder> errors = new ConcurrentHashMap<>();

    /** The sum of the loops at the last reset. */
    private volatile LoopCounts.Sum atReset = new LoopCounts.Sum();

    /** The counts of a loop, for the connections on it. */
    public LoopCounts of(Object loop) {
        return loops.computeIfAbsent(loop, one -> new LoopCounts());
    }

    /** A request was refused before its command ran. */
    void rejected(RespCommand command) {
        rejected.incrementAndGet(command.number());
    }

    /** The reply to a command is written: counts its errors. */
    public void wrote(RespCommand command, RespWriter reply) {
        if (reply.hasErrors()) {
            failed(command, reply.takeErrors());
        }
    }

    /** A command ended with errors, of which these are the first words. */
    void failed(RespCommand command, List<String> words) {
        failed.incrementAndGet(command.number());
        words.forEach(this::error);
    }

    /** An error was answered that belongs to no command. */
    public void error(String word) {
        errors.computeIfAbsent(word, one -> new LongAdder()).increment();
    }

    long rejections(RespCommand command) {
        return rejected.get(command.number());
    }

    long failures(RespCommand command) {
        return failed.get(command.number());
    }

    /** The number of errors by their first words. */
    SortedMap<String, Long> errors() {
        SortedMap<String, Long> counts = new TreeMap<>();
        errors.forEach((word, count) -> counts.put(word, count.sum()));
        return counts;
    }

    /** The counts since the reset. */
    LoopCounts.Sum counts() {
        return sum().since(atReset);
    }

    private LoopCounts.Sum sum() {
        LoopCounts.Sum sum = new LoopCounts.Sum();
        loops.values().forEach(counts -> counts.addTo(sum));
        return sum;
    }

    void reset() {
        atReset = sum();
        for (int row = 0; row < RespCommand.count(); row++) {
            rejected.set(row, 0);
            failed.set(row, 0);
        }
        errors.clear();
    }
}
