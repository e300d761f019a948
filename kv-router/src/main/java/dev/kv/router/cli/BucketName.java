package dev.kv.router.cli;

import dev.kv.router.Bytes;

/** The argument that names a bucket. */
final class BucketName {
    private final Word word = Word.argument("BUCKET", "The name of the bucket; %HH stands for any byte.");

    Word word() {
        return word;
    }

    /**
     * The name.
     *
     * @throws WrongWords if it is malformed
     */
    Bytes bytes() {
        try {
            return Bytes.ofPrintable(word.text());
        } catch (IllegalArgumentException e) {
            throw new WrongWords(e.getMessage(), e);
        }
    }

    /** The name as {@link Bytes#ofPrintable} reads it. */
    String printable() {
        return bytes().printable(Integer.MAX_VALUE);
    }
}
