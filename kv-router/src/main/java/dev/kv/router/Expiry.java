package dev.kv.router;

/** What a command does to the time at which a name or a key expires. From that millisecond on it is gone. */
public sealed interface Expiry {
    /** In place of a time: it does not expire. */
    long NEVER = -1;

    Expiry NONE = new None();
    Expiry KEPT = new Kept();

    /**
     * The time that it is afterwards, in milliseconds since 1970, or {@link #NEVER}.
     *
     * @param takenMillis when the first node took the request
     * @param beforeMillis the time before, or {@link #NEVER}
     */
    long millis(long takenMillis, long beforeMillis);

    /** It does not expire. */
    record None() implements Expiry {
        @Override
        public long millis(long takenMillis, long beforeMillis) {
            return NEVER;
        }
    }

    /** The time stays what it is. */
    record Kept() implements Expiry {
        @Override
        public long millis(long takenMillis, long beforeMillis) {
            return beforeMillis;
        }
    }

    /**
     * It expires at a time. One that is past removes it.
     *
     * @param millis since 1970; a negative number is 0
     */
    record At(long millis) implements Expiry {
        public At {
            millis = Math.max(0, millis);
        }

        @Override
        public long millis(long takenMillis, long beforeMillis) {
            return millis;
        }
    }

    /**
     * It expires some time after the first node took the request, by that node's clock.
     *
     * @param millis removes it if negative or 0
     */
    record In(long millis) implements Expiry {
        @Override
        public long millis(long takenMillis, long beforeMillis) {
            return millis > Long.MAX_VALUE - takenMillis ? Long.MAX_VALUE : Math.max(0, takenMillis + millis);
        }
    }

    /** When an expiry is changed. */
    enum Condition {
        ALWAYS,
        /** There is none. */
        IF_NONE,
        /** There is one. */
        IF_ANY,
        /** There is one, and the new one is later. */
        IF_LATER,
        /** There is none, or the new one is sooner. */
        IF_SOONER_OR_NONE,
        /** There is one, and the new one is sooner. */
        IF_SOONER;

        /**
         * Whether it is changed.
         *
         * @param beforeMillis what there is, or {@link #NEVER}
         * @param afterMillis the new one, or {@link #NEVER}
         */
        public boolean holds(long beforeMillis, long afterMillis) {
            boolean isNone = beforeMillis == NEVER;
            return switch (this) {
                case ALWAYS -> true;
                case IF_NONE -> isNone;
                case IF_ANY -> !isNone;
                case IF_LATER -> !isNone && (afterMillis == NEVER || afterMillis > beforeMillis);
                case IF_SOONER_OR_NONE -> isNone || (afterMillis != NEVER && afterMillis < beforeMillis);
                case IF_SOONER -> !isNone && afterMillis != NEVER && afterMillis < beforeMillis;
            };
        }
    }
}
