package dev.kv.router.metrics;

/** What a number counts. The name of a metric ends with the word of its unit. */
public enum Unit {
    /** Things, such as keys or connections. */
    COUNT(""),
    BYTES("bytes"),
    MICROSECONDS("micros"),
    MILLISECONDS("millis");

    private final String word;

    Unit(String word) {
        this.word = word;
    }

    /** The last word of the names; empty if they have none. */
    public String word() {
        return word;
    }
}
