import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Element;
import org.w3c.dom.Node;

/**
 * Writes what the licences of the jars and of the Java runtime require: {@code OUT/NOTICE} names each jar, the works of others in
 * it, and the runtime, with their licences; {@code OUT/licenses} holds the texts and notices. The texts come from the jars, or from
 * {@code distributions/src/licenses} for jars without them. The names of the licences come from the poms beside the jars, or from
 * their parents. The exit status is 1 if the text for a jar or for a module of the runtime is missing.
 *
 * <p>Usage: {@code java Licenses.java ROOT VERSION RUNTIME OUT CLASSPATH}
 */
final class Licenses {
    private static final String APACHE = "Apache-2.0";

    /** SPDX identifiers, by a word that occurs in the name of the licence in a pom, in upper case. */
    private static final Map<String, String> IDS = new TreeMap<>(Map.of(
            "APACHE", APACHE,
            "BSD", "BSD-3-Clause",
            "MIT", "MIT",
            "EPL", "EPL-2.0",
            "LGPL", "LGPL-2.1-only"));

    /**
     * Works that jars of other projects contain, by the group of their pom in the jar. Their licence is that of the jar, so its text
     * is in the release.
     */
    private static final Map<String, String> CONTAINED =
            Map.of("com.google.guava", "Guava, " + APACHE, "org.jctools", "JCTools, " + APACHE);

    private static final Pattern POM = Pattern.compile("META-INF/maven/([^/]+)/[^/]+/pom\\.xml");

    private final Path root;
    private final Path out;
    private final Set<String> used = new TreeSet<>();

    private Licenses(Path root, Path out) {
        this.root = root;
        this.out = out;
    }

    public static void main(String[] arguments) throws Exception {
        Path out = Path.of(arguments[3]);
        try {
            new Licenses(Path.of(arguments[0]), out)
                    .gather(arguments[1], Path.of(arguments[2]), arguments[4].split(File.pathSeparator, -1));
        } catch (Missing e) {
            System.err.println(e.getMessage());
            System.exit(1);
        }
    }

    private static final class Missing extends RuntimeException {
        Missing(String line) {
            super(line);
        }
    }

    private void gather(String version, Path runtime, String[] classpath) throws Exception {
        delete(out.resolve("licenses"));
        StringBuilder notice = new StringBuilder("kv " + version + "\n\n"
                + "This release contains the works below, each under its own licence. The texts of the licences and the notices of\n"
                + "the authors are in the folders that stand behind them.\n\n");
        List<Path> jars = new ArrayList<>();
        for (String entry : classpath) {
            Path jar = Path.of(entry);
            if (entry.endsWith(".jar") && !jar.getFileName().toString().startsWith("kv-")) {
                jars.add(jar);
            }
        }
        jars.sort(Comparator.comparing(jar -> jar.getFileName().toString()));
        for (Path jar : jars) {
            notice.append(line(jar));
        }
        notice.append(runtime(runtime));
        for (Path folder : list(texts())) {
            String name = folder.getFileName().toString();
            if (Files.isDirectory(folder) && !used.contains(name)) {
                throw new Missing(folder + ": no jar of the release needs this folder: remove it");
            }
        }
        Files.writeString(out.resolve("NOTICE"), notice, UTF_8);
    }

    private Path texts() {
        return root.resolve("distributions/src/licenses");
    }

    /** Copies the texts of a jar, and returns its lines for NOTICE. */
    private String line(Path jar) throws Exception {
        String file = jar.getFileName().toString();
        String name = file.substring(0, file.length() - ".jar".length());
        Path folder = Files.createDirectories(out.resolve("licenses").resolve(name));
        Path pom = jar.resolveSibling(name + ".pom");
        if (!Files.exists(pom)) {
            throw new Missing(pom + " is missing: its licence is not known");
        }
        List<String> licenses = licenses(pom);
        copyOwn(jar, folder);
        for (Path more : list(texts())) {
            String of = more.getFileName().toString();
            if (Files.isDirectory(more) && (name.startsWith(of + "-"))) {
                used.add(of);
                for (Path text : list(more)) {
                    Files.copy(text, folder.resolve(text.getFileName()));
                }
            }
        }
        if (licenses.equals(List.of(APACHE)) && !Files.exists(folder.resolve("LICENSE")) && !Files.exists(folder.resolve("LICENSE.txt"))) {
            Files.copy(root.resolve("LICENSE"), folder.resolve("LICENSE"));
        }
        if (list(folder).stream().noneMatch(text -> text.getFileName().toString().startsWith("LICENSE"))) {
            throw new Missing(file + " (" + String.join(" or ", licenses) + ") has no licence text: put it into "
                    + texts().resolve(name.replaceFirst("-[0-9].*", "")));
        }
        StringBuilder line = new StringBuilder(name + ", " + String.join(" or ", licenses) + ": licenses/" + name + "\n");
        for (String work : contained(jar)) {
            line.append("  it contains ").append(work).append('\n');
        }
        return line.toString();
    }

