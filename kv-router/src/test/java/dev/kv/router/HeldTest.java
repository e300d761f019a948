package dev.kv.router;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class HeldTest {
    /** A value in an array, checked two bytes at a time. */
    private static final class InMemory implements Held {
        private final byte[] value;
        private final Reply checked;
        private int seenBytes;
        private int releases;

        InMemory(String text, Reply checked) {
            this.value = text.getBytes(UTF_8);
            this.checked = checked;
        }

        @Override
        public int size() {
            return value.length;
        }

        @Override
        public Optional<Reply> check(int maxBytes, Seen seen) {
            int count = Math.min(2, value.length - seenBytes);
            byte[] part = new byte[2];
            System.arraycopy(value, seenBytes, part, 0, count);
            seen.part(part, count);
            seenBytes += count;
            return seenBytes < value.length ? Optional.empty() : Optional.of(checked);
        }

        @Override
        public ByteBuffer bytes() {
            return ByteBuffer.wrap(value);
        }

        @Override
        public void release() {
            releases++;
        }
    }

    @Test
    void aHeldValueIsCopiedCheckedAndReleased() {
        InMemory held = new InMemory("abcde", Reply.OK);
        assertThat(Held.flat(new Reply.LargeValue(held))).isEqualTo(new Reply.Value(Bytes.of("abcde")));
        assertThat(held.releases).isPositive();
    }

    @Test
    void aHeldValueThatCannotBeReadBecomesItsErrorAndIsReleased() {
        Reply damaged = new Reply.Failed(Reply.Word.ERR, "damaged");
        InMemory held = new InMemory("abcde", damaged);
        assertThat(Held.flat(new Reply.LargeValue(held))).isEqualTo(damaged);
        assertThat(held.releases).isPositive();
    }

    @Test
    void manyRepliesHoldWhatOneOfThemHolds() {
        InMemory first = new InMemory("abc", Reply.OK);
        InMemory second = new InMemory("d", Reply.OK);
        Reply many = new Reply.Many(List.of(Reply.ABSENT, new Reply.LargeValue(first), new Reply.LargeValue(second)));
        assertThat(Held.isIn(many)).isTrue();
        assertThat(Held.flat(many))
                .isEqualTo(new Reply.Many(
                        List.of(Reply.ABSENT, new Reply.Value(Bytes.of("abc")), new Reply.Value(Bytes.of("d")))));

        Held.releaseIn(many);
        assertThat(first.releases).isEqualTo(2);
        assertThat(Held.isIn(new Reply.Many(List.of(Reply.ABSENT)))).isFalse();
    }
}
