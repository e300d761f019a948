package dev.kv.router.peer;

import java.util.LinkedHashSet;
import java.util.Optional;
import java.util.function.BooleanSupplier;

/** Claims for memory that are not made before a condition holds, in their order. On one loop only. */
final class LateClaims {
    private final BooleanSupplier isDue;
    private final Claiming claiming;
    private final LinkedHashSet<Late> waiting = new LinkedHashSet<>();

    /** Claims memory; {@code whenGranted} is run on the loop later. */
    @FunctionalInterface
    interface Claiming {
        Room.Place claim(long bytes, Runnable whenGranted);
    }

    LateClaims(BooleanSupplier isDue, Claiming claiming) {
        this.isDue = isDue;
        this.claiming = claiming;
    }

    /** Claims the memory, now or by {@link #goOn}. */
    Room.Place claim(long bytes, Runnable whenGranted) {
        if (waiting.isEmpty() && isDue.getAsBoolean()) {
            return claiming.claim(bytes, whenGranted);
        }
        Late late = new Late(bytes, whenGranted);
        waiting.add(late);
        return late;
    }

    /** Makes the claims that are due. */
    void goOn() {
        while (!waiting.isEmpty() && isDue.getAsBoolean()) {
            waiting.removeFirst().claim();
        }
    }

    private final class Late implements Room.Place {
        private final long bytes;
        private final Runnable whenGranted;

        /** Empty until it is claimed. */
        private Optional<Room.Place> claim = Optional.empty();

        Late(long bytes, Runnable whenGranted) {
            this.bytes = bytes;
            this.whenGranted = whenGranted;
        }

        void claim() {
            claim = Optional.of(claiming.claim(bytes, whenGranted));
        }

        @Override
        public boolean isGranted() {
            return claim.isPresent() && claim.get().isGranted();
        }

        @Override
        public long waitedForNanos() {
            return claim.isPresent() ? claim.get().waitedForNanos() : -1;
        }

        @Override
        public void release() {
            waiting.remove(this);
            claim.ifPresent(Room.Place::release);
        }
    }
}
