package dev.kv.router.node;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.kv.router.Bytes;
import dev.kv.router.config.BadStart;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The file with the secret that the nodes share: its content, without white space at the end. */
public final class Cookie {
    private static final Logger LOG = LoggerFactory.getLogger(Cookie.class);
    /** A shorter secret is warned of. */
    private static final int SAFE_MIN_BYTES = 16;
    /** The same on all nodes, so it is no key. */
    private static final int MAX_BYTES = 255;

    private static final int MADE_BYTES = 32;

    /** Enough for the secret and any white space that an editor adds. */
    private static final int FILE_MAX_BYTES = 4096;

    private Cookie() {}

    /**
     * The secret in {@code file}, which is made if there is none.
     *
     * @throws BadStart if it cannot be read or made, if others than its owner may read it, or if it is empty or too long
     */
    public static Bytes readOrMake(Path file) {
        try {
            return read(file);
        } catch (NoSuchFileException e) {
            return make(file);
        } catch (IOException e) {
            throw unusable(file, "read: " + BadStart.reason(e), e);
        }
    }

    private static BadStart unusable(Path file, String why, IOException e) {
        return new BadStart("the cookie " + file + " (kv.router.cookie-file) cannot be " + why, e);
    }

    private static Bytes read(Path file) throws IOException {
        Set<PosixFilePermission> permissions = Files.getPosixFilePermissions(file);
        if (permissions.contains(PosixFilePermission.GROUP_READ)
                || permissions.contains(PosixFilePermission.OTHERS_READ)) {
            throw new BadStart("the cookie " + file + " is refused: others than its owner may read it; chmod 600 it");
        }
        // To open a FIFO would not end.
        if (!Files.isRegularFile(file)) {
            throw new BadStart("the cookie " + file + " is refused: it is no regular file");
        }
        byte[] content;
        try (InputStream input = Files.newInputStream(file)) {
            content = input.readNBytes(FILE_MAX_BYTES);
        }
        int length = content.length;
        while (length > 0 && isWhiteSpace(content[length - 1])) {
            length--;
        }
        if (length == 0 || length > MAX_BYTES) {
            throw new BadStart("the cookie " + file + " is refused: it has " + (length == 0 ? "no" : "too many")
                    + " bytes, expected 1 to " + MAX_BYTES);
        }
        if (length < SAFE_MIN_BYTES) {
            LOG.warn("the cookie {} has only {} bytes and can be guessed; 16 or more are safe", file, length);
        }
        return Bytes.owning(Arrays.copyOf(content, length));
    }

    private static boolean isWhiteSpace(byte b) {
        return b == ' ' || (b >= '\t' && b <= '\r');
    }

    /** A full disk leaves an empty file, which later starts would refuse. */
    private static void removeUnwritten(Path file) {
        try {
            if (Files.isRegularFile(file) && Files.size(file) == 0) {
                Files.delete(file);
            }
        } catch (IOException e) {
            LOG.debug("{} could not be removed", file, e);
        }
    }

    private static Bytes make(Path file) {
        byte[] random = new byte[MADE_BYTES];
        new SecureRandom().nextBytes(random);
        byte[] secret = HexFormat.of().formatHex(random).getBytes(US_ASCII);
        try (FileChannel channel = FileChannel.open(
                file,
                Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
            // One write: a node that starts at the same time and shares the file reads it completely.
            channel.write(
                    ByteBuffer.wrap(Arrays.copyOf(secret, secret.length + 1)).put(secret.length, (byte) '\n'));
            channel.force(true);
        } catch (FileAlreadyExistsException madeByAnotherNode) {
            return readOrMake(file);
        } catch (NoSuchFileException e) {
            throw unusable(file, "made: there is no folder " + file.getParent(), e);
        } catch (IOException e) {
            removeUnwritten(file);
            throw unusable(file, "made: " + BadStart.reason(e), e);
        }
        LOG.warn("made the cookie {}: every node needs the same file", file);
        return Bytes.owning(secret);
    }
}
