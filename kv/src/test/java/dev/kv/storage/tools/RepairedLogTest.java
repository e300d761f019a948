package dev.kv.storage.tools;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Reply;
import dev.kv.router.spi.Engine.Damage;
import dev.kv.storage.DataFolder;
import dev.kv.storage.engine.Bucket;
import dev.kv.storage.format.Draft;
import dev.kv.storage.format.Format;
import dev.kv.storage.format.Layout;
import dev.kv.storage.format.Mark;
import dev.kv.storage.format.SegmentName;
import dev.kv.storage.log.Segment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** What a log holds after a repair: of torn records, of renames and imports, and of several segments. */
class RepairedLogTest extends WithSmallFolder {
    /** A power cut left a torn record after the mark, and a segment after it; later an earlier record was damaged. */
    @Test
    void aRepairDoesNotReviveRecordsBehindATornOne() throws Exception {
        DataFolder crashed = new DataFolder(site.resolve("crashed"));
        data.open(storage -> {
            storage.backup(site.resolve("so that the mark is set"));
            DataFolder.put(storage, "a", "six", "6");
            DataFolder.copy(data.path(), crashed.path());
        });
        Path torn = crashed.files(".log").getLast();
        byte[] bytes = Files.readAllBytes(torn);
        int end = (int) Layout.padded(find(torn, "six") + "six".length() + 1);
        bytes[end + 4] = 64;
        Files.write(torn, bytes);
        SegmentName next =
                new SegmentName(SegmentName.of(torn.getFileName().toString()).number() + 1, 0);
        try (Segment following = Segment.create(crashed.path().resolve(next.log()), next, 4096)) {
            following.begin(Format.read(crashed.path()).id(), next.number() - 1, end + 64);
            following.append(new Draft()
                    .begin(Layout.WRITE, 0, 1, "a".getBytes(UTF_8))
                    .set(Bytes.of("seven"), Bytes.of("7"), 0)
                    .end());
        }
        assertThat(crashed.damages()).as("nobody was promised what is torn").isEmpty();

        DataFolder both = new DataFolder(DataFolder.copy(crashed.path(), site.resolve("both")));
        assertThat(both.repair()).isEmpty();
        Map<String, String> whole = Map.of("one", "1", "two", "2", "five", "5", "six", "6");
        assertThat(both.content().get("a")).isEqualTo(whole);

        DataFolder.flip(torn, 33);
        Mark.Position marked = new Mark.Position(next.number() - 1, end, 100);
        Mark.open(crashed.path(), Format.read(crashed.path()).id(), Optional.of(marked))
                .close();
        assertThat(crashed.repair())
                .extracting(damage -> damage.file().getFileName().toString())
                .containsExactly(torn.getFileName().toString(), next.log());
        assertThat(crashed.content().get("a")).isEqualTo(whole);
    }

    /** The renamed bucket loses its new name, and no key. */
    @Test
    void aBucketWhoseRenameIsDamagedGetsItsOldNameBack() throws Exception {
        data.open(storage -> {
            storage.buckets().publisher().rename(0, Bytes.of("a"), Bytes.of("renamed"), (_, _) -> true);
            DataFolder.put(storage, "renamed", "six", "6");
        });
        Path last = data.files(".log").getLast();
        DataFolder.flip(last, find(last, "renamed"));
        Files.delete(data.files(".hint").getLast());

        assertThat(data.damages())
                .singleElement()
                .satisfies(damage -> assertThat(damage.bucket()).isPresent());
        assertThat(data.repair()).hasSize(1);
        assertThat(data.content().get("a")).containsEntry("one", "1").containsEntry("six", "6");
        assertThat(data.content()).doesNotContainKey("renamed");
    }

    @Test
    void aBucketWhosePublishRecordIsDamagedIsReportedAndDropped() throws Exception {
        data.open(storage -> {
            Bucket hidden = storage.buckets().publisher().hidden(Bytes.of("imported"));
            storage.buckets().publisher().fill(hidden, bucket -> bucket.set(Bytes.of("k"), Bytes.of("v")));
            storage.buckets().publisher().publish(0, hidden, _ -> true);
        });
        assertThat(data.content()).containsKey("imported");
        Path segment = data.files(".log").get(1);
        long record = new String(Files.readAllBytes(segment), ISO_8859_1).lastIndexOf("imported");
        DataFolder.flip(segment, record - Layout.FIELD_KEY);
        Files.delete(data.files(".hint").get(1));

        assertThat(data.damages())
                .singleElement()
                .satisfies(damage -> assertThat(damage.bucket()).contains(Bytes.of("imported")));
        assertThat(data.repair()).hasSize(1);
        assertThat(data.content()).doesNotContainKey("imported").containsKey("a");
    }

    /** Several segments are damaged, some of them rewritten ones; after the repair a node writes on. */
    @Test
    void aNodeGoesOnWithWhatSeveralSegmentsHaveLeft() throws Exception {
        data.open(storage -> {
            for (int i = 0; i < 20_000; i++) {
                DataFolder.put(storage, "a", "key-" + i % 5_000, "value-" + i);
            }
            storage.compact();
            for (int i = 0; i < 20_000; i++) {
                DataFolder.put(storage, "a", "more-" + i, "value-" + i);
            }
        });
        Map<String, Map<String, String>> written = data.content();
        List<Path> segments = data.files(".log");
        assertThat(segments).hasSizeGreaterThan(2);
        for (Path segment : segments) {
            DataFolder.flip(segment, Files.size(segment) / 2);
        }
        for (Path hint : data.files(".hint")) {
            Files.delete(hint);
        }

        List<Damage> damages = data.damages();
        assertThat(damages).hasSameSizeAs(segments);
        assertThat(data.repair()).isEqualTo(damages);
        data.open(storage -> DataFolder.put(storage, "a", "new", "value"));
        data.open(storage -> {
            assertThat(DataFolder.get(storage, "a", "new")).isEqualTo(new Reply.Value(Bytes.of("value")));
            storage.compact();
        });
        Map<String, String> left = new TreeMap<>(data.content().get("a"));
        assertThat(left.remove("new")).isEqualTo("value");
        assertThat(written.get("a")).containsAllEntriesOf(left);
        assertThat(written.get("a")).hasSizeLessThanOrEqualTo(left.size() + damages.size());
    }
}
