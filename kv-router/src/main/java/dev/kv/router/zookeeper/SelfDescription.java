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

    SelfDescription(ZooKeeperSettings settings, Membership.Self self, TableFollower table, Directory directory) {
        this.settings = settings;
        this.self = self;
        this.table = table;
        this.directory = directory;
    }

    /**
     * The document, without the holdings if they are not known, or it would be too large.
     *
     * @param peer the address for other nodes
     * @param clients the address for clients; empty if there is none
     * @param count the buckets here by the table in force; empty while they are counted
     */
    NodeDocument now(String peer, String clients, Optional<HoldingsCounter.Count> count) {
        Misplaced misplaced = count.map(HoldingsCounter.Count::misplaced).orElse(Misplaced.NONE);
        List<String> warnings = warnings(misplaced);
        Optional<String> why = count.isEmpty()
                ? Optional.of("its buckets are being counted")
                : count.get().fault().map(fault -> "its buckets cannot be counted: " + fault);
        if (why.isPresent()) {
            warnings.add("what this node holds is not told: " + why.get());
            return document(peer, clients, Optional.empty(), misplaced, warnings);
        }
        NodeDocument whole = document(peer, clients, Optional.of(count.get().held()), misplaced, warnings);
        int size = whole.json().length;
        if (size <= settings.documentMaxBytes()) {
            return whole;
        }
        warnings.add("what this node holds is not told: its document would have %d bytes, at most %d are written"
                        .formatted(size, settings.documentMaxBytes())
                + " (kv.router.zookeeper.document-max)");
        return document(peer, clients, Optional.empty(), misplaced, warnings);
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

    private List<String> warnings(Misplaced misplaced) {
        List<String> warnings = new ArrayList<>();
        table.applied().flatMap(SeenTable::table).map(RoutingTable::warnings).ifPresent(warnings::addAll);
        warnings.addAll(NamedNodes.warnings(
                table.named(),
                name -> name.equals(self.name())
                        ? Optional.of(NodeDocument.keepsData(self.role()))
                        : directory.said(name).map(NodeDocument::keepsData)));
        if (table.applied().isPresent() && misplaced.buckets() > 0) {
            warnings.add("misplaced here: " + misplaced.amount() + " that this table sends elsewhere");
        }
        return warnings;
    }
}
