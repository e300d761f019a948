package dev.kv.storage.tools;

import dev.kv.router.Bytes;
import dev.kv.router.spi.Engine.Damage;
import dev.kv.storage.format.Hint;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;

/** The names that the hint of a segment has for damaged ranges in which no record can be told. */
final class HintedNames implements Hint.Reader {
    /** By where they begin. They do not overlap. */
    private final NavigableMap<Long, Damage> damages = new TreeMap<>();

    private final Map<Damage, Set<Bytes>> names = new HashMap<>();

    /** The names of all buckets by their numbers; empty for a hidden one. */
    private final List<Optional<Bytes>> buckets = new ArrayList<>();

    HintedNames(List<Damage> nameless) {
        nameless.forEach(damage -> damages.put(damage.offset(), damage));
    }

    @Override
    public void bucket(byte[] name, long generation, boolean isHidden) {
        buckets.add(isHidden ? Optional.empty() : Optional.of(Bytes.owning(name)));
    }

    @Override
    public void entry(int number, int kind, int keyHash, long offset, long cost, long until) {
        Map.Entry<Long, Damage> before = damages.floorEntry(offset);
        if (before != null && offset < before.getKey() + before.getValue().bytes()) {
            buckets.get(number)
                    .ifPresent(name -> names.computeIfAbsent(before.getValue(), _ -> new LinkedHashSet<>())
                            .add(name));
        }
    }

    /** Tells the damages, each once for each of its names. */
    void tell(Consumer<Damage> found) {
        damages.values().forEach(damage -> {
            Set<Bytes> of = names.getOrDefault(damage, Set.of());
            if (of.isEmpty()) {
                found.accept(damage);
            }
            of.forEach(name -> found.accept(new Damage(
                    damage.file(),
                    damage.offset(),
                    damage.bytes(),
                    damage.what(),
                    Optional.of(name),
                    Optional.empty())));
        });
    }
}
