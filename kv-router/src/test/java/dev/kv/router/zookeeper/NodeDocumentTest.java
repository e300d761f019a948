package dev.kv.router.zookeeper;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.config.Json;
import dev.kv.router.placement.Misplaced;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The documents of nodes, written and read. */
class NodeDocumentTest {
    private static final String DOCUMENT = """
            {"role": "combined", "version": "1.0.0", "instance": "i", "peer": "192.0.2.6:4041", "client": "",
             "holds": [], "%s": {"buckets": 1, "bytes": 259, "names": ["hat"]},
             "table": {"source": "/kv/table", "mzxid": "0x5", "sha256": "", "state": "applied", "reason": "",
                       "warnings": [], "since": "2026-11-23T17:45:21Z"}}
            """;

    @Test
    void aDocumentOfAnOlderNodeIsRead() throws Json.Unreadable {
        NodeDocument older = parse(DOCUMENT.formatted("strays"));

        assertThat(older.misplaced()).isEqualTo(new Misplaced(1, 259, List.of("hat")));
        assertThat(older).isEqualTo(parse(DOCUMENT.formatted("misplaced")));
    }

    @Test
    void holdingsThatAreLeftOutAreNotThoseOfANodeThatHoldsNothing() throws Json.Unreadable {
        NodeDocument empty = parse(DOCUMENT.formatted("misplaced"));
        assertThat(empty.holds()).contains(List.of());

        NodeDocument leftOut = parse(
                DOCUMENT.formatted("misplaced").replace("\"holds\": []", "\"holds\": [], \"holds_left_out\": true"));
        assertThat(leftOut.holds()).isEmpty();
        for (NodeDocument document : List.of(empty, leftOut)) {
            assertThat(NodeDocument.read(document.json(), 4096)).isEqualTo(document);
        }
    }

    private static NodeDocument parse(String json) throws Json.Unreadable {
        return NodeDocument.read(json.getBytes(UTF_8), 4096);
    }
}
