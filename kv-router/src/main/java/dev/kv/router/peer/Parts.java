package dev.kv.router.peer;

import dev.kv.router.Command;
import dev.kv.router.Request;
import dev.kv.router.net.Loop;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * A question to several nodes, and its requests: the replies that have come keep their memory until the last one is there. On one loop only.
 *
 * <p>So a part may wait for another one, and until all have been offered or answered each claims its memory as a reply that waits for an
 * older one does. Then those that have none yet claim it together. Thus no question that has the memory for some of its parts waits for
 * another question that has.
 */
final class Parts extends Unanswered.Place {
    /** What names take as objects, in times of their length on a link, about: a name of 20 bytes has 32 there, and takes 104. */
    private static final int MEMORY_OF_NAMES = 4;

    private final Request first;
    private final Unanswered unanswered;
    private final PeerSettings settings;
    private final Loop loop;

    /** The requests that are not answered. */
    private final Set<Pending> awaited = new HashSet<>();

    /** Those of them of which nothing is known yet. */
    private final Set<Pending> missing = new HashSet<>();

    /** Memory, or places in the line, for those that were offered. */
    private final List<Part> offered = new ArrayList<>();

    /** The lengths of all that were offered. */
    private long offeredBytes;

    private boolean isAsked;

    /** Whether memory for all has been claimed. */
    private boolean isClaimed;

    /**
     * @param first one of the requests
     * @param unanswered the requests of the loop: the question is among them until all of its requests are answered
     */
    Parts(Request first, Unanswered unanswered, PeerSettings settings, Loop loop) {
        this.first = first;
        this.unanswered = unanswered;
        this.settings = settings;
        this.loop = loop;
        unanswered.add(this);
    }

    @Override
    int client() {
        return first.stream();
    }

    @Override
    int nodesToClient() {
        return first.path().size() - 1;
    }

    /** The request is sent now. */
    void add(Pending request) {
        awaited.add(request);
        missing.add(request);
    }

    /** All requests were added. */
    void asked() {
        isAsked = true;
        claimIfComplete();
        endIfAnswered();
    }

    /** The request is answered, or nobody awaits the reply any more. Has no effect the second time. */
    void ended(Pending request) {
        awaited.remove(request);
        missing.remove(request);
        claimIfComplete();
        endIfAnswered();
    }

    private void endIfAnswered() {
        if (isAsked && awaited.isEmpty()) {
            unanswered.remove(this);
        }
    }

    /** Counts in a reply of this length that is offered, if the answer may hold it beside those before: what it cannot hold is not received. */
    boolean takes(long length) {
        boolean fits = offeredBytes + length <= settings.messageMaxBytes();
        offeredBytes += fits ? length : 0;
        return fits;
    }

    /**
     * Claims memory for the reply to the request, which was offered.
     *
     * @param whenGranted is run on the loop
     */
    Room.Place claim(Pending request, long bytes, Runnable whenGranted) {
        Part part = new Part(memoryOf(bytes), whenGranted);
        missing.remove(request);
        offered.add(part);
        claimIfComplete();
        if (part.memory.isEmpty()) {
            part.claimAlone();
        }
        return part;
    }

    private long memoryOf(long length) {
        return first.command() instanceof Command.Survey ? MEMORY_OF_NAMES * length : length;
    }

    /** Claims memory for the offered ones that have none, once it is known of all requests whether they have a long reply. */
    private void claimIfComplete() {
        if (!isAsked || isClaimed || !missing.isEmpty() || awaited.isEmpty()) {
            return;
        }
        isClaimed = true;
        List<Part> left = offered.stream().filter(part -> !part.isGranted()).toList();
        if (!left.isEmpty()) {
            Together together = new Together(left);
            left.forEach(part -> part.claimed(together));
        }
    }

    /** The memory for one reply, or its place in the line. */
    private final class Part implements Room.Place {
        private final long bytes;
        private final Runnable whenGranted;

        /** Empty until it is claimed. */
        private Optional<Room.Place> memory = Optional.empty();

        private boolean isTogether;
        private boolean isReleased;

        Part(long bytes, Runnable whenGranted) {
            this.bytes = bytes;
            this.whenGranted = whenGranted;
        }

        void claimAlone() {
            Room.Claimant claimant = new Room.Claimant(nodesToClient(), client(), sinceNanos(), false);
            memory = Optional.of(settings.room().claim(bytes, claimant, loop, () -> {
                if (!isTogether) {
                    granted();
                }
            }));
        }

        void claimed(Together with) {
            memory.ifPresent(Room.Place::release);
            isTogether = true;
            memory = Optional.of(with);
        }

        private void granted() {
            if (!isReleased) {
                whenGranted.run();
            }
        }

        @Override
        public boolean isGranted() {
            return memory.isPresent() && memory.get().isGranted();
        }

        @Override
        public long waitedForNanos() {
            return memory.isPresent() ? memory.get().waitedForNanos() : -1;
        }

        @Override
        public void release() {
            if (!isReleased) {
                isReleased = true;
                offered.remove(this);
                memory.ifPresent(Room.Place::release);
            }
        }
    }

    /** The memory for several replies, or its place in the line: the last of them gives it back. */
    private final class Together implements Room.Place {
        private final Room.Claim claim;
        private int parts;

        Together(List<Part> left) {
            parts = left.size();
            long bytes = left.stream().mapToLong(part -> part.bytes).sum();
            claim = unanswered.claim(Parts.this, settings.room(), bytes, loop, () -> left.forEach(Part::granted));
        }

        @Override
        public boolean isGranted() {
            return claim.isGranted();
        }

        @Override
        public long waitedForNanos() {
            return claim.waitedForNanos();
        }

        @Override
        public void release() {
            parts--;
            if (parts == 0) {
                claim.release();
            }
        }
    }
}
