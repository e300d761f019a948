package dev.kv.storage.tools;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import dev.kv.router.Bytes;
import dev.kv.router.Reply;
import dev.kv.storage.DataFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** A data folder with one segment: bucket {@code a} with three keys, and {@code b} with two that one change has set. */
abstract class WithSmallFolder {
    @TempDir
    Path site;

    DataFolder data;

    @BeforeEach
    void write() throws Exception {
        data = new DataFolder(site.resolve("data"));
        data.open(storage -> {
            DataFolder.create(storage, "a");
            DataFolder.put(storage, "a", "one", "1");
            DataFolder.put(storage, "a", "two", "2");
            storage.buckets().edit(0, Bytes.of("b"), bucket -> {
                bucket.set(Bytes.of("three"), Bytes.of("3"));
                bucket.set(Bytes.of("four"), Bytes.of("the fourth"));
                return Reply.OK;
            });
            DataFolder.put(storage, "a", "five", "5");
        });
    }

    static long find(Path file, String text) throws IOException {
        return new String(Files.readAllBytes(file), ISO_8859_1).indexOf(text);
    }
}
