package dev.kv.server.testing;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.EOFException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;

/**
 * A blocking client of RESP that shows replies as they are. Texts stand for bytes, one for each character (ISO 8859-1).
 *
 * <p>A reply is shown on one line: {@code OK} and errors as they stand, numbers as {@code :1}, strings in quotes, nothing as
 * {@code nil}, and what belongs together in brackets: {@code [..]}, <code>{..}</code> for maps and {@code ~[..]} for sets.
 */
public final class RespClient implements AutoCloseable {
    private final Socket socket;
    private final LineInput input;

    public RespClient(InetSocketAddress address) throws IOException {
        socket = new Socket();
        socket.setTcpNoDelay(true);
        socket.setSoTimeout((int) LineClient.TIMEOUT.toMillis());
        socket.connect(address, (int) LineClient.TIMEOUT.toMillis());
        input = new LineInput(socket.getInputStream());
    }

    /** The request as a client sends it. */
    public static String request(String... words) {
        StringBuilder request = new StringBuilder("*" + words.length + "\r\n");
        for (String word : words) {
            request.append('$')
                    .append(word.length())
                    .append("\r\n")
                    .append(word)
                    .append("\r\n");
        }
        return request.toString();
    }

    /** Sends exactly this, in one write. */
    public void send(String bytes) throws IOException {
        socket.getOutputStream().write(bytes.getBytes(ISO_8859_1));
    }

    /** Says that nothing more will be sent. */
    public void endOutput() throws IOException {
        socket.shutdownOutput();
    }

    /** Sends a request and waits for its reply. */
    public String ask(String... words) throws IOException {
        send(request(words));
        return reply();
    }

    /** Sends a request whose words have blanks between them, and waits for its reply. */
    public String say(String request) throws IOException {
        return ask(request.split(" "));
    }

    /** The next reply. */
    public String reply() throws IOException {
        String line = line();
        String rest = line.substring(1);
        return switch (line.charAt(0)) {
            case '+', '-' -> rest;
            case ':' -> line;
            case '_' -> "nil";
            case '$' -> rest.equals("-1") ? "nil" : '"' + bytes(Integer.parseInt(rest)) + '"';
            case '=' -> '"' + bytes(Integer.parseInt(rest)).substring("txt:".length()) + '"';
            case '*' -> rest.equals("-1") ? "nil" : "[" + replies(Integer.parseInt(rest)) + "]";
            case '~' -> "~[" + replies(Integer.parseInt(rest)) + "]";
            case '%' -> "{" + replies(2 * Integer.parseInt(rest)) + "}";
            default -> throw new IOException("no reply begins like <" + line + ">");
        };
    }

    private String replies(int count) throws IOException {
        List<String> replies = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            replies.add(reply());
        }
        return String.join(" ", replies);
    }

    /** The next line, without its end. */
    public String line() throws IOException {
        return input.line();
    }

    private String bytes(int count) throws IOException {
        byte[] bytes = input.readNBytes(count);
        String end = new String(input.readNBytes(2), ISO_8859_1);
        if (bytes.length < count || !end.equals("\r\n")) {
            throw new EOFException(
                    "a string of " + count + " bytes ends after " + bytes.length + " with <" + end + ">");
        }
        return new String(bytes, ISO_8859_1);
    }

    /** All that comes until the server closes the connection. */
    public String rest() throws IOException {
        return new String(input.readAllBytes(), ISO_8859_1);
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
