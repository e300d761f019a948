package dev.kv.server.testing;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.EOFException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A conversation with a node's client door, which can be replayed. A transcript is a text file whose lines begin with
 *
 * <pre>
 * #          nothing: a comment, as is an empty line
 * &gt; text     the client sends the text, then CR LF
 * &gt;&gt; text    the client sends the text alone
 * &gt;.         the client ends its output (half-close)
 * &lt; text     the node answers with exactly the text, then CR LF
 * &lt;~ text    the node answers with a line that begins with the text
 * &lt;.         the node closes the connection
 * </pre>
 *
 * <p>Every byte of a text stands for itself, blanks at its end included, but for {@code \r \n \t \v \f \\}, {@code \xHH},
 * {@code \{N*c}} for N times the byte c, and {@code \i} for a word that is another one in each replay, so that one node can
 * hear the same transcript often.
 *
 * <p>What stands at the end of every transcript without saying so: the client ends its output, and the node sends nothing
 * more and closes the connection.
 */
public final class Transcript {
    private static final Pattern ESCAPE =
            Pattern.compile("\\\\(?:([rntvf\\\\])|x([0-9A-F]{2})|\\{([0-9]+)\\*(.)\\}|(i)|(.?))");
    private static final int PIECES_MAX = 4096;

    private final String name;
    private final List<Step> steps;

    private Transcript(String name, List<Step> steps) {
        this.name = name;
        this.steps = List.copyOf(steps);
    }

    private enum Kind {
        SEND_LINE("> "),
        SEND(">> "),
        END_OUTPUT(">."),
        LINE("< "),
        LINE_BEGINNING("<~ "),
        CLOSED("<.");

        private final String mark;

        Kind(String mark) {
            this.mark = mark;
        }
    }

    private record Step(int number, Kind kind, String text) {
        boolean isOfClient() {
            return kind == Kind.SEND_LINE || kind == Kind.SEND || kind == Kind.END_OUTPUT;
        }
    }

    /** How what the client sends is spread over writes. */
    public enum Pace {
        /** All that stands before the node's next answer at once. */
        TURNS,
        /** In pieces, single bytes where there are not very many, all of them before the first answer is read. */
        PIECES,
        /** All of it at once, before the first answer is read. */
        AT_ONCE
    }

    /** The transcripts that come with this class. */
    public static List<Transcript> all() throws IOException {
        try {
            URI folder = Transcript.class.getResource("/transcripts").toURI();
            if (!folder.getScheme().equals("jar")) {
                return all(Path.of(folder));
            }
            try (FileSystem jar = FileSystems.newFileSystem(folder, Map.of())) {
                return all(jar.getPath("/transcripts"));
            }
        } catch (URISyntaxException e) {
            throw new IOException(e);
        }
    }

