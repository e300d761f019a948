package dev.kv.storage.maintenance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.storage.DataFolder;
import dev.kv.storage.format.SegmentName;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What was deleted, or has expired, stays gone through any sequence of compactions, restarts and crashes. */
@Timeout(600)
class CompactionTest extends WithModel {
    @Test
    void nothingDeletedComesBackWhateverIsCompactedAndOpenedInBetween() throws Exception {
        run(new Random().nextLong(), 120);
    }

    @Test
    @Tag("soak")
    void nothingDeletedComesBackForMinutes() throws Exception {
        run(new Random().nextLong(), 4_000);
    }

    private void run(long seed, int rounds) throws Exception {
        Random random = new Random(seed);
        try {
            for (int round = 0; round < rounds; round++) {
                for (int i = random.nextInt(1, 80); i > 0; i--) {
                    changeSomething(random);
                }
                for (Path file : files(data)) {
                    if (file.toString().endsWith(".hint") && random.nextInt(4) == 0) {
                        Files.delete(file);
                    }
                }
                switch (random.nextInt(4)) {
                    case 0 -> storage.compact();
                    case 1 -> storage.compact(false);
                    case 2 -> reopen(data);
                    default -> {
                        // As a process leaves it that is killed right after a compaction.
                        reopen(data);
                        storage.compact(random.nextBoolean());
                        reopen(data);
                    }
                }
                check();
            }
        } catch (AssertionError | RuntimeException e) {
            throw new AssertionError("with seed " + seed, e);
        }
    }

    @Test
    void aCrashBetweenAnyTwoStepsOfCompactionChangesNothing() throws Exception {
        Random random = new Random(7);
        for (int round = 0; round < 12; round++) {
            for (int i = 0; i < 120; i++) {
                changeSomething(random);
            }
            reopen(data);
        }
        storage.stop(Duration.ZERO);
        Path before = image();
        storage = open(data);
        storage.compact();
        storage.stop(Duration.ZERO);
        List<SegmentName> old = segments(before);
        List<SegmentName> compacted = segments(data);
        assertThat(compacted.size()).isLessThan(old.size());

        Path step = before;
        int steps = 0;
        for (int i = 0; i < compacted.size(); i++) {
            SegmentName made = compacted.get(i);
            if (old.contains(made)) {
                continue;
            }
            long next = i + 1 < compacted.size() ? compacted.get(i + 1).number() : Long.MAX_VALUE;
            Files.copy(data.resolve(made.log()), step.resolve(made.log()));
            opensAsItWas(step);
            List<SegmentName> listed = new ArrayList<>(compacted.subList(0, i + 1));
            old.stream().filter(name -> name.number() >= next).forEach(listed::add);
            DataFolder.list(step, listed);
            opensAsItWas(step);
            for (SegmentName name : old) {
                if (name.number() >= made.number() && name.number() < next) {
                    Files.delete(step.resolve(name.log()));
                    Files.deleteIfExists(step.resolve(name.hint()));
                    opensAsItWas(step);
                    steps++;
                }
            }
        }
        assertThat(steps).isGreaterThan(3);
        storage = open(data);
    }

    /** Opens a copy of the folder, deletes all keys, compacts, and opens it once more. */
    private void opensAsItWas(Path step) throws IOException {
        data = step;
        Path image = image();
        storage = open(image);
        check();
        Map<String, Map<String, String>> all = new HashMap<>();
        model.forEach((bucket, values) -> all.put(bucket, new HashMap<>(values)));
        Set<String> allUnkept = Set.copyOf(unkept);
        Map<String, Long> allUntils = Map.copyOf(untils);
        for (String bucket : List.copyOf(model.keySet())) {
            for (String key : List.copyOf(model.get(bucket).keySet())) {
                delete(bucket, key);
            }
        }
        storage.stop(Duration.ZERO);
        storage = open(image);
        storage.compact();
        storage.stop(Duration.ZERO);
        storage = open(image);
        check();
        storage.stop(Duration.ZERO);
        model.putAll(all);
        unkept.addAll(allUnkept);
        untils.putAll(allUntils);
        data = folder.resolve("data");
    }
}
