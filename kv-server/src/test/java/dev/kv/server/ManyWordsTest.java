package dev.kv.server;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.PackedList;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A request for many fields holds them in a few arrays: as objects they would make the garbage collector stop all threads. */
@Timeout(60)
class ManyWordsTest {
    private final List<List<Bytes>> asked = new ArrayList<>();

    /** Answers with how many fields were asked for. */
    private final Store store = (command, _) -> {
        if (command instanceof Command.GetAll get) {
            asked.add(get.keys());
            return CompletableFuture.completedFuture(new Reply.Many(
                    List.of(new Reply.Value(Bytes.of("%05d".formatted(get.keys().size()))))));
        }
        return CompletableFuture.completedFuture(new Reply.Value(Bytes.of("v")));
    };

    private static byte[] request(List<Bytes> words) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(("*" + words.size() + "\r\n").getBytes(ISO_8859_1));
        for (Bytes word : words) {
            out.writeBytes(("$" + word.size() + "\r\n").getBytes(ISO_8859_1));
            out.writeBytes(word.array());
            out.writeBytes("\r\n".getBytes(ISO_8859_1));
        }
        return out.toByteArray();
    }

    private static List<Bytes> hmget(List<Bytes> fields) {
        List<Bytes> words = new ArrayList<>(List.of(Bytes.of("HMGET"), Bytes.of("b")));
        words.addAll(fields);
        return words;
    }

    private static List<Bytes> fields(Random random, int count) {
        return IntStream.range(0, count)
                .mapToObj(i -> {
                    // Some are longer than what one read takes.
                    byte[] field =
                            new byte[random.nextInt(1000) == 0 ? 40_000 + random.nextInt(20_000) : random.nextInt(20)];
                    random.nextBytes(field);
                    return Bytes.owning(field);
                })
                .toList();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 4093, 4094, 4095, 4096, 4097, 20_000})
    void allFieldsArriveInTheirOrderHoweverTheRequestIsCut(int count) throws Exception {
        Random random = new Random(count);
        List<Bytes> first = fields(random, count);
        List<Bytes> second = fields(random, count);
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        all.writeBytes(request(hmget(first)));
        all.writeBytes(request(hmget(second)));
        all.writeBytes(request(hmget(List.of(Bytes.of("last")))));
        byte[] bytes = all.toByteArray();
        byte[] replies =
                ("*1\r\n$5\r\n%05d\r\n".formatted(count).repeat(2) + "*1\r\n$5\r\n00001\r\n").getBytes(ISO_8859_1);
        try (TestDoor door = new TestDoor(store);
                Socket socket =
                        new Socket(door.address().getAddress(), door.address().getPort())) {
            socket.setTcpNoDelay(true);
            socket.setSoTimeout(20_000);
            OutputStream out = socket.getOutputStream();
            for (int from = 0; from < bytes.length; ) {
                int to = Math.min(bytes.length, from + 1 + random.nextInt(50_000));
                out.write(Arrays.copyOfRange(bytes, from, to));
                from = to;
            }
            assertThat(socket.getInputStream().readNBytes(replies.length)).isEqualTo(replies);
        }
        assertThat(asked).containsExactly(first, second, List.of(Bytes.of("last")));
    }

    @Test
    void moreThanFourThousandFieldsAreNoObjects() throws Exception {
        List<Bytes> fields =
                IntStream.range(0, 5000).mapToObj(i -> Bytes.of("field " + i)).toList();
        try (TestDoor door = new TestDoor(store);
                Socket socket =
                        new Socket(door.address().getAddress(), door.address().getPort())) {
            socket.getOutputStream().write(request(hmget(fields)));
            assertThat(socket.getInputStream().readNBytes(15)).isEqualTo("*1\r\n$5\r\n05000\r\n".getBytes(ISO_8859_1));
        }
        assertThat(asked).singleElement().isInstanceOf(PackedList.class).isEqualTo(fields);
    }
}
