package dev.kv.storage.format;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.kv.router.config.BadStart;
import java.io.IOException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The content of the file {@code format} of a data folder; {@code docs/format.md} describes it.
 *
 * @param version of the format, at most that of this release
 * @param seed the key of the hash of keys
 * @param id unique for each folder
 * @param ancestors ids of the folders from whose backups it was restored
 */
public record Format(int version, long seed, long id, List<Long> ancestors) {
    public static final String FILE = "format";

    /** What the file says while a backup is restored into its folder. */
    private static final String NOT_RESTORED = "not restored to the end\n";

    private static final String TITLE = "kv storage format ";
    private static final Pattern ANY = Pattern.compile(TITLE + "([0-9]{1,9})\n(?s:.*)");
    private static final Pattern FIRST =
            Pattern.compile("(" + TITLE + "1\nseed ([0-9a-f]{16})\n)check ([0-9a-f]{8})\n(restored ([0-9a-f]{16})\n)?");
    private static final Pattern SECOND = Pattern.compile(
            "(" + TITLE + "2\nseed ([0-9a-f]{16})\nid ([0-9a-f]{16})\n((?:of [0-9a-f]{16}\n)*))check ([0-9a-f]{8})\n");
    private static final int HEX = 16;
    private static final int MAX_BYTES = 1 << 20;

    /** The format of a folder whose file is missing; any segment may be its own. */
    public static final Format UNKNOWN = new Format(1, 0, 0, List.of());

    public Format {
        ancestors = List.copyOf(ancestors);
    }

    /** Marks a folder as half restored: no node opens it until {@link #write}. */
    static void beginRestored(Path folder) throws IOException {
        DurableFiles.replace(folder.resolve(FILE), NOT_RESTORED.getBytes(US_ASCII));
    }

    /** The format of a new folder. */
    static Format fresh() {
        SecureRandom random = new SecureRandom();
        return new Format(Layout.VERSION, random.nextLong(), random.nextLong(), List.of());
    }

    /**
     * Reads the file of a folder.
     *
     * @throws BadStart if it is damaged, or of a newer format
     */
    public static Format read(Path folder) throws IOException {
        Path file = folder.resolve(FILE);
        String text = new String(DurableFiles.read(file, MAX_BYTES), ISO_8859_1);
        Matcher any = ANY.matcher(text);
        if (any.matches() && Integer.parseInt(any.group(1)) > Layout.VERSION) {
            throw new BadStart(file + " is of format " + any.group(1) + ", and this release knows up to "
                    + Layout.VERSION + ": use the release that wrote it");
        }
        Matcher second = SECOND.matcher(text);
        if (second.matches() && second.group(5).equals(SealedText.checksum(second.group(1)))) {
            List<Long> ancestors = new ArrayList<>();
            second.group(4).lines().forEach(line -> ancestors.add(number(line.substring("of ".length()))));
            return new Format(2, number(second.group(2)), number(second.group(3)), ancestors);
        }
        // With another seed no key would be found by its hash: a seed that is damaged must be seen.
        Matcher first = FIRST.matcher(text);
        if (first.matches() && first.group(3).equals(SealedText.checksum(first.group(1)))) {
            long seed = number(first.group(2));
            // It had no id: the same one each time, for those whose change to the newest version breaks off.
            long id = first.group(5) == null ? Long.reverse(seed) : number(first.group(5));
            return new Format(1, seed, id, List.of());
        }
        throw new BadStart(
                text.equals(NOT_RESTORED)
                        ? folder + ": a restore did not end: remove what is in the folder, and run kv restore again"
                        : file + " is damaged: restore it from a backup");
    }

    private static long number(String hex) {
        return Long.parseUnsignedLong(hex, HEX);
    }

    /** Replaces the file, in the newest version. */
    public void write(Path folder) throws IOException {
        StringBuilder text =
                new StringBuilder(TITLE + "%d\nseed %016x\nid %016x\n".formatted(Layout.VERSION, seed, id));
        ancestors.forEach(ancestor -> text.append("of %016x\n".formatted(ancestor)));
        text.append("check %s\n".formatted(SealedText.checksum(text.toString())));
        DurableFiles.replace(folder.resolve(FILE), text.toString().getBytes(US_ASCII));
    }

    /** The format of a folder that is restored from a backup of this one. */
    public Format restored() {
        List<Long> all = new ArrayList<>(ancestors);
        all.add(id);
        return new Format(Layout.VERSION, seed, new SecureRandom().nextLong(), all);
    }

    Format upgraded() {
        return new Format(Layout.VERSION, seed, id, ancestors);
    }

    /** Whether files carry the id of the folder, and there is a list of segments. */
    public boolean hasIds() {
        return version > 1;
    }

    /** Whether a file with this id was written in the folder or in an ancestor. */
    public boolean isOwn(long other) {
        return other == id || ancestors.contains(other);
    }
}
