package dev.kv.router.peer.codec;

import dev.kv.router.Bytes;
import dev.kv.router.Kind;
import dev.kv.router.PackedList;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * How the values of one type stand in a message: their size and both directions, said once. Those of a whole type are put
 * together by {@link Composite} and {@link Variants}.
 *
 * @param <T> the type
 */
public interface Encoding<T> {
    /** How many bytes {@link #write} writes. */
    long size(T value);

    void write(MessageWriter out, T value);

    /** Takes a value, and not a byte more. */
    T read(MessageReader in) throws MalformedMessage;

    /** A 4-byte length and the bytes. */
    Encoding<Bytes> BYTES = new Encoding<>() {
        @Override
        public long size(Bytes value) {
            return Integer.BYTES + (long) value.size();
        }

        @Override
        public void write(MessageWriter out, Bytes value) {
            out.bytes(value);
        }

        @Override
        public Bytes read(MessageReader in) throws MalformedMessage {
            return in.bytes();
        }
    };

    /** A 2-byte length and UTF-8, cut off where it is longer than the length can say. */
    Encoding<String> TEXT = new Encoding<>() {
        @Override
        public long size(String value) {
            return MessageWriter.textSize(value);
        }

        @Override
        public void write(MessageWriter out, String value) {
            out.text(value);
        }

        @Override
        public String read(MessageReader in) throws MalformedMessage {
            return in.text();
        }
    };

    /** 1 byte. */
    Encoding<Kind> KIND = choice("kind", List.of(Kind.BUCKET, Kind.VALUE));

    /** 4 bytes. */
    Encoding<Integer> INT = new Encoding<>() {
        @Override
        public long size(Integer value) {
            return Integer.BYTES;
        }

        @Override
        public void write(MessageWriter out, Integer value) {
            out.u32(value);
        }

        @Override
        public Integer read(MessageReader in) throws MalformedMessage {
            return in.u32();
        }
    };

    /** 8 bytes. */
    Encoding<Long> LONG = new Encoding<>() {
        @Override
        public long size(Long value) {
            return Long.BYTES;
        }

        @Override
        public void write(MessageWriter out, Long value) {
            out.u64(value);
        }

        @Override
        public Long read(MessageReader in) throws MalformedMessage {
            return in.u64();
        }
    };

    /** A byte, 0 for false. */
    Encoding<Boolean> FLAG = new Encoding<>() {
        @Override
        public long size(Boolean value) {
            return 1;
        }

        @Override
        public void write(MessageWriter out, Boolean value) {
            out.u8(value ? 1 : 0);
        }

        @Override
        public Boolean read(MessageReader in) throws MalformedMessage {
            return in.u8() != 0;
        }
    };

    /**
     * One of a few values: a byte, 0 for the first of them.
     *
     * @param what errors call a value
     */
    static <T> Encoding<T> choice(String what, List<T> choices) {
        return new Encoding<>() {
            @Override
            public long size(T value) {
                return 1;
            }

            @Override
            public void write(MessageWriter out, T value) {
                out.u8(choices.indexOf(value));
            }

            @Override
            public T read(MessageReader in) throws MalformedMessage {
                int code = in.u8();
                if (code >= choices.size()) {
                    throw new MalformedMessage("unknown " + what + " " + code);
                }
                return choices.get(code);
            }
        };
    }

    /** A byte, 1 if a value follows. */
    static <T> Encoding<Optional<T>> optional(Encoding<T> of) {
        return new Encoding<>() {
            @Override
            public long size(Optional<T> value) {
                return 1 + (value.isPresent() ? of.size(value.get()) : 0);
            }

            @Override
            public void write(MessageWriter out, Optional<T> value) {
                out.u8(value.isPresent() ? 1 : 0);
                if (value.isPresent()) {
                    of.write(out, value.get());
                }
            }

            @Override
            public Optional<T> read(MessageReader in) throws MalformedMessage {
                return in.u8() == 0 ? Optional.empty() : Optional.of(of.read(in));
            }
        };
    }

    /** A 4-byte number, and so many of them. */
    static <T> Encoding<List<T>> list(Encoding<T> of) {
        return new Encoding<>() {
            @Override
            public long size(List<T> values) {
                return Integer.BYTES + sizeOfAll(values, of);
            }

            @Override
            public void write(MessageWriter out, List<T> values) {
                out.u32(values.size());
                writeAll(out, values, of);
            }

            @Override
            public List<T> read(MessageReader in) throws MalformedMessage {
                return readAll(in, in.u32(), of);
            }
        };
    }

    /** The same of {@link #BYTES}. Many values are neither written nor read as an object each. */
    Encoding<List<Bytes>> VALUES = new Encoding<>() {
        private static final Encoding<List<Bytes>> FEW = list(BYTES);

        @Override
        public long size(List<Bytes> values) {
            return values instanceof PackedList packed ? Integer.BYTES + packed.bytes() : FEW.size(values);
        }

        @Override
        public void write(MessageWriter out, List<Bytes> values) {
            if (values instanceof PackedList packed && packed.bytes() > Encoded.LARGE_BYTES) {
                out.u32(packed.size());
                packed.arrays().forEach(array -> out.part(array.duplicate()));
            } else {
                FEW.write(out, values);
            }
        }

        @Override
        public List<Bytes> read(MessageReader in) throws MalformedMessage {
            return in.values(in.u32());
        }
    };

    /** A 2-byte number, and so many of them. */
    static <T> Encoding<List<T>> shortList(Encoding<T> of) {
        return new Encoding<>() {
            @Override
            public long size(List<T> values) {
                return Short.BYTES + sizeOfAll(values, of);
            }

            @Override
            public void write(MessageWriter out, List<T> values) {
                out.u16(values.size());
                writeAll(out, values, of);
            }

            @Override
            public List<T> read(MessageReader in) throws MalformedMessage {
                return readAll(in, in.u16(), of);
            }
        };
    }

    /** The same one level deeper: for what may hold its like, at most as deep as the reader allows. */
    static <T> Encoding<T> nested(Supplier<Encoding<T>> of) {
        return new Encoding<>() {
            @Override
            public long size(T value) {
                return of.get().size(value);
            }

            @Override
            public void write(MessageWriter out, T value) {
                of.get().write(out, value);
            }

            @Override
            public T read(MessageReader in) throws MalformedMessage {
                in.enter();
                T value = of.get().read(in);
                in.leave();
                return value;
            }
        };
    }

    private static <T> long sizeOfAll(List<T> values, Encoding<T> of) {
        long size = 0;
        for (T value : values) {
            size += of.size(value);
        }
        return size;
    }

    private static <T> void writeAll(MessageWriter out, List<T> values, Encoding<T> of) {
        for (T value : values) {
            of.write(out, value);
        }
    }

    private static <T> List<T> readAll(MessageReader in, int count, Encoding<T> of) throws MalformedMessage {
        in.expectAtLeast(count);
        if (count == 0) {
            return List.of();
        }
        if (count == 1) {
            return List.of(of.read(in));
        }
        if (count == 2) {
            // A key and its value.
            return List.of(of.read(in), of.read(in));
        }
        List<T> values = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            values.add(of.read(in));
        }
        return values;
    }
}
