package dev.kv.server.resp;

import dev.kv.router.Bytes;
import dev.kv.router.Command.Condition;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The options of {@code SET}. {@code KEEPTTL} changes nothing, as no name expires; an option that sets an expiry is refused.
 *
 * @param condition when the value is set
 * @param returnsOld whether the reply is the value before
 */
record SetOptions(Condition condition, boolean returnsOld) {
    /** Those of {@code SET key value}. */
    static SetOptions of(RespRequest request) {
        Condition condition = Condition.ALWAYS;
        boolean returnsOld = false;
        boolean keepsExpiry = false;
        boolean expires = false;
        for (int i = 3; i < request.count(); i++) {
            Bytes option = request.at(i);
            Optional<Bytes> next = i + 1 < request.count() ? Optional.of(request.at(i + 1)) : Optional.empty();
            if (Keyword.is(option, "nx") && isFree(condition, Condition.ABSENT)) {
                condition = Condition.ABSENT;
            } else if (Keyword.is(option, "xx") && isFree(condition, Condition.PRESENT)) {
                condition = Condition.PRESENT;
            } else if (Keyword.is(option, "ifeq") && next.isPresent() && condition.equals(Condition.ALWAYS)) {
                condition = new Condition.IfEqual(next.get());
                i++;
            } else if (Keyword.is(option, "get")) {
                returnsOld = true;
            } else if (Keyword.is(option, "keepttl") && !expires) {
                keepsExpiry = true;
            } else if (next.isPresent() && !keepsExpiry && isExpiry(option)) {
                expires = true;
                i++;
            } else {
                throw RespError.syntax();
            }
        }
        if (expires) {
            throw new RespError(
                    "ERR SET with EX, PX, EXAT or PXAT is not supported: no key expires yet, nothing was set");
        }
        return new SetOptions(condition, returnsOld);
    }

    /** As in Redis, the same option may be there twice, and another one of its kind may not. */
    private static boolean isFree(Condition condition, Condition wanted) {
        return condition.equals(Condition.ALWAYS) || condition.equals(wanted);
    }

    private static boolean isExpiry(Bytes option) {
        return Stream.of("ex", "px", "exat", "pxat").anyMatch(word -> Keyword.is(option, word));
    }
}
