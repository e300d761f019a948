package dev.kv.router.zookeeper;

import dev.kv.router.placement.Holding;
import dev.kv.router.placement.Misplaced;
import dev.kv.router.table.RoutingTable;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Builds the document of this node. One thread. */
final class SelfDescription {
    private final ZooKeeperSettings settings;
    private final Membership.Self self;
    private final TableFollower table;
    private final Directory directory;
    private final HoldingsCounter holdings;

    SelfDescription(
            ZooKeeperSettings settings,
            Membership.Self self,
            TableFollower table,
            Directory directory,
            HoldingsCounter holdings) {
        this.settings = settings;
        this.self = self;
        this.table = table;
        this.directory = directory;
        this.holdings = holdings;
    }

    /**
     * The document, without the holdings if it would be too large, or they are not counted by the table in force.
     *
     * @param peer the address for other nodes
     * @param clients the address for clients; empty if there is none
     */
    NodeDocument now(String peer, String clients) {
        boolean isCounted = holdings.isCountedBy(table.inForce());
        List<String> warnings = warnings(isCounted);
        if (!isCounted) {
            return document(peer, clients, Optional.empty(), Misplaced.NONE, warnings);
        }
        NodeDocument whole = document(peer, clients, Optional.of(holdings.held()), holdings.misplaced(), warnings);
        int size = whole.json().length;
        if (size <= settings.documentMaxBytes()) {
            return whole;
        }
        warnings.add("what this node holds is not told: its document would have %d bytes, at most %d are written"
                        .formatted(size, settings.documentMaxBytes())
                + " (kv.router.zookeeper.document-max)");
        return document(peer, clients, Optional.empty(), holdings.misplaced(), warnings);
    }

    private NodeDocument document(
            String peer, String clients, Optional<List<Holding>> held, Misplaced misplaced, List<String> warnings) {
        return new NodeDocument(
                self.role(),
                self.version(),
                self.instance(),
                peer,
                clients,
                held,
                misplaced,
                table.seen(settings.znodes(), warnings),
                table.routes());
    }

    private List<String> warnings(boolean isCounted) {
        List<String> warnings = new ArrayList<>();
        table.applied().flatMap(SeenTable::table).map(RoutingTable::warnings).ifPresent(warnings::addAll);
        warnings.addAll(NamedNodes.warnings(
                table.named(),
                name -> name.equals(self.name())
                        ? Optional.of(NodeDocument.keepsData(self.role()))
                        : directory.said(name).map(NodeDocument::keepsData)));
        if (!isCounted) {
            warnings.add("what this node holds is not counted yet");
        } else if (table.applied().isPresent() && holdings.misplaced().buckets() > 0) {
            warnings.add("misplaced here: " + holdings.misplaced().amount() + " that this table sends elsewhere");
        }
        return warnings;
    }
}
