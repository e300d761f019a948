package dev.kv.router.zookeeper;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigParseOptions;
import com.typesafe.config.ConfigRenderOptions;
import com.typesafe.config.ConfigSyntax;
import com.typesafe.config.ConfigValueFactory;
import java.util.Map;

/** JSON on one line, as kv's znodes hold it. */
final class Json {
    private static final ConfigParseOptions JSON = ConfigParseOptions.defaults().setSyntax(ConfigSyntax.JSON);

    private Json() {}

    static byte[] bytes(Map<String, Object> object) {
        return ConfigValueFactory.fromMap(object)
                .render(ConfigRenderOptions.concise())
                .getBytes(UTF_8);
    }

    /**
     * Reads an object.
     *
     * @throws com.typesafe.config.ConfigException if it is none
     */
    static Config parse(byte[] json) {
        return ConfigFactory.parseString(new String(json, UTF_8), JSON);
    }
}
