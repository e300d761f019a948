package dev.kv.server.resp;

import dev.kv.router.Bytes;
import dev.kv.router.Held;
import dev.kv.router.Reply;
import java.util.List;
import java.util.function.Consumer;

/** Writes the replies to questions in RESP. */
public final class Answers {
    private Answers() {}

    /**
     * Writes the answer to a question.
     *
     * @param replies to the commands of the question, in their order
     */
    public static void write(RespWriter out, Question question, List<Reply> replies) {
        switch (question) {
            case Question.One one -> write(out, one, replies.getFirst());
            case Question.Steps steps -> write(out, replies.getFirst(), steps.answer());
            case Question.Each each -> write(out, each, replies);
            case Question.Here here -> write(out, here::write);
            case Question.InTurns work -> write(out, work::write);
        }
    }

    private static void write(RespWriter out, Consumer<RespWriter> answer) {
        try {
            answer.accept(out);
        } catch (RespError e) {
            out.error(e.getMessage());
        }
    }

    public static void write(RespWriter out, Question.One one, Reply reply) {
        write(out, reply, one.answer());
    }

    private static void write(RespWriter out, Reply reply, Question.Answer answer) {
        if (reply instanceof Reply.Failed failed) {
            out.error(failed);
        } else {
            answer.write(out, reply);
        }
    }

    private static void write(RespWriter out, Question.Each each, List<Reply> replies) {
        EachAnswer answer = each.gathering().get();
        for (int i = 0; i < replies.size(); i++) {
            answer.add(i, replies.get(i));
        }
        write(out, each, answer.reply());
    }

    /** Writes the answer to all commands of the question. */
    public static void write(RespWriter out, Question.Each each, Reply reply) {
        write(out, reply, each.answer());
    }

    /** The number of an amount; 0 for any other reply. */
    static void number(RespWriter out, Reply reply) {
        out.number(reply instanceof Reply.Amount(long amount) ? amount : 0);
    }

    /** The value of a key, or nil. */
    static void value(RespWriter out, Reply reply) {
        if (reply instanceof Reply.Value(Bytes value)) {
            out.bulk(value);
        } else if (reply instanceof Reply.LargeValue(Held value)) {
            out.bulk(value);
        } else {
            out.nil();
        }
    }

    /** The values of several keys. */
    static void each(RespWriter out, Reply reply) {
        List<Reply> replies = ((Reply.Many) reply).replies();
        out.array(replies.size());
        for (int i = 0; i < replies.size(); i++) {
            value(out, replies.get(i));
        }
    }

    static void values(RespWriter out, Reply reply) {
        out.bulks(valuesOf(reply));
    }

    /** The first of the values, or nil. */
    static void first(RespWriter out, Reply reply) {
        List<Bytes> values = valuesOf(reply);
        if (values.isEmpty()) {
            out.nil();
        } else {
            out.bulk(values.getFirst());
        }
    }

    /** All keys with their values. */
    static void map(RespWriter out, Reply reply) {
        List<Bytes> values = valuesOf(reply);
        out.map(values.size() / 2);
        out.each(values);
    }

    /** Keys with their values, in which a key can occur more than once. */
    static void pairs(RespWriter out, Reply reply) {
        if (out.isVersion3()) {
            out.pairs(valuesOf(reply));
        } else {
            out.bulks(valuesOf(reply));
        }
    }

    /** A page of a hash, after the cursor of the next page. */
    static void page(RespWriter out, Reply reply) {
        Reply.Page page = (Reply.Page) reply;
        out.array(2).bulk(Long.toString(page.next())).bulks(page.values());
    }

    private static List<Bytes> valuesOf(Reply reply) {
        return ((Reply.Values) reply).values();
    }
}
