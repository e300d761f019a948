package dev.kv.storage.tools;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.OperatorError;
import dev.kv.router.spi.Engine.Damage;
import dev.kv.storage.DataFolder;
import dev.kv.storage.ExpiringContent;
import dev.kv.storage.ExpiringContent.Difference;
import dev.kv.storage.OpenStorage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Damaged bytes in segments and hints of what expires. A start refuses them, or reads each value and each time as it was written, or answers
 * with an error. After a repair, what is gone or has lost its time is named by the repair.
 */
@Timeout(600)
class ExpiryDamageTest {
    @TempDir
    private Path site;

    private DataFolder written;

    @BeforeEach
    void write() throws Exception {
        written = new DataFolder(site.resolve("written"));
        written.open(storage -> {
            ExpiringContent.writeFirst(storage);
            storage.log().tail().rollOver();
            DataFolder.await(() -> storage.log().tail().sealed().size()
                    == storage.log().segments().live().size());
            storage.compact();
            ExpiringContent.writeSecond(storage);
        });
    }

    @Test
    void soundOnesAreReadAsTheyWereWritten() throws Exception {
        assertThat(written.damages()).isEmpty();
        written.open(storage -> assertThat(ExpiringContent.differences(storage)).isEmpty());
    }

    @Test
    void aDamagedByteIsNeitherAWrongValueNorATimeThatIsLostInSilence() throws Exception {
        damage(new Random().nextLong(), 50);
    }

    @Test
    @Tag("soak")
    void damagedBytesAreNeitherWrongValuesNorTimesThatAreLostInSilenceForMinutes() throws Exception {
        damage(new Random().nextLong(), 2_000);
    }

    private void damage(long seed, int times) throws Exception {
        for (int i = 0; i < times; i++) {
            Random random = new Random(seed + i);
            DataFolder image = copy(written, "image");
            if (random.nextBoolean()) {
                for (Path hint : image.files(".hint")) {
                    Files.delete(hint);
                }
            }
            String what = "seed " + (seed + i) + ": " + damage(image, random);
            try {
                List<Damage> damages = image.damages();
                DataFolder started = copy(image, "started");
                start(started, damages);
                remove(started);
                assertThat(image.repair()).isEqualTo(damages);
                assertThat(image.damages()).isEmpty();
                image.open(storage -> assertThat(ExpiringContent.differences(storage))
                        .allMatch(difference -> isTold(difference, damages)));
            } catch (RuntimeException | AssertionError e) {
                throw new AssertionError(what, e);
            }
            remove(image);
        }
    }

    /** Damages one byte of what was written to a segment, or of a hint. */
    private static String damage(DataFolder image, Random random) throws IOException {
        List<Path> files = Stream.concat(image.files(".log").stream(), image.files(".hint").stream())
                .toList();
        Path file = files.get(random.nextInt(files.size()));
        byte[] bytes = Files.readAllBytes(file);
        int end = bytes.length;
        while (bytes[end - 1] == 0) {
            end--;
        }
        int at = random.nextInt(end);
        byte before = bytes[at];
        while (bytes[at] == before) {
            bytes[at] = (byte) (random.nextBoolean() ? before ^ 1 << random.nextInt(8) : random.nextInt(256));
        }
        Files.write(file, bytes);
        return "%s byte %d from %02x to %02x".formatted(file.getFileName(), at, before, bytes[at]);
    }

    private static void start(DataFolder image, List<Damage> damages) throws IOException {
        OpenStorage storage;
        try {
            storage = image.open();
        } catch (OperatorError refused) {
            assertThat(refused).hasMessageContaining(image.path().toString());
            assertThat(damages)
                    .as("what verify finds of a folder that does not open")
                    .isNotEmpty();
            return;
        }
        try {
            List<Difference> differences = ExpiringContent.differences(storage);
            assertThat(differences).allMatch(Difference::isError);
            assertThat(differences.isEmpty() || !damages.isEmpty())
                    .as("verify finds what a read finds: %s", differences)
                    .isTrue();
        } finally {
            storage.stop(Duration.ZERO);
        }
    }

    /** Whether a repair has named the bucket or value, by another name if that is what is damaged, or could not tell which one it was. */
    private static boolean isTold(Difference difference, List<Damage> damages) {
        return !difference.isError()
                && damages.stream()
                        .map(Damage::bucket)
                        .anyMatch(named -> named.filter(ExpiringContent::hasName)
                                .map(difference.name()::equals)
                                .orElse(true));
    }

    private DataFolder copy(DataFolder of, String name) throws IOException {
        return new DataFolder(DataFolder.copy(of.path(), site.resolve(name)));
    }

    private static void remove(DataFolder folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder.path())) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }
}
