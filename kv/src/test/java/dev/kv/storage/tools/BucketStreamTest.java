package dev.kv.storage.tools;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.Bytes;
import dev.kv.router.Limits;
import dev.kv.router.OperatorError;
import dev.kv.router.Reply;
import dev.kv.storage.DataFolder;
import dev.kv.storage.OpenStorage;
import dev.kv.storage.log.Refused;
import dev.kv.storage.log.Sync;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Exports and imports of buckets, and streams that are damaged, cut short or too large. */
class BucketStreamTest {
    private static final Limits LIMITS = new Limits(16, 20, 10, 1_000_000, 10, 1 << 20);

    @TempDir
    private Path site;

    private DataFolder data;
    private OpenStorage storage;

    @BeforeEach
    void open() throws IOException {
        data = new DataFolder(site.resolve("data"));
        storage = data.open();
    }

    @AfterEach
    void close() {
        storage.stop(Duration.ZERO);
    }

    private byte[] exported(String bucket) throws IOException {
        ByteArrayOutputStream stream = new ByteArrayOutputStream();
        storage.exportTo(Bytes.of(bucket), stream);
        return stream.toByteArray();
    }

    private long imported(String bucket, boolean replaces, byte[] stream) throws IOException {
        return storage.importFrom(Bytes.of(bucket), replaces, LIMITS, new ByteArrayInputStream(stream));
    }

    private boolean isKept(String bucket) throws Refused {
        return storage.buckets().frozen(0, Bytes.of(bucket)).isKept();
    }

    @Test
    void anImportedBucketEqualsTheExportedOne() throws Exception {
        DataFolder.create(storage, "a");
        for (int i = 0; i < 5_000; i++) {
            DataFolder.put(storage, "a", "key-" + i, "value-" + i);
        }
        DataFolder.put(storage, "a", "large", "v".repeat(1_000_000));
        DataFolder.put(storage, "a", "empty", "");

        assertThat(imported("b", false, exported("a"))).isEqualTo(5_002);

        Map<String, Map<String, String>> content = DataFolder.content(storage);
        assertThat(content.get("b")).hasSize(5_002).isEqualTo(content.get("a"));
        assertThat(isKept("b")).isTrue();
        storage.stop(Duration.ZERO);
        storage = data.open();
        assertThat(DataFolder.content(storage)).isEqualTo(content);
    }

    @Test
    void anImportedBucketIsKeptIfTheExportedOneWas() throws Exception {
        DataFolder.create(storage, "kept and empty");
        storage.buckets().edit(0, Bytes.of("not kept"), bucket -> {
            bucket.set(Bytes.of("k"), Bytes.of("v"));
            return Reply.OK;
        });

        assertThat(imported("x", false, exported("kept and empty"))).isZero();
        assertThat(imported("y", false, exported("not kept"))).isOne();

        assertThat(isKept("x")).isTrue();
        assertThat(isKept("y")).isFalse();
    }

    @Test
    void anImportReplacesABucketOnlyIfAsked() throws Exception {
        DataFolder.create(storage, "a");
        DataFolder.put(storage, "a", "k", "new");
        byte[] stream = exported("a");
        DataFolder.create(storage, "b");
        DataFolder.put(storage, "b", "k", "old");
        DataFolder.put(storage, "b", "other", "old");

        assertThatThrownBy(() -> imported("b", false, stream))
                .isInstanceOf(OperatorError.class)
                .hasMessage("there is a bucket b already: --replace puts this one in its place");
        assertThat(DataFolder.content(storage).get("b")).hasSize(2);

        imported("b", true, stream);
        assertThat(DataFolder.content(storage).get("b")).isEqualTo(Map.of("k", "new"));
    }

    @Test
    void aMissingBucketIsNotExported() {
        assertThatThrownBy(() -> exported("nothing"))
                .isInstanceOf(OperatorError.class)
                .hasMessage("there is no bucket nothing on this node: `kv route` tells where it would be");
    }

    @Test
    void theEndOfAStreamIsCheckedBeforeItIsRead() throws Exception {
        DataFolder.create(storage, "a");
        byte[] stream = exported("a");
        // The last pair: checksum, kind, lengths of key and value, checksum of both; then the count.
        int at = stream.length - Long.BYTES - 20;
        for (int[] lengths : new int[][] {{0, Integer.MAX_VALUE}, {0, -1}, {-1, 8}, {8, 8}}) {
            ByteBuffer crafted = ByteBuffer.wrap(stream.clone()).order(ByteOrder.LITTLE_ENDIAN);
            crafted.putInt(at + 8, lengths[0]).putInt(at + 12, lengths[1]);
            CRC32C crc = new CRC32C();
            crc.update(crafted.array(), at + 4, 16);
            crafted.putInt(at, (int) crc.getValue());

            assertThatThrownBy(() -> imported("b", false, crafted.array()))
                    .isInstanceOf(OperatorError.class)
                    .hasMessageContaining("damaged behind 0 keys");
        }
    }