    /** The works of others that a jar contains, with their licences. */
    private static Set<String> contained(Path jar) throws IOException {
        Set<String> works = new TreeSet<>();
        String own = jar.getParent().getParent().getParent().toString().replace(File.separatorChar, '.');
        try (JarFile content = new JarFile(jar.toFile())) {
            for (JarEntry entry : (Iterable<JarEntry>) content.stream()::iterator) {
                Matcher pom = POM.matcher(entry.getName());
                if (!pom.matches() || own.endsWith("." + pom.group(1))) {
                    continue;
                }
                String work = CONTAINED.get(pom.group(1));
                if (work == null) {
                    throw new Missing(jar + " contains " + pom.group(1) + ", whose licence is not known here");
                }
                works.add(work);
            }
        }
        return works;
    }

    private static void copyOwn(Path jar, Path folder) throws IOException {
        try (JarFile content = new JarFile(jar.toFile())) {
            for (JarEntry entry : (Iterable<JarEntry>) content.stream()::iterator) {
                if (entry.getName().matches("(META-INF/)?(LICENSE|NOTICE)[^/]*")) {
                    Path name = Path.of(entry.getName()).getFileName();
                    try (InputStream text = content.getInputStream(entry)) {
                        Files.copy(text, folder.resolve(name));
                    }
                }
            }
        }
    }

    /** The licences that a pom names, or else its parent. */
    private static List<String> licenses(Path pom) throws Exception {
        Element project = DocumentBuilderFactory.newInstance()
                .newDocumentBuilder()
                .parse(pom.toFile())
                .getDocumentElement();
        List<String> licenses = new ArrayList<>();
        for (Element list : children(project, "licenses")) {
            for (Element license : children(list, "license")) {
                licenses.add(id(text(license, "name"), pom));
            }
        }
        if (!licenses.isEmpty()) {
            return licenses;
        }
        List<Element> parents = children(project, "parent");
        if (parents.isEmpty()) {
            throw new Missing(pom + " names no licence, and no parent");
        }
        Element parent = parents.getFirst();
        String group = children(project, "groupId").isEmpty() ? text(parent, "groupId") : text(project, "groupId");
        Path repository = pom;
        for (int i = 0; i < group.split("\\.", -1).length + 3; i++) {
            repository = repository.getParent();
        }
        String artifact = text(parent, "artifactId");
        String version = text(parent, "version");
        return licenses(repository
                .resolve(text(parent, "groupId").replace('.', '/'))
                .resolve(artifact)
                .resolve(version)
                .resolve(artifact + "-" + version + ".pom"));
    }

    private static String id(String name, Path pom) {
        for (String word : name.toUpperCase(Locale.ROOT).split("[^A-Z]+", -1)) {
            if (IDS.containsKey(word)) {
                return IDS.get(word);
            }
        }
        throw new Missing(pom + " names the licence \"" + name + "\", which is not known here");
    }

    private static List<Element> children(Element element, String name) {
        List<Element> children = new ArrayList<>();
        for (Node node = element.getFirstChild(); node != null; node = node.getNextSibling()) {
            if (node instanceof Element child && child.getTagName().equals(name)) {
                children.add(child);
            }
        }
        return children;
    }

    private static String text(Element element, String name) {
        return children(element, name).getFirst().getTextContent().strip();
    }

    /** Copies the notice of the JDK, and returns the line of the runtime for NOTICE. The texts are in runtime/legal. */
    private String runtime(Path runtime) throws IOException {
        String modules = "";
        for (String line : Files.readAllLines(runtime.resolve("release"), UTF_8)) {
            if (line.startsWith("MODULES=")) {
                modules = line.replaceAll("^MODULES=|\"", "");
            }
        }
        for (String module : modules.split(" ", -1)) {
            if (!Files.exists(runtime.resolve("legal").resolve(module).resolve("LICENSE"))) {
                throw new Missing(runtime + "/legal/" + module + "/LICENSE is missing: build with a JDK that has it");
            }
        }
        Path notice = Path.of(System.getProperty("java.home"), "NOTICE");
        String more = "";
        if (Files.exists(notice)) {
            Files.copy(notice, Files.createDirectories(out.resolve("licenses/runtime")).resolve("NOTICE"));
            more = ", licenses/runtime";
        }
        return "The Java runtime in runtime/, " + System.getProperty("java.vendor") + " " + System.getProperty("java.version")
                + ", GPL-2.0-only WITH Classpath-exception-2.0: runtime/legal" + more + "\n";
    }

    private static List<Path> list(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.sorted().toList();
        }
    }

    private static void delete(Path folder) throws IOException {
        if (Files.exists(folder)) {
            try (Stream<Path> files = Files.walk(folder)) {
                for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(file);
                }
            }
        }
    }
}
