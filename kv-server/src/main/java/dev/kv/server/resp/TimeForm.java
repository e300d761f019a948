package dev.kv.server.resp;

import dev.kv.router.Bytes;
import dev.kv.router.Expiry;
import java.util.Optional;

/**
 * A form in which a client says or is told when something expires, named as the option of {@code SET} that takes it. A time that counts
 * from now does so from the time at which this node takes the request, in a transaction from {@code EXEC}.
 */
enum TimeForm {
    EX("ex", 1000, true),
    PX("px", 1, true),
    EXAT("exat", 1000, false),
    PXAT("pxat", 1, false);

    /** All of them, in the syntax of a row: see {@link Syntax}. */
    static final String SYNTAX = "EX seconds:integer | PX milliseconds:integer | EXAT unix-time-seconds:unix-time"
            + " | PXAT unix-time-milliseconds:unix-time";

    /** The last millisecond at which a field expires at the latest, as in Redis. */
    private static final long FIELD_MAX_MILLIS = (1L << 46) - 1;

    private static final TimeForm[] ALL = values();

    private final String option;
    private final long unitMillis;
    private final boolean isRelative;

    TimeForm(String option, long unitMillis, boolean isRelative) {
        this.option = option;
        this.unitMillis = unitMillis;
        this.isRelative = isRelative;
    }

    /** The form that an option has; empty if the word is another one. */
    static Optional<TimeForm> of(Bytes option) {
        for (TimeForm form : ALL) {
            if (Keyword.is(option, form.option)) {
                return Optional.of(form);
            }
        }
        return Optional.empty();
    }

    /**
     * What {@code SET} and its relatives take: a time that is past is refused.
     *
     * @param command for the error
     */
    Expiry ofValue(Bytes number, String command) {
        long units = whole(number);
        if (units <= 0 || units > maxMillis() / unitMillis) {
            throw invalid(command);
        }
        return expiry(units * unitMillis);
    }

    /** What {@code EXPIRE} and its relatives take. */
    Expiry ofName(Bytes number, String command) {
        long units = whole(number);
        if (units > maxMillis() / unitMillis || units < Long.MIN_VALUE / unitMillis) {
            throw invalid(command);
        }
        return expiry(units * unitMillis);
    }

    /** What commands on fields take. */
    Expiry ofField(Bytes number, String command) {
        long units = whole(number);
        if (units < 0) {
            throw new RespError("ERR invalid expire time, must be >= 0");
        }
        long max = isRelative ? FIELD_MAX_MILLIS - System.currentTimeMillis() : FIELD_MAX_MILLIS;
        if (units > max / unitMillis) {
            throw invalid(command);
        }
        return expiry(units * unitMillis);
    }

    /** An expiry as {@code TTL} and its relatives show it. */
    long ofName(long expiryMillis) {
        long millis = fromNow(expiryMillis);
        return millis / unitMillis + (2 * (millis % unitMillis) >= unitMillis ? 1 : 0);
    }

    /** An expiry as {@code HTTL} and its relatives show it. */
    long ofField(long expiryMillis) {
        return Math.ceilDiv(fromNow(expiryMillis), unitMillis);
    }

    private long fromNow(long expiryMillis) {
        return isRelative ? Math.max(0, expiryMillis - System.currentTimeMillis()) : expiryMillis;
    }

    private long maxMillis() {
        return isRelative ? Long.MAX_VALUE - System.currentTimeMillis() : Long.MAX_VALUE;
    }

    private Expiry expiry(long millis) {
        return isRelative ? new Expiry.In(millis) : new Expiry.At(millis);
    }

    private static long whole(Bytes number) {
        return number.wholeNumber().orElseThrow(RespError::notAnInteger);
    }

    private static RespError invalid(String command) {
        return new RespError("ERR invalid expire time in '" + command + "' command");
    }
}
