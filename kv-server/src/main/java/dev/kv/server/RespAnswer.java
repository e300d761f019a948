package dev.kv.server;

import dev.kv.router.Reply;
import java.util.List;
import java.util.Optional;

/** How RESP writes what came of a question. */
final class RespAnswer {
    private RespAnswer() {}

    /**
     * Writes the answer.
     *
     * @param replies to its commands, in their order
     */
    static void write(RespWriter out, Question question, List<Reply> replies) {
        switch (question) {
            case Question.One one -> write(out, replies.getFirst(), one.answer());
            case Question.Steps steps -> write(out, replies.getFirst(), steps.answer());
            case Question.Each each -> write(out, each, replies);
            case Question.Here here -> {
                try {
                    here.write(out);
                } catch (RespError e) {
                    out.error(e.getMessage());
                }
            }
        }
    }

    static void write(RespWriter out, Reply reply, Question.Answer answer) {
        if (reply instanceof Reply.Failed failed) {
            out.error(failed);
        } else {
            answer.write(out, reply);
        }
    }

    private static void write(RespWriter out, Question.Each each, List<Reply> replies) {
        Optional<Reply.Failed> failure = replies.stream()
                .filter(Reply.Failed.class::isInstance)
                .map(Reply.Failed.class::cast)
                .findFirst();
        if (failure.isEmpty()) {
            out.number(replies.stream().filter(each.counts()).count());
        } else if (replies.size() == 1) {
            out.error(failure.get());
        } else {
            long done = replies.stream()
                    .filter(reply -> !(reply instanceof Reply.Failed))
                    .count();
            out.error("%s %s (%d of %d done)"
                    .formatted(failure.get().word(), failure.get().message(), done, replies.size()));
        }
    }
}
