package dev.kv.storage.log;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Reply;
import dev.kv.storage.DataFolder;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(120)
class SupplyTest {
    @TempDir
    private Path site;

    /** Each sync writes such a piece as a whole, however little of it has changed. */
    @Test
    void segmentsAreClearedInLargePiecesOnlyUnderHeavyWrites() throws Exception {
        new DataFolder(site.resolve("data")).open(storage -> {
            Segments segments = storage.log().segments();
            DataFolder.create(storage, "b");
            DataFolder.await(() -> {
                DataFolder.put(storage, "b", "k", "x".repeat(100_000));
                return segments.live().getLast().pages().hasLargePieces();
            });
            Segment large = segments.live().getLast();

            DataFolder.await(() -> storage.log().tail().sealed().contains(large));
            DataFolder.put(storage, "b", "k", "1");
            assertThat(segments.live().getLast().pages().hasLargePieces()).isFalse();
            assertThat(DataFolder.get(storage, "b", "k")).isEqualTo(new Reply.Value(Bytes.of("1")));
        });
    }
}
