package dev.kv.router;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Random;
import org.junit.jupiter.api.Test;

class PackedListTest {
    private static final int LARGER_THAN_AN_ARRAY = 5 << 20;

    @Test
    void holdsTheValuesThatWereAddedInTheirOrder() {
        Random random = new Random(1);
        for (int size : new int[] {0, 1, PackedList.OBJECTS_MAX, PackedList.OBJECTS_MAX + 1, 20_000}) {
            List<Bytes> expected = new ArrayList<>();
            PackedList.Builder builder = new PackedList.Builder();
            PackedList.Builder builderOfBuffers = new PackedList.Builder();
            for (int i = 0; i < size; i++) {
                byte[] bytes = new byte[i == 10_000 ? LARGER_THAN_AN_ARRAY : random.nextInt(200)];
                random.nextBytes(bytes);
                expected.add(Bytes.owning(bytes));
                builder.add(expected.getLast());
                builderOfBuffers.add(ByteBuffer.wrap(bytes), bytes.length);
            }
            List<Bytes> list = builder.build();

            assertThat(new ArrayList<>(list)).isEqualTo(expected);
            assertThat(new ArrayList<>(builderOfBuffers.build())).isEqualTo(expected);
            assertThat(list).hasSize(size);
            assertThat(list instanceof PackedList).isEqualTo(size > PackedList.OBJECTS_MAX);
            assertThat(new Reply.Values(list).values()).isSameAs(list);
            assertThatThrownBy(() -> list.get(size)).isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> list.get(-1)).isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> list.add(Bytes.EMPTY)).isInstanceOf(UnsupportedOperationException.class);
        }
    }

    @Test
    void fewLongValuesArePackedToo() {
        List<Bytes> expected = new ArrayList<>();
        PackedList.Builder builder = new PackedList.Builder();
        for (int i = 0; i < 100; i++) {
            byte[] bytes = new byte[32 << 10];
            bytes[i] = 1;
            expected.add(Bytes.owning(bytes));
            builder.add(expected.getLast());
        }
        List<Bytes> list = builder.build();

        assertThat(list).isInstanceOf(PackedList.class).isEqualTo(expected);
        List<Bytes> visited = new ArrayList<>();
        ((PackedList) list)
                .visit((array, position, length) ->
                        visited.add(Bytes.read(array.duplicate().position(position), length)));
        assertThat(visited).isEqualTo(expected);
    }

    @Test
    void emptyValuesTakeTheirLengthAlone() {
        PackedList.Builder builder = new PackedList.Builder();
        int size = 50_000;
        for (int i = 0; i < size; i++) {
            builder.add(Bytes.EMPTY);
        }
        PackedList list = (PackedList) builder.build();

        assertThat(list).hasSize(size).containsOnly(Bytes.EMPTY);
        assertThat(list.get(size - 1)).isEqualTo(Bytes.EMPTY);
        assertThat(list.bytes()).isEqualTo(4L * size);
        var end = list.iterator();
        end.forEachRemaining(value -> assertThat(value.isEmpty()).isTrue());
        assertThatThrownBy(end::next).isInstanceOf(NoSuchElementException.class);
    }
}
