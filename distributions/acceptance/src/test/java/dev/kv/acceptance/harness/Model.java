package dev.kv.acceptance.harness;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The expected content of the buckets by the replies so far: a map of maps, with the set of possible values for each key. Without
 * failures that set has one element. A write whose outcome is uncertain may run at any later time, so its value stays possible
 * from then on.
 */
public final class Model {
    private final Map<String, Bucket> buckets = new HashMap<>();

    /** The possible states of a value, or of the existence of a bucket. */
    private static final class Possible<T> {
        private Set<T> now = new HashSet<>();
        private final Set<T> atAnyTime = new HashSet<>();

        Possible(T value) {
            now.add(value);
        }

        void is(T value) {
            now = new HashSet<>(atAnyTime);
            now.add(value);
        }

        void mayBecome(T value) {
            now.add(value);
            atAnyTime.add(value);
        }
    }

    private static final class Bucket {
        final Possible<Boolean> exists = new Possible<>(false);
        final Map<String, Possible<Optional<String>>> values = new HashMap<>();

        Possible<Optional<String>> value(String key) {
            return values.computeIfAbsent(key, unknown -> new Possible<>(Optional.empty()));
        }

        void assertExists(boolean wanted) {
            assertThat(exists.now).as("whether the bucket may exist").contains(wanted);
            exists.is(wanted);
        }
    }

    private Bucket bucket(String name) {
        return buckets.computeIfAbsent(name, unknown -> new Bucket());
    }

    /** The outcome of a request. */
    public enum Outcome {
        OK,
        NOT_FOUND,
        NOT_RUN,
        UNCERTAIN
    }

    public void created(String bucket, Outcome outcome) {
        switch (outcome) {
            case OK -> bucket(bucket).exists.is(true);
            case NOT_FOUND -> throw new AssertionError("CREATE was answered with NOT FOUND");
            case NOT_RUN -> {}
            case UNCERTAIN -> bucket(bucket).exists.mayBecome(true);
        }
    }

    /**
     * A value was set or removed.
     *
     * @param value empty: removed
     */
    public void wrote(String bucket, String key, Optional<String> value, Outcome outcome) {
        switch (outcome) {
            case OK -> {
                bucket(bucket).assertExists(true);
                bucket(bucket).value(key).is(value);
            }
            case NOT_FOUND -> bucket(bucket).assertExists(false);
            case NOT_RUN -> {}
            case UNCERTAIN -> bucket(bucket).value(key).mayBecome(value);
        }
    }

    /**
     * A value was read.
     *
     * @param value empty if there was none; ignored unless the outcome is OK
     */
    public void read(String bucket, String key, Optional<String> value, Outcome outcome) {
        switch (outcome) {
            case OK -> {
                bucket(bucket).assertExists(true);
                assertThat(bucket(bucket).value(key).now)
                        .as("what may be there")
                        .contains(value);
                bucket(bucket).value(key).is(value);
            }
            case NOT_FOUND -> bucket(bucket).assertExists(false);
            case NOT_RUN, UNCERTAIN -> {}
        }
    }
}
