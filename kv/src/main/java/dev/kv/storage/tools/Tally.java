package dev.kv.storage.tools;

import dev.kv.router.spi.Engine.Checked;
import dev.kv.router.spi.Engine.Damage;
import java.util.function.Consumer;

/** Counts what a check reads and finds, and passes on each damage. */
final class Tally implements Consumer<Damage> {
    private final Consumer<Damage> found;
    private long files;
    private long bytes;
    private long records;
    private long damages;

    Tally(Consumer<Damage> found) {
        this.found = found;
    }

    @Override
    public void accept(Damage damage) {
        damages++;
        found.accept(damage);
    }

    /** Counts a file, and returns its number. */
    long file() {
        return ++files;
    }

    void bytes(long more) {
        bytes += more;
    }

    void records(long more) {
        records += more;
    }

    long files() {
        return files;
    }

    /** Whether nothing was found. */
    boolean isClean() {
        return damages == 0;
    }

    Checked checked() {
        return new Checked(files, bytes, records, damages);
    }
}
