package dev.kv.router;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;

/** The outcome of a command. Expected outcomes, including failures, are values: none of them ends a connection. */
public sealed interface Reply {
    Reply OK = new Ok();
    Reply NOT_FOUND = new NotFound();
    Reply ABSENT = new Absent();

    /** It is done. */
    record Ok() implements Reply {}

    /** There is no such bucket. */
    record NotFound() implements Reply {}

    /** The bucket has no such key. */
    record Absent() implements Reply {}

    /** The value of a key. */
    record Value(Bytes value) implements Reply {}

    /** The value of a key, too large to be copied before it is known when it can be sent. */
    record LargeValue(Held value) implements Reply {}

    /** A whole number: of keys, of bytes, of what the command says. */
    record Amount(long value) implements Reply {}

    /** What a name holds. */
    record OfKind(Kind kind) implements Reply {}

    /** Keys, values, or pairs of them, as the command asks. */
    record Values(List<Bytes> values) implements Reply {
        public Values {
            values = PackedList.copyOf(values);
        }
    }

    /** One reply for each of several things that were asked for at once. */
    record Many(List<Reply> replies) implements Reply {
        public Many {
            replies = List.copyOf(replies);
        }

        /** The replies to so many commands of a {@link Command.Each}, of the one to the whole; what is held for it passes to the caller. */
        public static List<Reply> ofEach(int commands, Reply whole) {
            if (whole instanceof Many(List<Reply> replies) && replies.size() == commands) {
                return replies;
            }
            Held.releaseIn(whole);
            return Collections.nCopies(
                    commands,
                    whole instanceof Failed
                            ? whole
                            : new Failed(Word.ERR, "a node gave no reply for each name: it may have run"));
        }
    }

    /**
     * A part of a bucket.
     *
     * @param next where the next page begins; 0 if this is the last one
     */
    record Page(long next, List<Bytes> values) implements Reply {
        public Page {
            values = PackedList.copyOf(values);
        }
    }

    /**
     * Names of buckets, in the order of their positions.
     *
     * @param owners which nodes keep the names that were asked for
     * @param next where the next page begins; 0 if this is the last one
     */
    record Names(List<Owner> owners, long next, List<Name> names) implements Reply {
        public Names {
            owners = List.copyOf(owners);
            names = List.copyOf(names);
        }
    }

    /**
     * The nodes that a request passes, in order, the one that was asked first.
     *
     * @param failure why the request ends at the last of them; empty if that one keeps the bucket
     */
    record Way(List<Hop> hops, Optional<Failed> failure) implements Reply {
        public Way {
            hops = List.copyOf(hops);
        }

        /** The path that answers {@link Command.Route}: that of the reply, or none but its failure. */
        public static Way of(Reply reply) {
            if (reply instanceof Way way) {
                return way;
            }
            Failed failure =
                    reply instanceof Failed failed ? failed : new Failed(Word.ERR, "the answer is no path: " + reply);
            return new Way(List.of(), Optional.of(failure));
        }

        /** The path with another node before it. */
        public Way after(Hop first) {
            List<Hop> all = new ArrayList<>(hops);
            all.addFirst(first);
            return new Way(all, failure);
        }
    }

    /**
     * The command was not executed, or it is unknown whether it was.
     *
     * @param word which of the two, and the class of failure, for programs
     * @param reason the failure, if protocols have their own message for it
     * @param message the failure for people, independent of a protocol
     */
    record Failed(Word word, Reason reason, String message) implements Reply {
        /** A failure of which the message says all. */
        public Failed(Word word, String message) {
            this(word, Reason.IN_MESSAGE, message);
        }

        /** A failure of which the reason says all. */
        public Failed(Reason reason) {
            this(reason.word, reason, reason.text);
        }
    }

    /** Why a command failed, where protocols have words of their own for it; each door has them in one place. */
    enum Reason {
        /** The message says all. */
        IN_MESSAGE(""),
        /** What was asked for of a bucket is more than one reply may hold. */
        CONTENT_TOO_LARGE("this is more than one reply may hold (kv.router.reply-max): read the bucket in parts"),
        /** There are more names of buckets than one reply may hold. */
        NAMES_TOO_LARGE("these are more names than one reply may hold (kv.router.reply-max): ask for them in parts"),
        /** The name holds a bucket and the command is on a value, or the other way round. */
        WRONG_TYPE(Word.WRONGTYPE, "Operation against a key holding the wrong kind of value"),
        /** Commands that run together touch more than they may. */
        TOO_MUCH_TOGETHER(
                Word.TOOLARGE,
                "commands that run together take at most one turn (kv.storage.large.keys and bytes): send fewer"),
        /** Several nodes keep the names of commands that run together; the message says which node does not keep which. */
        NAMES_APART(Word.EXECABORT, "one node has to keep all names of commands that run together"),
        /** What is to be added to is a value, and no whole number. */
        VALUE_NOT_AN_INTEGER("the value is not a whole number of 64 bits"),
        /** What is to be added to is a value, and no number. */
        VALUE_NOT_A_NUMBER("the value is not a number"),
        /** What is to be added to is the value of a key, and no whole number. */
        NOT_AN_INTEGER("the value is not a whole number of 64 bits"),
        /** What is to be added to is the value of a key, and no number. */
        NOT_A_NUMBER("the value is not a number"),
        /** The sum is no whole number of 64 bits. */
        SUM_OVERFLOWS("the sum does not fit into 64 bits"),
        /** The sum is no number. */
        SUM_NOT_FINITE("the sum is not a finite number");

        private final Word word;
        private final String text;

        Reason(String text) {
            this(Word.ERR, text);
        }

        Reason(Word word, String text) {
            this.word = word;
            this.text = text;
        }

        /** The word of a failure for this reason. */
        public Word word() {
            return word;
        }
    }

    /**
     * What one node's routing table says of a bucket.
     *
     * @param node the node's name
     * @param table the table's version: its mzxid in ZooKeeper, 0 for the static table, -1 if the node has no table yet
     * @param entry the first entry that matches, such as {@code a..m=foo@host}; empty if none does
     * @param line the line of the entry in the table, from 1; 0 if none matches
     * @param column the entry's column, from 1; 0 if none matches
     */
    record Hop(String node, long table, String entry, int line, int column) {}

    /**
     * The owner of the names from {@code from} on, up to those of the next owner.
     *
     * @param node the node's name; empty if no entry matches them
     */
    record Owner(Bytes from, String node) {}

    /**
     * The name of a bucket.
     *
     * @param position where it stands in the order in which its node tells names, from 0 to 2^32 - 1
     */
    record Name(long position, Bytes bucket) {}

    /** The first word of an error, in every protocol; a program decides by it. */
    enum Word {
        /** Anything that has no word of its own. */
        ERR,
        /** No entry of the routing table matches, or the node that it names keeps no data. */
        NOROUTE,
        /** The tables of the nodes form a routing loop. */
        CIRCLE,
        /** Another node did not get the request: it was not run. */
        UNREACHABLE,
        /** Another node got the request, or part of it, and did not answer: it may have run. */
        UNCERTAIN,
        /** There is no space to store the data. */
        NOSPACE,
        /** A name, key, value or request is larger than its limit. */
        TOOLARGE,
        /** The name holds a bucket and the command is on a value, or the other way round. */
        WRONGTYPE,
        /** The client has to log in first. */
        NOAUTH,
        /** The client is not allowed to do this. */
        NOPERM,
        /** The client's password is wrong. */
        WRONGPASS,
        /** A transaction was not run. */
        EXECABORT
    }
}
