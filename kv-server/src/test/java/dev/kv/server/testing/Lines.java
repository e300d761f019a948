package dev.kv.server.testing;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;

/** Lines as both protocols end them, with CR LF. */
final class Lines {
    private Lines() {}

    /** The next line, without its end. */
    static String next(InputStream input) throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        for (int b = input.read(); b != '\n'; b = input.read()) {
            if (b < 0) {
                throw new EOFException("the server closed the connection after <" + line.toString(ISO_8859_1) + ">");
            }
            line.write(b);
        }
        String text = line.toString(ISO_8859_1);
        if (!text.endsWith("\r")) {
            throw new IOException("a line without CR: <" + text + ">");
        }
        return text.substring(0, text.length() - 1);
    }
}
