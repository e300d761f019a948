package dev.kv.server.resp;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Held;
import dev.kv.router.Reply;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Values are let go of when they are not part of the reply. */
final class EachAnswerTest {
    private static final Reply.Failed DOWN = new Reply.Failed(Reply.Word.UNREACHABLE, "bar@h is down");

    private int held;

    private Reply large(int size, boolean isInMemory) {
        Bytes value = Bytes.owning(new byte[size]);
        held++;
        return new Reply.LargeValue(new Held() {
            @Override
            public int size() {
                return size;
            }

            @Override
            public Optional<Reply> check(int maxBytes, Seen seen) {
                return Optional.of(Reply.OK);
            }

            @Override
            public ByteBuffer bytes() {
                return ByteBuffer.wrap(value.array());
            }

            @Override
            public Optional<Bytes> inMemory() {
                return isInMemory ? Optional.of(value) : Optional.empty();
            }

            @Override
            public void release() {
                held--;
            }
        });
    }

    @Test
    void aPartThatDoesNotFitBesideTheOthersIsTheReply() {
        EachAnswer answer = new EachAnswer.Values(3, 100);
        answer.add(0, large(10, false));
        answer.add(1, new Reply.Failed(Reply.Reason.CONTENT_TOO_LARGE));
        answer.add(2, large(10, false));

        assertThat(answer.isStopped()).isTrue();
        assertThat(((Reply.Failed) answer.reply()).message()).startsWith("reply too large (kv.router.reply-max)");
        assertThat(held).isZero();
    }

    @Test
    void valuesComeInTheOrderOfTheCommandsAndWhatIsNoneIsAbsent() {
        EachAnswer answer = new EachAnswer.Values(4, 100);
        Reply file = large(10, false);
        answer.add(2, file);
        answer.add(0, new Reply.Value(Bytes.of("x")));
        answer.add(3, new Reply.Failed(Reply.Reason.WRONG_TYPE));
        answer.add(1, Reply.ABSENT);

        assertThat(answer.bytes()).isBetween(11L, 200L);
        assertThat(answer.reply())
                .isEqualTo(new Reply.Many(List.of(new Reply.Value(Bytes.of("x")), Reply.ABSENT, file, Reply.ABSENT)));
        assertThat(held).isOne();
    }

    /** What came from another node is charged there until it is released; others wait for that memory. */
    @Test
    void aReceivedValueIsReleasedAtOnce() {
        EachAnswer answer = new EachAnswer.Values(2, 100);
        answer.add(0, large(10, true));

        assertThat(held).isZero();
        assertThat(answer.bytes()).isGreaterThan(10);
        answer.add(1, Reply.ABSENT);
        assertThat(answer.reply())
                .isEqualTo(new Reply.Many(List.of(new Reply.Value(Bytes.owning(new byte[10])), Reply.ABSENT)));
    }

    @Test
    void aFailureIsTheWholeReply() {
        EachAnswer answer = new EachAnswer.Values(3, 100);
        answer.add(2, large(10, false));
        answer.add(1, DOWN);
        answer.add(0, large(10, false));

        assertThat(answer.reply()).isEqualTo(new Reply.Failed(Reply.Word.UNREACHABLE, "bar@h is down (2 of 3 done)"));
        assertThat(held).isZero();
        assertThat(answer.bytes()).isZero();
    }

    @Test
    void aReplyAboveItsBoundEndsTheRun() {
        EachAnswer answer = new EachAnswer.Values(3, 15);
        answer.add(0, large(10, false));
        assertThat(answer.isStopped()).isFalse();
        answer.add(1, large(10, false));

        assertThat(answer.isStopped()).isTrue();
        assertThat(held).isZero();
        answer.add(2, large(10, false));
        assertThat(held).isZero();
        assertThat(answer.bytes()).isZero();
        assertThat(answer.reply())
                .isEqualTo(new Reply.Failed(
                        Reply.Word.ERR, "reply too large (kv.router.reply-max), ask for fewer keys at once"));
    }
}
