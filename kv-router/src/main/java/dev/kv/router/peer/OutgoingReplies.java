package dev.kv.router.peer;

import dev.kv.router.Held;
import dev.kv.router.LongReply;
import dev.kv.router.Reply;
import dev.kv.router.peer.codec.Encoded;
import dev.kv.router.peer.codec.MessageWriter;
import dev.kv.router.peer.codec.ReplyCodec;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.LongFunction;

/**
 * The replies of one link from when they are there until they are sent: short ones leave at once, long ones are charged, checked if they have
 * held values, put into bytes off the loop, and sent on credit. On the link's loop only.
 */
final class OutgoingReplies {
    private final Link link;
    private final LongFunction<Runnable> charge;
    private final Runnable whenFewer;

    /** Those whose held values are being checked. */
    private final Checks checks;

    /** By number, those that another thread puts into bytes: each gives back what is charged. */
    private final Map<Integer, Runnable> encoded = new HashMap<>();

    /**
     * @param charge charges the bytes of a long reply that waits to be sent; the result gives them back
     * @param whenFewer is run when another thread has put one into bytes
     */
    OutgoingReplies(Link link, LongFunction<Runnable> charge, Runnable whenFewer) {
        this.link = link;
        this.charge = charge;
        this.whenFewer = whenFewer;
        this.checks = new Checks(link, this::sendChecked);
    }

    /**
     * Sends the reply to the request of this number.
     *
     * @param stream of the request
     * @param memory gives back the memory of a reply that another node sent: it stays charged until the reply has been passed on
     */
    void send(int stream, int number, Reply reply, Optional<Runnable> memory) {
        if (LongReply.is(reply) || Held.isIn(reply)) {
            sendCharged(stream, number, link.givesCredit() ? reply : Held.flat(reply), memory);
        } else {
            memory.ifPresent(Runnable::run);
            sendWritten(number, ReplyCodec.write(link.begin(), reply));
        }
    }

    /** Sends an error. */
    void send(int number, Reply.Failed failure) {
        sendWritten(number, ReplyCodec.write(link.begin(), failure));
    }

    /** Sends the reply to a command that this node does not know. */
    void sendUnsupported(int number, int command) {
        sendWritten(number, ReplyCodec.writeUnsupported(link.begin(), command));
    }

    /** Every reply is a stream of its own: a long one holds up no other. */
    private void sendWritten(int number, MessageWriter reply) {
        if (link.isShort()) {
            link.sendShort(Link.REPLY, number);
        } else {
            Encoded encoded = reply.encoded();
            post(number, encoded, charge.apply(encoded.size()));
        }
    }

    private void post(int number, Encoded reply, Runnable whenSent) {
        link.outbox().send(new Outbox.Message(Link.REPLY, number, number, reply, () -> {}, whenSent));
    }

    /** Sends a reply that is long, or has held values: those are checked first. */
    private void sendCharged(int stream, int number, Reply reply, Optional<Runnable> memory) {
        Runnable release = memory.orElseGet(() -> charge.apply(LongReply.bytes(reply)));
        if (Held.isIn(reply)) {
            checks.add(stream, number, reply, release);
        } else {
            sendChecked(number, reply, release);
        }
    }

    /**
     * Sends a reply. What is held for it was checked, and is released when it has been sent.
     *
     * @param charged gives back what is charged for the reply
     */
    private void sendChecked(int number, Reply reply, Runnable charged) {
        Runnable release = () -> {
            Held.releaseIn(reply);
            charged.run();
        };
        if (LongReply.is(reply)) {
            encodeElsewhere(number, reply, release);
        } else {
            post(number, ReplyCodec.encode(reply), release);
        }
    }

    /** Makes the message of a long reply on another thread: on this one, all other connections would wait for it. */
    private void encodeElsewhere(int number, Reply reply, Runnable release) {
        encoded.put(number, release);
        link.loop()
                .elsewhere(
                        () -> ReplyCodec.encode(reply),
                        message -> link.guard("a reply", () -> {
                            if (encoded.remove(number, release)) {
                                post(number, message, release);
                                whenFewer.run();
                            } else {
                                release.run();
                            }
                        }),
                        failure -> {
                            release.run();
                            link.failed("a reply", failure);
                        });
    }

    /** Drops the reply to the request of this number; returns whether there was one that has not been sent as a whole. */
    boolean forget(int number) {
        // What is being put into bytes is released after that.
        return encoded.remove(number) != null
                || checks.forget(number)
                || link.outbox().withdraw(number);
    }

    /** Whether the reply to the request of this number is not ready to be sent. */
    boolean has(int number) {
        return encoded.containsKey(number) || checks.has(number);
    }

    /** How many replies another thread puts into bytes. */
    int beingEncoded() {
        return encoded.size();
    }

    /** How many long ones are not sent. */
    int size() {
        return encoded.size() + checks.size() + link.outbox().size();
    }

    /** The numbers of those that wait until they were checked. */
    List<Integer> waiting() {
        return checks.waiting();
    }

    /** The link is closed. */
    void close() {
        checks.close();
        encoded.clear();
    }
}
