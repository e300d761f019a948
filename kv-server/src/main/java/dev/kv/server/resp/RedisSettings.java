package dev.kv.server.resp;

import java.util.LinkedHashMap;
import java.util.Map;

/** The settings of Redis that clients read with {@code CONFIG GET}, with the values that hold here. */
final class RedisSettings {
    private RedisSettings() {}

    static Map<String, String> of(RespDoor door) {
        Map<String, String> known = new LinkedHashMap<>();
        known.put("appendonly", "yes");
        known.put("bind", door.address().getAddress().getHostAddress());
        known.put("databases", "1");
        known.put("maxclients", Integer.toString(door.connectionsMax()));
        known.put("maxmemory", "0");
        known.put("maxmemory-policy", "noeviction");
        known.put("port", Integer.toString(door.address().getPort()));
        known.put("proto-max-bulk-len", Integer.toString(door.bulkMaxBytes()));
        known.put("save", "");
        known.put("timeout", Long.toString(door.idle().toSeconds()));
        return known;
    }
}
