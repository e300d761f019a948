package dev.kv.router.peer.codec;

import dev.kv.router.Bytes;
import java.util.List;
import java.util.function.Function;

/**
 * Values of several fields, one after another. A value is made of the fields in the order in which they are written, which
 * is said once, so that reading, writing and counting cannot differ.
 *
 * @param <C> the type of the values
 */
final class Composite<C> implements Encoding<C> {
    private final Field<? super C, ?>[] fields;
    private final Reading<C> reading;

    private Composite(Reading<C> reading, List<Field<? super C, ?>> fields) {
        this.reading = reading;
        this.fields = array(fields);
    }

    @SuppressWarnings("unchecked")
    private static <C> Field<? super C, ?>[] array(List<Field<? super C, ?>> fields) {
        return fields.toArray(Field[]::new);
    }

    /** A part of a value. */
    abstract static sealed class Field<C, A> {
        abstract long size(C value);

        abstract void write(MessageWriter out, C value);

        abstract A read(MessageReader in) throws MalformedMessage;
    }

    private static final class AnyField<C, A> extends Field<C, A> {
        private final Function<C, A> of;
        private final Encoding<A> encoding;

        AnyField(Function<C, A> of, Encoding<A> encoding) {
            this.of = of;
            this.encoding = encoding;
        }

        @Override
        long size(C value) {
            return encoding.size(of.apply(value));
        }

        @Override
        void write(MessageWriter out, C value) {
            encoding.write(out, of.apply(value));
        }

        @Override
        A read(MessageReader in) throws MalformedMessage {
            return encoding.read(in);
        }
    }

    /** What most fields are: without a call that leads to one of many encodings. */
    private static final class BytesField<C> extends Field<C, Bytes> {
        private final Function<C, Bytes> of;

        BytesField(Function<C, Bytes> of) {
            this.of = of;
        }

        @Override
        long size(C value) {
            return Encoding.BYTES.size(of.apply(value));
        }

        @Override
        void write(MessageWriter out, C value) {
            out.bytes(of.apply(value));
        }

        @Override
        Bytes read(MessageReader in) throws MalformedMessage {
            return in.bytes();
        }
    }

    @FunctionalInterface
    private interface Reading<C> {
        C read(MessageReader in) throws MalformedMessage;
    }

    @FunctionalInterface
    interface Of2<A, B, C> {
        C make(A a, B b);
    }

    @FunctionalInterface
    interface Of3<A, B, D, C> {
        C make(A a, B b, D d);
    }

    @FunctionalInterface
    interface Of4<A, B, D, E, C> {
        C make(A a, B b, D d, E e);
    }

    @FunctionalInterface
    interface Of5<A, B, D, E, F, C> {
        C make(A a, B b, D d, E e, F f);
    }

    static <C, A> Field<C, A> field(Function<C, A> of, Encoding<A> encoding) {
        return new AnyField<>(of, encoding);
    }

    static <C> Field<C, Bytes> bytes(Function<C, Bytes> of) {
        return new BytesField<>(of);
    }

    /** No fields: there is one value. */
    static <C> Encoding<C> fields(C only) {
        return new Composite<>(in -> only, List.of());
    }

    static <C, A> Encoding<C> fields(Function<A, C> make, Field<? super C, A> a) {
        return new Composite<>(in -> make.apply(a.read(in)), List.of(a));
    }

    static <C, A, B> Encoding<C> fields(Of2<A, B, C> make, Field<? super C, A> a, Field<? super C, B> b) {
        return new Composite<>(in -> make.make(a.read(in), b.read(in)), List.of(a, b));
    }

    static <C, A, B, D> Encoding<C> fields(
            Of3<A, B, D, C> make, Field<? super C, A> a, Field<? super C, B> b, Field<? super C, D> d) {
        return new Composite<>(in -> make.make(a.read(in), b.read(in), d.read(in)), List.of(a, b, d));
    }

    static <C, A, B, D, E> Encoding<C> fields(
            Of4<A, B, D, E, C> make,
            Field<? super C, A> a,
            Field<? super C, B> b,
            Field<? super C, D> d,
            Field<? super C, E> e) {
        return new Composite<>(in -> make.make(a.read(in), b.read(in), d.read(in), e.read(in)), List.of(a, b, d, e));
    }

    static <C, A, B, D, E, F> Encoding<C> fields(
            Of5<A, B, D, E, F, C> make,
            Field<? super C, A> a,
            Field<? super C, B> b,
            Field<? super C, D> d,
            Field<? super C, E> e,
            Field<? super C, F> f) {
        return new Composite<>(
                in -> make.make(a.read(in), b.read(in), d.read(in), e.read(in), f.read(in)), List.of(a, b, d, e, f));
    }

    @Override
    public long size(C value) {
        long size = 0;
        for (Field<? super C, ?> field : fields) {
            size += field.size(value);
        }
        return size;
    }

    @Override
    public void write(MessageWriter out, C value) {
        for (Field<? super C, ?> field : fields) {
            field.write(out, value);
        }
    }

    @Override
    public C read(MessageReader in) throws MalformedMessage {
        return reading.read(in);
    }
}
