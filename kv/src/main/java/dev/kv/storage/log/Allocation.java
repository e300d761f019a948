package dev.kv.storage.log;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.nio.file.Path;

/**
 * Makes a file with all of its blocks allocated, so that writing to its mapped memory never meets a full disk, which would be
 * a SIGBUS. Java has no way to ask for this: it is POSIX's {@code posix_fallocate} of the C library.
 */
@SuppressWarnings("restricted") // bin/kv enables native access
public final class Allocation {
    private static final int O_RDWR = 2;
    private static final int O_CREAT = 0x40;
    private static final int O_CLOEXEC = 0x80000;
    private static final int OWNER_ONLY = 0600;

    private static final Linker LINKER = Linker.nativeLinker();
    private static final SymbolLookup LIBC = LINKER.defaultLookup();
    private static final Linker.Option ERRNO = Linker.Option.captureCallState("errno");
    private static final MemoryLayout STATE = Linker.Option.captureStateLayout();
    private static final VarHandle ERRNO_OF = STATE.varHandle(MemoryLayout.PathElement.groupElement("errno"));
    private static final MethodHandle OPEN = LINKER.downcallHandle(
            LIBC.findOrThrow("open"),
            FunctionDescriptor.of(
                    ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT),
            ERRNO,
            Linker.Option.firstVariadicArg(2));
    private static final MethodHandle ALLOCATE = LINKER.downcallHandle(
            LIBC.findOrThrow("posix_fallocate"),
            FunctionDescriptor.of(
                    ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));
    private static final MethodHandle ADVISE = LINKER.downcallHandle(
            LIBC.findOrThrow("madvise"),
            FunctionDescriptor.of(
                    ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT));
    private static final MethodHandle CLOSE = LINKER.downcallHandle(
            LIBC.findOrThrow("close"), FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
    private static final MethodHandle STRERROR = LINKER.downcallHandle(
            LIBC.findOrThrow("strerror"), FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.JAVA_INT));
    private static final int MADV_DONTNEED = 4;
    private static final int MADV_POPULATE_WRITE = 23;
    private static final long MESSAGE_MAX_BYTES = 256;

    private Allocation() {}

    /**
     * Makes a file, readable by its owner alone, unless it exists, and allocates its first {@code bytes}; new ones are zero.
     *
     * @throws IOException if there is no room for them, or the file cannot be made; what was made stays
     */
    static void allocate(Path file, long bytes) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(STATE);
            int descriptor = (int) OPEN.invokeExact(
                    state, arena.allocateFrom(file.toString()), O_RDWR | O_CREAT | O_CLOEXEC, OWNER_ONLY);
            if (descriptor < 0) {
                throw failure(file, (int) ERRNO_OF.get(state, 0L));
            }
            int error = (int) ALLOCATE.invokeExact(descriptor, 0L, bytes);
            int _ = (int) CLOSE.invokeExact(descriptor);
            if (error != 0) {
                throw failure(file, error);
            }
        } catch (IOException | RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError("a function of the C library throws nothing", e);
        }
    }

    /** Whether a failure means that the disk, or the quota of its user, is full. */
    public static boolean isNoSpace(IOException e) {
        String why = String.valueOf(e.getMessage());
        return why.contains("No space left") || why.contains("quota");
    }

    /**
     * Has the pages of mapped memory brought in as if they were written to, where the kernel can do that (Linux 5.14); if not, or
     * if that fails, they are brought in when they are written to. Blocks for as long as that takes.
     *
     * @param memory begins with a page
     */
    static void touch(MemorySegment memory) {
        advise(memory, MADV_POPULATE_WRITE);
    }

    /**
     * Takes pages of a mapped file out of the mapping, all at once; they stay in the kernel's cache with what was written, and
     * come back when they are used.
     *
     * @param memory begins with a page
     */
    static void unmap(MemorySegment memory) {
        advise(memory, MADV_DONTNEED);
    }

    private static void advise(MemorySegment memory, int advice) {
        try {
            int _ = (int) ADVISE.invokeExact(memory, memory.byteSize(), advice);
        } catch (Throwable e) {
            throw new AssertionError("a function of the C library throws nothing", e);
        }
    }

    private static IOException failure(Path file, int error) throws Throwable {
        MemorySegment message = (MemorySegment) STRERROR.invokeExact(error);
        return new IOException(
                file + ": " + message.reinterpret(MESSAGE_MAX_BYTES).getString(0));
    }
}
