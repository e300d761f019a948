package dev.kv.storage.tools;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.storage.DataFolder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A disk that wrote to the wrong place or cut a file short, and files that an operator left behind. */
class OverwrittenLogTest extends WithSmallFolder {
    private static final int HEADERS_BYTES = 48;
    private static final int RECORD_BYTES = HEADERS_BYTES + 8;

    private Path segment() throws Exception {
        return data.files(".log").getFirst();
    }

    /** Copies the record of a key, which takes 8 bytes with its value at most, over that of another one in the last segment. */
    private void overwrite(String to, String from) throws Exception {
        Path segment = data.files(".log").getLast();
        byte[] bytes = Files.readAllBytes(segment);
        int source = (int) find(segment, from) - HEADERS_BYTES;
        int target = (int) find(segment, to) - HEADERS_BYTES;
        System.arraycopy(bytes, source, bytes, target, RECORD_BYTES);
        Files.write(segment, bytes);
    }

    /** The hint tells the hash of the key that was written. */
    @Test
    void aSoundRecordInThePlaceOfAnotherIsAnError() throws Exception {
        overwrite("two", "one");

        data.open(storage -> {
            assertThat(DataFolder.get(storage, "a", "two")).isInstanceOf(Reply.Failed.class);
            assertThat(DataFolder.get(storage, "a", "one")).isEqualTo(new Reply.Value(Bytes.of("1")));
            assertThat(storage.run(new Command.Content(Bytes.of("a"), Command.Part.PAIRS))
                            .toCompletableFuture()
                            .join())
                    .isInstanceOf(Reply.Failed.class);
        });
    }

    @Test
    void aSoundRecordInThePlaceOfTheOnlyOneOfABucketIsAnError() throws Exception {
        data.open(storage -> {
            for (String bucket : List.of("x", "y")) {
                List<Bytes> pair = List.of(Bytes.of("only-" + bucket), Bytes.of("1"));
                assertThat(storage.run(new Command.SetAll(Bytes.of(bucket), pair, false))
                                .toCompletableFuture()
                                .join())
                        .isEqualTo(new Reply.Amount(1));
            }
        });
        overwrite("only-y", "only-x");

        data.open(storage -> {
            assertThat(DataFolder.get(storage, "y", "only-y")).isInstanceOf(Reply.Failed.class);
            assertThat(DataFolder.get(storage, "x", "only-x")).isEqualTo(new Reply.Value(Bytes.of("1")));
        });
    }

    @ParameterizedTest
    @ValueSource(ints = {65, 70, 77, 80, 90, 95})
    void aSegmentThatIsCutWithinARecordIsVerifiedAndRepaired(int bytes) throws Exception {
        DataFolder killed = new DataFolder(site.resolve("killed"));
        data.open(storage -> {
            DataFolder.put(storage, "a", "six", "6");
            DataFolder.awaitSynced(storage);
            DataFolder.image(data.path(), killed.path());
        });
        try (FileChannel file = FileChannel.open(killed.files(".log").getLast(), StandardOpenOption.WRITE)) {
            file.truncate(bytes);
        }

        assertThat(killed.damages()).isNotEmpty();
        assertThat(killed.repair()).isNotEmpty();
        assertThat(killed.damages()).isEmpty();
        assertThat(killed.content().get("a")).containsOnlyKeys("one", "two", "five");
    }

    @Test
    void aRepairRemovesAHintThatIsThereUnderTheNewNameOfItsSegment() throws Exception {
        DataFolder.flip(segment(), find(segment(), "the fourth"));
        byte[] stray = new byte[37];
        Arrays.fill(stray, (byte) 7);
        Files.write(data.path().resolve("0000000000000001-1.hint"), stray);

        assertThat(data.repair()).isNotEmpty();

        assertThat(data.damages()).isEmpty();
    }
}