    private static List<Transcript> all(Path folder) throws IOException {
        List<Transcript> transcripts = new ArrayList<>();
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.sorted().toList()) {
                transcripts.add(parse(file.getFileName().toString(), Files.readString(file, ISO_8859_1)));
            }
        }
        return transcripts;
    }

    /** The transcript of the text, in which each character stands for one byte. */
    public static Transcript parse(String name, String text) {
        List<Step> steps = new ArrayList<>();
        int number = 0;
        for (String line : text.split("\n", -1)) {
            number++;
            if (!line.isEmpty() && !line.startsWith("#")) {
                steps.add(step(name, number, line));
            }
        }
        return new Transcript(name, steps);
    }

    private static Step step(String name, int number, String line) {
        // An editor may have removed the blank before an empty text.
        String padded = line.equals(">") || line.equals("<") ? line + " " : line;
        for (Kind kind : Kind.values()) {
            if (padded.startsWith(kind.mark)) {
                return new Step(number, kind, padded.substring(kind.mark.length()));
            }
        }
        throw new IllegalArgumentException(name + ":" + number + ": not a line of a transcript: " + line);
    }

    private static String unescaped(String text, String replay) {
        return ESCAPE.matcher(text).replaceAll(escape -> Matcher.quoteReplacement(meaning(escape, replay)));
    }

    private static String meaning(java.util.regex.MatchResult escape, String replay) {
        if (escape.group(1) != null) {
            return switch (escape.group(1)) {
                case "r" -> "\r";
                case "n" -> "\n";
                case "t" -> "\t";
                case "v" -> "\u000B";
                case "f" -> "\f";
                default -> "\\";
            };
        }
        if (escape.group(2) != null) {
            return String.valueOf((char) Integer.parseInt(escape.group(2), 16));
        }
        if (escape.group(3) != null) {
            return escape.group(4).repeat(Integer.parseInt(escape.group(3)));
        }
        if (escape.group(5) != null) {
            return replay;
        }
        throw new IllegalArgumentException("not an escape of a transcript: " + escape.group());
    }

    /**
     * Holds the conversation.
     *
     * @throws AssertionError if the node does not answer as it should; names the line of the transcript
     */
    public void replay(InetSocketAddress address, Pace pace) throws IOException {
        String replay = Long.toHexString(ThreadLocalRandom.current().nextLong());
        try (LineClient client = LineClient.connect(address)) {
            if (pace == Pace.TURNS) {
                converse(client, replay);
            } else {
                send(client, steps.stream().filter(Step::isOfClient).toList(), replay, pace);
                for (Step step : steps) {
                    if (!step.isOfClient()) {
                        expect(client, step, replay);
                    }
                }
            }
            end(client);
        }
    }

    private void converse(LineClient client, String replay) throws IOException {
        List<Step> turn = new ArrayList<>();
        for (Step step : steps) {
            if (step.isOfClient()) {
                turn.add(step);
            } else {
                send(client, turn, replay, Pace.TURNS);
                turn.clear();
                expect(client, step, replay);
            }
        }
        send(client, turn, replay, Pace.TURNS);
    }

    private static void send(LineClient client, List<Step> steps, String replay, Pace pace) throws IOException {
        StringBuilder bytes = new StringBuilder();
        for (Step step : steps) {
            bytes.append(unescaped(step.text(), replay)).append(step.kind() == Kind.SEND_LINE ? "\r\n" : "");
        }
        int piece = pace == Pace.PIECES ? Math.ceilDiv(bytes.length(), PIECES_MAX) : bytes.length();
        try {
            for (int at = 0; at < bytes.length(); at += piece) {
                client.send(bytes.substring(at, Math.min(bytes.length(), at + piece)));
            }
            if (!steps.isEmpty() && steps.getLast().kind() == Kind.END_OUTPUT) {
                client.endOutput();
            }
        } catch (SocketException closedMeanwhile) {
            // Right or wrong, that shows in what was answered before.
        }
    }

    private void expect(LineClient client, Step step, String replay) throws IOException {
        String wanted = unescaped(step.text(), replay);
        try {
            if (step.kind() == Kind.CLOSED) {
                if (!client.isClosed()) {
                    throw failure(step, "an answer came where the connection should have been closed");
                }
                return;
            }
            String line = client.line();
            boolean right = step.kind() == Kind.LINE ? line.equals(wanted) : line.startsWith(wanted);
            if (!right) {
                throw failure(step, "expected <" + shown(wanted) + "> but got <" + shown(line) + ">");
            }
        } catch (EOFException | SocketException e) {
            throw failure(step, "expected <" + shown(wanted) + "> but " + e.getMessage());
        }
    }

    private void end(LineClient client) throws IOException {
        if (!steps.isEmpty() && steps.getLast().kind() == Kind.CLOSED) {
            return;
        }
        client.endOutput();
        String rest = client.rest();
        if (!rest.isEmpty()) {
            throw new AssertionError(name + ": more came than it should: <" + shown(rest) + ">");
        }
    }

    private AssertionError failure(Step step, String what) {
        return new AssertionError(name + ":" + step.number() + ": " + what);
    }

    private static String shown(String bytes) {
        StringBuilder shown = new StringBuilder();
        bytes.chars().limit(500).forEach(b -> {
            if (b >= ' ' && b < 0x7F) {
                shown.append((char) b);
            } else {
                shown.append(String.format("\\x%02X", b));
            }
        });
        return shown.append(bytes.length() > 500 ? "..." : "").toString();
    }

    @Override
    public String toString() {
        return name;
    }
}
