package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import dev.kv.router.LongDouble;
import dev.kv.router.Reply;
import dev.kv.router.Reply.Reason;
import java.math.BigDecimal;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Consumer;

/** Adds to numbers that are stored as text. */
final class Sums {
    private Sums() {}

    /**
     * Adds to a whole number.
     *
     * @param old its text; null for 0
     * @param notAnInteger the failure if that is no whole number
     * @param set receives the text of the sum
     * @return the sum
     */
    static Reply add(Bytes old, long amount, Reason notAnInteger, Consumer<Bytes> set) {
        OptionalLong number = old == null ? OptionalLong.of(0) : old.wholeNumber();
        if (number.isEmpty()) {
            return new Reply.Failed(notAnInteger);
        }
        long sum = number.getAsLong() + amount;
        if (((number.getAsLong() ^ sum) & (amount ^ sum)) < 0) {
            return new Reply.Failed(Reason.SUM_OVERFLOWS);
        }
        set.accept(Bytes.of(Long.toString(sum)));
        return new Reply.Amount(sum);
    }

    /** Adds to a decimal number, as {@link #add}. */
    static Reply addDecimal(Bytes old, BigDecimal amount, Reason notANumber, Consumer<Bytes> set) {
        Optional<BigDecimal> number = old == null ? Optional.of(BigDecimal.ZERO) : LongDouble.parse(old);
        if (number.isEmpty() && !LongDouble.isInfinity(old)) {
            return new Reply.Failed(notANumber);
        }
        Optional<BigDecimal> sum = number.flatMap(value -> LongDouble.add(value, amount));
        if (sum.isEmpty()) {
            return new Reply.Failed(Reason.SUM_NOT_FINITE);
        }
        Bytes value = LongDouble.text(sum.get());
        set.accept(value);
        return new Reply.Value(value);
    }
}
