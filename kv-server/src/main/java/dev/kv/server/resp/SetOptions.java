package dev.kv.server.resp;

import dev.kv.router.Bytes;
import dev.kv.router.Command.Condition;
import dev.kv.router.Expiry;
import java.util.Optional;

/**
 * The options of {@code SET}.
 *
 * @param condition when the value is set
 * @param returnsOld whether the reply is the value before
 * @param expiry when the value expires; empty: it does not
 */
record SetOptions(Condition condition, boolean returnsOld, Optional<Expiry> expiry) {
    /** Those of {@code SET key value}. */
    static SetOptions of(RespRequest request) {
        Condition condition = Condition.ALWAYS;
        boolean returnsOld = false;
        ExpiryOption expiry = new ExpiryOption("keepttl", Expiry.KEPT);
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
            } else {
                int taken = expiry.take(option, next);
                if (taken == 0) {
                    throw RespError.syntax();
                }
                i += taken - 1;
            }
        }
        return new SetOptions(condition, returnsOld, expiry.expiry("set"));
    }

    /** As in Redis, the same option may be there twice, and another one of its kind may not. */
    private static boolean isFree(Condition condition, Condition wanted) {
        return condition.equals(Condition.ALWAYS) || condition.equals(wanted);
    }
}
