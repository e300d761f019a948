package dev.kv.router.cli;

import dev.kv.router.Bytes;
import dev.kv.router.spi.Engine;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** Prints damages as they are found; in a JSON document, at most a bounded number of them. */
final class Findings implements Consumer<Engine.Damage> {
    /** The document is built in memory; `found` in it counts all of them. */
    private static final int LISTED_MAX = 10_000;
    /** As much of a name as messages show. */
    private static final int SHOWN_BYTES_MAX = 256;

    private final boolean isJson;
    private final List<Map<String, Object>> listed = new ArrayList<>();

    Findings(boolean isJson) {
        this.isJson = isJson;
    }

    @Override
    public void accept(Engine.Damage damage) {
        if (!isJson) {
            Results.line(text(damage));
        } else if (listed.size() < LISTED_MAX) {
            listed.add(document(damage));
        }
    }

    private static String text(Engine.Damage damage) {
        String kind = damage.key().isPresent() ? "; bucket " : "; name ";
        String where =
                "%s: %d bytes at byte %d: %s".formatted(damage.file(), damage.bytes(), damage.offset(), damage.what());
        return where
                + damage.bucket().map(name -> kind + shown(name)).orElse("")
                + damage.key().map(key -> ", key " + shown(key)).orElse("");
    }

    private static Map<String, Object> document(Engine.Damage damage) {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("file", damage.file().toString());
        document.put("offset", damage.offset());
        document.put("bytes", damage.bytes());
        document.put("what", damage.what());
        damage.bucket().ifPresent(bucket -> document.put("bucket", shown(bucket)));
        damage.key().ifPresent(key -> document.put("key", shown(key)));
        return document;
    }

    private static String shown(Bytes bytes) {
        return bytes.printable(SHOWN_BYTES_MAX);
    }

    /** Prints the totals. */
    void end(Engine.Checked checked) {
        if (isJson) {
            Map<String, Object> document = new LinkedHashMap<>();
            document.put("files", checked.files());
            document.put("bytes", checked.bytes());
            document.put("records", checked.records());
            document.put("found", checked.damages());
            document.put("damages", listed);
            checked.aside().ifPresent(folder -> document.put("aside", folder.toString()));
            Results.json(document);
        } else {
            checked.aside()
                    .ifPresent(folder -> Results.line("the damaged bytes are in " + folder
                            + "; values that they had replaced or deleted may be there again"));
            Results.line("files: %d, bytes: %d, sound records: %d, damages: %d"
                    .formatted(checked.files(), checked.bytes(), checked.records(), checked.damages()));
        }
    }
}
