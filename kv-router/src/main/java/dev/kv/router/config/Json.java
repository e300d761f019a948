package dev.kv.router.config;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigParseOptions;
import com.typesafe.config.ConfigRenderOptions;
import com.typesafe.config.ConfigSyntax;
import com.typesafe.config.ConfigValueFactory;
import java.time.DateTimeException;
import java.util.Map;
import java.util.function.Function;

/**
 * JSON documents that processes exchange: in znodes, in files of a node's folder and at its local socket. Their writer is not
 * trusted, so size and depth are checked before it is parsed: the parser uses a stack frame for each level.
 */
public final class Json {
    /** The deepest document of kv has 4 levels, whatever a site sets, so this is no key. */
    private static final int DEPTH_MAX = 16;

    /** Messages quote no more of a library's reason, which may hold the document. */
    private static final int REASON_MAX_CHARACTERS = 200;

    private static final ConfigParseOptions JSON = ConfigParseOptions.defaults().setSyntax(ConfigSyntax.JSON);

    private Json() {}

    /** The bytes are not a document of the expected kind. The message is one line with the reason. */
    public static final class Unreadable extends Exception {
        private static final long serialVersionUID = 1L;

        private Unreadable(String reason) {
            super(reason);
        }

        private Unreadable(Exception cause) {
            super(line(String.valueOf(cause.getMessage())), cause);
        }

        private static String line(String message) {
            String line = message.replaceFirst("^String: \\d+: ", "").replaceAll("\\p{Cntrl}+", " ");
            return line.length() <= REASON_MAX_CHARACTERS ? line : line.substring(0, REASON_MAX_CHARACTERS) + "...";
        }
    }

    /** The object on one line. */
    public static byte[] bytes(Map<String, Object> object) {
        return ConfigValueFactory.fromMap(object)
                .render(ConfigRenderOptions.concise())
                .getBytes(UTF_8);
    }

    /**
     * Reads an object.
     *
     * @param json one object
     * @param maxBytes more than this is refused
     * @param reader converts the object; its exceptions for invalid values become {@link Unreadable}, too
     */
    public static <T> T read(byte[] json, long maxBytes, Function<Config, T> reader) throws Unreadable {
        if (json.length > maxBytes) {
            throw new Unreadable("%d bytes, at most %d are read".formatted(json.length, maxBytes));
        }
        refuseDeep(json);
        try {
            return reader.apply(ConfigFactory.parseString(new String(json, UTF_8), JSON));
        } catch (ConfigException | IllegalArgumentException | DateTimeException e) {
            throw new Unreadable(e);
        }
    }

    /** Counts brackets outside of texts. */
    private static void refuseDeep(byte[] json) throws Unreadable {
        int depth = 0;
        boolean inText = false;
        for (int i = 0; i < json.length; i++) {
            byte b = json[i];
            if (b == '"') {
                inText = !inText;
                if (!inText && i + 1 < json.length && json[i + 1] == '"') {
                    // The parser reads three quotes as the start of a text with other escape rules.
                    throw new Unreadable("a text behind a text");
                }
            } else if (inText && b == '\\') {
                i++;
            } else if (!inText && (b == '[' || b == '{') && ++depth > DEPTH_MAX) {
                throw new Unreadable("more than " + DEPTH_MAX + " levels deep");
            } else if (!inText && (b == ']' || b == '}')) {
                depth = Math.max(0, depth - 1);
            }
        }
    }
}