    @Test
    void anIncompleteStreamChangesNothing() throws Exception {
        DataFolder.create(storage, "a");
        DataFolder.put(storage, "a", "one", "1");
        DataFolder.put(storage, "a", "two", "2");
        byte[] stream = exported("a");
        DataFolder.put(storage, "a", "three", "3");
        Map<String, Map<String, String>> before = DataFolder.content(storage);

        for (int length = 0; length < stream.length; length++) {
            byte[] cut = Arrays.copyOf(stream, length);
            assertThatThrownBy(() -> imported("a", true, cut))
                    .as("%d bytes", length)
                    .isInstanceOf(OperatorError.class)
                    .hasMessageContaining(length == 0 ? "the input is empty" : "cut short");
        }
        for (int at = 0; at < stream.length; at++) {
            byte[] damaged = stream.clone();
            damaged[at] ^= 0x10;
            assertThatThrownBy(() -> imported("a", true, damaged))
                    .as("byte %d", at)
                    .isInstanceOf(OperatorError.class);
        }
        byte[] longer = Arrays.copyOf(stream, stream.length + 1);
        assertThatThrownBy(() -> imported("a", true, longer)).isInstanceOf(OperatorError.class);

        assertThat(DataFolder.content(storage)).isEqualTo(before);
        assertThat(data.files(".tmp"))
                .noneMatch(file -> file.getFileName().toString().startsWith("import"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"t", "a text", "a text that is longer than the head of a stream"})
    void aTextIsRefusedAsAStream(String text) throws Exception {
        byte[] bytes = text.getBytes(US_ASCII);

        assertThatThrownBy(() -> imported("a", false, bytes))
                .isInstanceOf(OperatorError.class)
                .hasMessage("this is no bucket that `kv export` wrote");
    }

    @Test
    void streamsOfANewerReleaseAreRefused() throws Exception {
        DataFolder.create(storage, "a");
        DataFolder.put(storage, "a", "k", "v");
        byte[] stream = exported("a");

        byte[] withVersion = stream.clone();
        withVersion[12] = 4;
        byte[] withFlag = stream.clone();
        withFlag[16] |= 8;
        byte[] withKind = stream.clone();
        withKind[25 + 4] = 1;
        for (byte[] newer : List.of(seal(withVersion, 8, 25), seal(withFlag, 8, 25), seal(withKind, 25, 45))) {
            assertThatThrownBy(() -> imported("b", false, newer))
                    .isInstanceOf(OperatorError.class)
                    .hasMessage("a newer release wrote this bucket: use that one");
        }
        assertThat(DataFolder.content(storage)).containsOnlyKeys("a");
    }

    @Test
    void aStreamOfAValueHasOnePairWithoutAKey() throws Exception {
        DataFolder.setValue(storage, "a", "foo");
        byte[] value = exported("a");
        assertThat(imported("b", false, value)).isOne();
        assertThat(DataFolder.content(storage).get("b")).isEqualTo(Map.of("", "foo"));

        DataFolder.create(storage, "bucket");
        DataFolder.put(storage, "bucket", "k", "v");
        byte[] withKey = exported("bucket");
        withKey[12] = 2;
        withKey[16] = 4;
        DataFolder.create(storage, "empty");
        byte[] withoutPair = exported("empty");
        withoutPair[12] = 2;
        withoutPair[16] = 4;
        byte[] ofVersion1 = value.clone();
        ofVersion1[12] = 1;
        for (byte[] wrong : List.of(seal(withKey, 8, 30), seal(withoutPair, 8, 29), seal(ofVersion1, 8, 25))) {
            assertThatThrownBy(() -> imported("c", false, wrong)).isInstanceOf(OperatorError.class);
        }
        assertThat(DataFolder.content(storage)).containsOnlyKeys("a", "b", "bucket", "empty");
    }

    @Test
    void aDamagedBucketIsNotReplaced() throws Exception {
        DataFolder.setValue(storage, "a", "foo");
        byte[] stream = exported("a");
        Path log = storage.log().segments().live().getLast().path();
        // The generation in the record.
        DataFolder.flip(log, 64 + 8);

        assertThatThrownBy(() -> imported("a", true, stream))
                .isInstanceOf(OperatorError.class)
                .hasMessageContaining(log + " is damaged at byte 64")
                .hasMessageEndingWith("; `kv verify` tells more. Nothing was imported");
    }

    /** Corrects a checksum: that of the bytes from behind it to an offset. */
    private static byte[] seal(byte[] stream, int checksum, int to) {
        CRC32C crc = new CRC32C();
        crc.update(stream, checksum + 4, to - checksum - 4);
        ByteBuffer.wrap(stream).order(ByteOrder.LITTLE_ENDIAN).putInt(checksum, (int) crc.getValue());
        return stream;
    }

    @Test
    void anImportAboveTheLimitsChangesNothing() throws Exception {
        DataFolder.create(storage, "a");
        DataFolder.put(storage, "a", "milk", "1");
        byte[] stream = exported("a");
        DataFolder.put(storage, "a", "milk", "v".repeat(1_000_001));
        byte[] largeValue = exported("a");
        DataFolder.put(storage, "a", "milk", "2");
        DataFolder.put(storage, "a", "elevenbytes", "3");
        byte[] largeKey = exported("a");
        Map<String, Map<String, String>> before = DataFolder.content(storage);

        assertThatThrownBy(() -> imported("a", true, largeValue))
                .isInstanceOf(OperatorError.class)
                .hasMessage("key milk: the value has 1000001 bytes, at most 1000000 are allowed (kv.router.value-max)");
        assertThatThrownBy(() -> imported("a", true, largeKey))
                .isInstanceOf(OperatorError.class)
                .hasMessageMatching(
                        "behind [01] keys: the key has 11 bytes, at most 10 are allowed \\(kv[.]router[.]key-max\\)");
        assertThatThrownBy(() -> imported("b".repeat(21), false, stream))
                .isInstanceOf(OperatorError.class)
                .hasMessage("the bucket's name has 21 bytes, at most 20 are allowed (kv.router.bucket-max)");

        assertThat(DataFolder.content(storage)).isEqualTo(before);
    }

    @Test
    void anImportThatDoesNotFitChangesNothing() throws Exception {
        DataFolder.create(storage, "a");
        for (int i = 0; i < 5_000; i++) {
            DataFolder.put(storage, "a", "key-" + i, "value-" + i);
        }
        byte[] stream = exported("a");
        DataFolder.create(storage, "b");
        DataFolder.put(storage, "b", "k", "old");
        Map<String, Map<String, String>> before = DataFolder.content(storage);
        long taken = storage.log().liveBytes().get();
        storage.stop(Duration.ZERO);
        storage = OpenStorage.open(
                DataFolder.settings(
                        data.path(),
                        new Sync(false, Optional.of(Duration.ofSeconds(1))),
                        taken * 3 / 2,
                        1L << 20,
                        DataFolder.PINS),
                DataFolder.limits(1 << 20),
                _ -> {});

        for (String bucket : List.of("b", "c")) {
            assertThatThrownBy(() -> imported(bucket, true, stream))
                    .isInstanceOf(OperatorError.class)
                    .hasMessageEndingWith("raise kv.storage.max-bytes. Nothing was imported");
        }

        assertThat(DataFolder.content(storage)).isEqualTo(before);
        assertThat(storage.log().liveBytes()).hasValue(taken);
        storage.compact();
        storage.stop(Duration.ZERO);
        storage = data.open();
        assertThat(DataFolder.content(storage)).isEqualTo(before);
        assertThat(storage.log().liveBytes()).hasValue(taken);
    }

    /** Checks the bucket after each change that the import writes, also as a killed process would leave it. */
    @Test
    void anImportBecomesVisibleAsAWhole() throws Exception {
        DataFolder.create(storage, "a");
        for (int i = 0; i < 20_000; i++) {
            DataFolder.put(storage, "a", "key-" + i, "value-" + i);
        }
        byte[] stream = exported("a");
        Map<String, String> whole = DataFolder.content(storage).get("a");
        DataFolder.create(storage, "b");
        DataFolder.put(storage, "b", "k", "old");
        Map<String, String> old = DataFolder.content(storage).get("b");

        AtomicBoolean isOver = new AtomicBoolean();
        try (ExecutorService threads = Executors.newFixedThreadPool(1)) {
            Future<Long> imports = threads.submit(() -> {
                try {
                    return imported("b", true, stream);
                } finally {
                    isOver.set(true);
                }
            });
            for (int image = 0; !isOver.get(); image++) {
                long appended = storage.log().tail().appended();
                assertThat(DataFolder.content(storage).get("b")).isIn(old, whole);
                DataFolder killed = new DataFolder(site.resolve("killed-" + image));
                DataFolder.image(data.path(), killed.path());
                assertThat(killed.content().get("b")).as("at byte %d", appended).isIn(old, whole);
            }
            assertThat(imports.get()).isEqualTo(20_000);
        }

        assertThat(DataFolder.content(storage).get("b")).isEqualTo(whole);
    }

    /** The reader of the stream writes while it reads, and compacts the log. */
    @Test
    void anExportIsTheBucketAtOneMoment() throws Exception {
        DataFolder.create(storage, "a");
        Map<String, String> before = new TreeMap<>();
        for (int i = 0; i < 20_000; i++) {
            DataFolder.put(storage, "a", "key-" + i, "old-" + i);
            before.put("key-" + i, "old-" + i);
        }
        ByteArrayOutputStream stream = new ByteArrayOutputStream();
        storage.exportTo(Bytes.of("a"), new OutputStream() {
            private int next;

            @Override
            public void write(int b) {
                stream.write(b);
            }

            @Override
            public void write(byte[] bytes, int offset, int length) {
                for (int i = 0; i < 2_000; i++, next++) {
                    DataFolder.put(storage, "a", "key-" + next, "new-" + next);
                }
                stream.write(bytes, offset, length);
            }
        });

        imported("b", false, stream.toByteArray());
        assertThat(DataFolder.content(storage).get("b")).isEqualTo(before);
        assertThat(DataFolder.get(storage, "a", "key-0")).isEqualTo(new Reply.Value(Bytes.of("new-0")));
    }
}
