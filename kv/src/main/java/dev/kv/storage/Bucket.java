package dev.kv.storage;

import dev.kv.router.Bytes;
import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.Deque;
import java.util.Map;
import java.util.TreeMap;

/** A bucket in memory. Whoever reads or changes it holds its lock. */
final class Bucket implements Edit {
    /** What a pair takes beside its bytes: an entry of the map, and the objects around the key and the value. */
    static final int OVERHEAD_BYTES = 128;

    private final Registry registry;
    private final Room room;
    private final TreeMap<Place, Bytes> values = new TreeMap<>();

    /** What takes back the changes of the command that runs, the last one first. */
    private final Deque<Runnable> undo = new ArrayDeque<>();

    private boolean kept;
    private long bytes;

    Bucket(Registry registry, Room room) {
        this.registry = registry;
        this.room = room;
    }

    /** Where a name or a key stands in the order in which they are shown. */
    record Place(long position, Bytes name) implements Comparable<Place> {
        private static final Comparator<Place> ORDER =
                Comparator.comparingLong(Place::position).thenComparing(Place::name);

        @Override
        public int compareTo(Place other) {
            return ORDER.compare(this, other);
        }
    }

    @Override
    public boolean exists() {
        return kept || !values.isEmpty();
    }

    @Override
    public boolean isKept() {
        return kept;
    }

    @Override
    public long size() {
        return values.size();
    }

    /** What its pairs take, as {@link Room} counts. */
    long bytes() {
        return bytes;
    }

    @Override
    public Bytes get(Bytes key) {
        return values.get(registry.place(key));
    }

    @Override
    public void forEach(long fromPosition, Visitor visitor) {
        for (Map.Entry<Place, Bytes> pair :
                values.tailMap(new Place(fromPosition, Bytes.EMPTY)).entrySet()) {
            Place place = pair.getKey();
            if (!visitor.visit(place.position(), place.name(), pair.getValue())) {
                return;
            }
        }
    }

    @Override
    public void set(Bytes key, Bytes value) {
        Place place = registry.place(key);
        Bytes old = values.get(place);
        long growth = cost(key, value) - (old == null ? 0 : cost(key, old));
        if (growth > 0 && !room.take(growth)) {
            throw new Registry.NoSpace();
        }
        if (growth < 0) {
            room.giveBack(-growth);
        }
        replace(place, value, growth);
        undo.push(() -> {
            room.giveBack(growth);
            replace(place, old, -growth);
        });
    }

    @Override
    public void delete(Bytes key) {
        Place place = registry.place(key);
        Bytes old = values.get(place);
        if (old == null) {
            return;
        }
        long cost = cost(key, old);
        room.giveBack(cost);
        replace(place, null, -cost);
        undo.push(() -> {
            room.giveBack(-cost);
            replace(place, old, cost);
        });
    }

    private void replace(Place place, Bytes value, long growth) {
        if (value == null) {
            values.remove(place);
        } else {
            values.put(place, value);
        }
        bytes += growth;
    }

    @Override
    public void keep() {
        boolean before = kept;
        kept = true;
        undo.push(() -> kept = before);
    }

    @Override
    public void drop() {
        Map<Place, Bytes> before = new TreeMap<>(values);
        boolean keptBefore = kept;
        long cost = bytes;
        values.clear();
        kept = false;
        bytes = 0;
        room.giveBack(cost);
        undo.push(() -> {
            room.giveBack(-cost);
            values.putAll(before);
            kept = keptBefore;
            bytes = cost;
        });
    }

    /** What was changed is in force. */
    void commit() {
        undo.clear();
    }

    /** What was changed since the last {@link #commit} is as before. */
    void rollBack() {
        while (!undo.isEmpty()) {
            undo.pop().run();
        }
    }

    private static long cost(Bytes key, Bytes value) {
        return (long) OVERHEAD_BYTES + key.size() + value.size();
    }
}
