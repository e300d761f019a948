package dev.kv.storage.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.storage.DataFolder;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** For tests of buckets of few keys. */
abstract class WithSmallBuckets extends WithStorage {
    final void set(String bucket, String... pairs) {
        List<Bytes> words = Arrays.stream(pairs).map(Bytes::of).toList();
        assertThat(run(new Command.SetAll(Bytes.of(bucket), words, false))).isInstanceOf(Reply.Amount.class);
    }

    final void delete(String bucket, String key) {
        assertThat(run(new Command.DeleteAll(Bytes.of(bucket), List.of(Bytes.of(key)))))
                .isEqualTo(new Reply.Amount(1));
    }

    final void assertValue(String bucket, String key, String value) {
        assertThat(DataFolder.get(storage, bucket, key)).isEqualTo(new Reply.Value(Bytes.of(value)));
    }

    /** Two names with the same hash. */
    final List<String> twins() {
        Map<Integer, String> byHash = new HashMap<>();
        for (int i = 0; true; i++) {
            String name = "name-" + i;
            String other = byHash.put(storage.buckets().table().hash(Bytes.of(name)), name);
            if (other != null) {
                return List.of(other, name);
            }
        }
    }
}
