package dev.kv.router.table;

import dev.kv.router.Bytes;
import java.util.List;
import java.util.Random;

/** Random routing tables, and the node that a table names for a bucket. */
abstract class RandomTables {
    static String nodeOf(RoutingTable table, String bucket) {
        return table.find(Bytes.of(bucket))
                .map(entry -> entry.node().toString())
                .orElse("none");
    }

    static String randomTable(Random random) {
        StringBuilder text = new StringBuilder();
        for (int i = random.nextInt(6); i >= 0; i--) {
            text.append(randomRange(random))
                    .append("=n")
                    .append(random.nextInt(5))
                    .append("@h");
            if (random.nextBoolean()) {
                text.append(':').append(1 + random.nextInt(65535));
            }
            text.append(
                    i == 0
                            ? ""
                            : List.of(",", "\n", ",\r\n", " # x\n", ", # ü\n\n ")
                                    .get(random.nextInt(5)));
        }
        return text.toString();
    }

    static String randomRange(Random random) {
        return switch (random.nextInt(8)) {
            case 0 -> "*";
            case 1, 2 -> bound(random.nextInt(256), random);
            case 3, 4 -> {
                int first = random.nextInt(256);
                yield bound(first, random) + ".." + bound(first + random.nextInt(256 - first), random);
            }
            default -> {
                StringBuilder prefix = new StringBuilder();
                for (byte b : randomName(random).array()) {
                    boolean plain = prefix.isEmpty()
                            ? b == '.'
                            : b == '-' || (b == '.' && !prefix.toString().endsWith("."));
                    prefix.append(plain ? Character.toString(b) : bound(b & 0xFF, random));
                }
                yield prefix + "*";
            }
        };
    }

    /** One to four bytes, mostly of few kinds, so that ranges and names meet. */
    static Bytes randomName(Random random) {
        byte[] name = new byte[1 + random.nextInt(4)];
        random.nextBytes(name);
        for (int i = 0; i < name.length; i++) {
            if (random.nextInt(8) > 0) {
                name[i] = (byte) "ab.-*".charAt(random.nextInt(5));
            }
        }
        return Bytes.owning(name);
    }

    static Random seeded() {
        long seed = new Random().nextLong();
        System.out.println("seed " + seed);
        return new Random(seed);
    }

    static String bound(int b, Random random) {
        boolean plain = b < 0x80 && (Character.isLetterOrDigit(b) || b == '_');
        return plain && random.nextBoolean()
                ? Character.toString(b)
                : (random.nextBoolean() ? "%%%02x" : "%%%02X").formatted(b);
    }
}
