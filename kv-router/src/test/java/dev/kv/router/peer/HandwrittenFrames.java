package dev.kv.router.peer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;

/** A node whose listener for other nodes a test sends handwritten frames, as {@code docs/peer-protocol.md} has them. */
@Timeout(60)
abstract class HandwrittenFrames {
    final Host bar = new Host("bar@h");
    final List<Wires> opened = new ArrayList<>();

    @BeforeEach
    void start() {
        bar.start("*=bar@h");
    }

    @AfterEach
    void stop() throws IOException {
        for (Wires wires : opened) {
            wires.close();
        }
        bar.close();
    }

    Wires connect() throws IOException {
        Wires wires = new Wires(bar);
        opened.add(wires);
        return wires;
    }

    void restart(Runnable change) {
        bar.close();
        change.run();
        bar.start("*=bar@h");
    }

    static byte[] frame(int length, byte[] rest) {
        return ByteBuffer.allocate(4 + rest.length).putInt(length).put(rest).array();
    }

    static byte[] numbers(int... numbers) {
        ByteBuffer bytes = ByteBuffer.allocate(4 * numbers.length);
        for (int number : numbers) {
            bytes.putInt(number);
        }
        return bytes.array();
    }

    void assertServesOthers() {
        assertThat(bar.ask(new Command.Create(Bytes.of("others")))).isEqualTo(Reply.OK);
    }
}
