package dev.kv.storage.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.spi.Engine.Damage;
import dev.kv.storage.DataFolder;
import dev.kv.storage.format.Layout;
import dev.kv.storage.format.SegmentHeader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Verification and repair of long segments take a time in proportion to their length. */
class LinearRepairTest extends WithSmallFolder {
    /** For 64 MiB: many times what it takes on a busy machine. A time that is not linear is hours. */
    private static final Duration LINEAR_MAX = Duration.ofSeconds(60);

    /** The folder as a killed process leaves it, with a last segment of so many bytes. */
    private DataFolder killed(long segmentBytes) throws Exception {
        DataFolder killed = new DataFolder(site.resolve("killed"));
        data.open(storage -> {
            DataFolder.put(storage, "a", "six", "6");
            DataFolder.image(data.path(), killed.path());
        });
        try (FileChannel last = FileChannel.open(killed.files(".log").getLast(), StandardOpenOption.WRITE)) {
            assertThat(last.size()).isLessThan(segmentBytes);
            last.write(ByteBuffer.wrap(new byte[1]), segmentBytes - 1);
        }
        return killed;
    }

    @Test
    void theZerosBehindTheLogAreItsEndThoughTheMarkIsLost() throws Exception {
        DataFolder killed = killed(64 << 20);
        Path mark = killed.path().resolve("mark");
        Files.delete(mark);

        assertTimeoutPreemptively(LINEAR_MAX, () -> {
            assertThat(killed.damages())
                    .singleElement()
                    .satisfies(damage -> assertThat(damage.file()).isEqualTo(mark));
            assertThat(killed.repair()).hasSize(1);
            assertThat(killed.damages()).isEmpty();
        });
        assertThat(killed.content().get("a")).containsEntry("six", "6").hasSize(4);
    }

    @Test
    void zerosBeforeARecordAreOneDamage() throws Exception {
        DataFolder killed = killed(64 << 20);
        Path last = killed.files(".log").getLast();
        DataFolder.flip(last, (64 << 20) - 16);
        Files.delete(killed.path().resolve("mark"));

        assertTimeoutPreemptively(LINEAR_MAX, () -> {
            assertThat(killed.damages())
                    .extracting(Damage::file)
                    .containsExactlyInAnyOrder(killed.path().resolve("mark"), last);
            assertThat(killed.repair()).hasSize(2);
        });
        assertThat(killed.content().get("a")).containsEntry("six", "6").hasSize(4);
    }

    /** At many offsets, a record with a name of 1 MiB seems to begin. */
    @Test
    void valuesThatLookLikeRecordsAreSearchedInLinearTime() throws Exception {
        byte[] value = new byte[16 << 20];
        ByteBuffer numbers = ByteBuffer.wrap(value).order(ByteOrder.LITTLE_ENDIAN);
        for (int at = 0; at < value.length; at += 32) {
            numbers.putInt(at + Layout.RECORD_LENGTH, 2 << 20).putInt(at + Layout.RECORD_NAME_BYTES, 1 << 20);
        }
        data.open(storage -> assertThat(
                        storage.run(new Command.Put(Bytes.of("a"), Bytes.of("large"), Bytes.owning(value)))
                                .toCompletableFuture()
                                .join())
                .isEqualTo(Reply.OK));
        Path last = data.files(".log").getLast();
        DataFolder.flip(last, SegmentHeader.BYTES + Layout.RECORD_LENGTH + 3);

        assertTimeoutPreemptively(LINEAR_MAX, () -> {
            assertThat(data.damages()).hasSize(1);
            assertThat(data.repair()).isNotEmpty();
        });
        assertThat(data.content().get("a")).containsEntry("one", "1").doesNotContainKey("large");
    }

    /** Read and reported in turns, the last key is reported as it is after the first report. */
    @Test
    void theFieldsOfADamagedChangeAreReportedOneByOne() throws Exception {
        List<Bytes> pairs = new ArrayList<>();
        for (int i = 0; i < 1_000; i++) {
            pairs.addAll(List.of(Bytes.of("key-" + i), Bytes.of("value-" + i)));
        }
        data.open(storage -> {
            Command set = new Command.SetAll(Bytes.of("a"), pairs, false);
            assertThat(storage.run(set).toCompletableFuture().join()).isEqualTo(new Reply.Amount(1_000));
        });
        Path last = data.files(".log").getLast();
        DataFolder.flip(last, find(last, "value-7"));
        List<Damage> damages = new ArrayList<>();

        data.verify(damage -> {
            if (damages.isEmpty()) {
                flipLastKey(last);
            }
            damages.add(damage);
        });

        assertThat(damages).hasSize(1_000);
        assertThat(damages.getFirst().key()).contains(Bytes.of("key-0"));
        assertThat(damages.getLast().key()).contains(Bytes.of("key-99)"));
    }

    private static void flipLastKey(Path segment) {
        try {
            DataFolder.flip(segment, find(segment, "key-999") + "key-99".length());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
