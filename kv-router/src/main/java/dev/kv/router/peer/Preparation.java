package dev.kv.router.peer;

import dev.kv.router.peer.codec.MalformedMessage;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.Consumer;

/**
 * The long requests of one link that another thread puts into bytes, or makes of bytes: on this one, all other connections would wait for it.
 * What comes behind one of them in its stream waits for it. On the link's loop only.
 */
final class Preparation {
    private final Link link;

    /** By stream with a request that another thread works on, what waits behind that. */
    private final Map<Integer, ArrayDeque<Step>> streams = new HashMap<>();

    /** By number, the requests that are worked on, or wait; none that was forgotten, whose number may be used again. */
    private final Map<Integer, Step> numbers = new HashMap<>();

    /** What is done for one request. */
    private interface Step {
        /** Does it, unless the request was forgotten; returns whether another thread goes on with it. */
        boolean begin();

        /** It is not done any more. */
        void drop();
    }

    Preparation(Link link) {
        this.link = link;
    }

    /** Whether a request of the stream has to wait. */
    boolean isBusy(int stream) {
        return !streams.isEmpty() && streams.containsKey(stream);
    }

    /**
     * Does the work for the request of this number on another thread, when what is before it in its stream is done.
     *
     * @param then gets the result, unless the request was forgotten
     * @param release is run once, when the work is done or dropped
     */
    <T> void elsewhere(int stream, int number, Callable<T> work, Consumer<T> then, Runnable release) {
        Step step = new Step() {
            @Override
            public boolean begin() {
                if (numbers.get(number) != this) {
                    release.run();
                    return false;
                }
                link.loop()
                        .elsewhere(
                                work,
                                result -> {
                                    release.run();
                                    link.guard("a long request", () -> {
                                        if (numbers.remove(number, this)) {
                                            then.accept(result);
                                        }
                                        goOn(stream);
                                    });
                                },
                                failure -> {
                                    release.run();
                                    failed(failure);
                                });
                return true;
            }

            @Override
            public void drop() {
                release.run();
            }
        };
        numbers.put(number, step);
        if (isBusy(stream)) {
            streams.get(stream).add(step);
        } else {
            streams.put(stream, new ArrayDeque<>());
            step.begin();
        }
    }

    private void failed(Throwable failure) {
        if (failure instanceof MalformedMessage) {
            link.malformed(failure.getMessage());
        } else {
            link.failed("a long request", failure);
        }
    }

    /** Does this for a short request of a stream that is busy, when what is before it is done. */
    void behind(int stream, int number, Runnable task) {
        Step step = new Step() {
            @Override
            public boolean begin() {
                if (numbers.remove(number, this)) {
                    task.run();
                }
                return false;
            }

            @Override
            public void drop() {}
        };
        numbers.put(number, step);
        streams.get(stream).add(step);
    }

    private void goOn(int stream) {
        ArrayDeque<Step> waiting = streams.getOrDefault(stream, new ArrayDeque<>());
        while (!waiting.isEmpty()) {
            if (waiting.poll().begin()) {
                return;
            }
        }
        streams.remove(stream);
    }

    /** Whether the request of this number is here. */
    boolean has(int number) {
        return numbers.containsKey(number);
    }

    /** How many are here. */
    int size() {
        return numbers.size();
    }

    /** The numbers of those that are here. */
    List<Integer> waiting() {
        return List.copyOf(numbers.keySet());
    }

    /** Drops the request of this number; returns whether it was here. */
    boolean forget(int number) {
        return numbers.remove(number) != null;
    }

    /** The link is closed: nothing is done any more. */
    void close() {
        numbers.clear();
        streams.values().forEach(waiting -> waiting.forEach(Step::drop));
        streams.clear();
    }
}
