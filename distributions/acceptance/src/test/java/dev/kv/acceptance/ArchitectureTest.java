package dev.kv.acceptance;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static java.util.stream.Collectors.groupingBy;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The dependencies between modules and packages that docs/architecture.md allows. */
class ArchitectureTest {
    private static final JavaClasses KV = new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .withImportOption(location -> !location.contains("-tests.jar"))
            .importPackages("dev.kv");

    @Test
    void allModulesAreChecked() {
        assertThat(KV.contain("dev.kv.router.dispatch.Router")).isTrue();
        assertThat(KV.contain("dev.kv.storage.LogStorage")).isTrue();
        assertThat(KV.contain("dev.kv.server.ClientDoor")).isTrue();
        assertThat(KV.contain("dev.kv.router.testing.Firewall")).isFalse();
    }

    @Test
    void theRouterImportsNeitherStorageNorServer() {
        noClasses()
                .that()
                .resideInAPackage("dev.kv.router..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("dev.kv.storage..", "dev.kv.server..")
                .check(KV);
    }

    @Test
    void storageAndServerNeverImportEachOther() {
        noClasses()
                .that()
                .resideInAPackage("dev.kv.storage..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("dev.kv.server..")
                .check(KV);
        noClasses()
                .that()
                .resideInAPackage("dev.kv.server..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("dev.kv.storage..")
                .check(KV);
    }

    @Test
    void theVocabularyDependsOnNothingButJava() {
        classes()
                .that()
                .resideInAPackage("dev.kv.router")
                .should()
                .onlyDependOnClassesThat(resideInAnyPackage("dev.kv.router", "java.."))
                .check(KV);
    }

    @Test
    void whatAReleasePlugsInKnowsNothingOfTheNodeThatRunsIt() {
        noClasses()
                .that()
                .resideInAnyPackage("dev.kv.router.spi..", "dev.kv.storage..", "dev.kv.server..", "dev.kv.logging..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("dev.kv.router.node..", "dev.kv.router.cli..", "dev.kv.router.admin..")
                .check(KV);
    }

    @Test
    void theEngineKnowsNothingOfTheNetwork() {
        noClasses()
                .that()
                .resideInAPackage("dev.kv.storage..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("dev.kv.router.net..", "dev.kv.router.peer..")
                .check(KV);
    }

    @Test
    void nothingDependsOnTheWiringButTheCommandLine() {
        noClasses()
                .that()
                .resideOutsideOfPackages("dev.kv.router.node..", "dev.kv.router.cli..", "dev.kv.benchmarks..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("dev.kv.router.node..", "dev.kv.router.cli..")
                .check(KV);
    }

    @Test
    void eachThirdPartyLibraryIsUsedByOnePackage() {
        only("dev.kv.router.net", "org.apache.mina..");
        only("dev.kv.router.cli", "picocli..");
        only("dev.kv.router.zookeeper", "org.apache.curator..");
        only("dev.kv.router.zookeeper", "org.apache.zookeeper..");
        only("dev.kv.logging", "ch.qos.logback..");
    }

    private static void only(String room, String thirdParty) {
        noClasses()
                .that()
                .resideOutsideOfPackage(room)
                .should()
                .dependOnClassesThat()
                .resideInAPackage(thirdParty)
                .check(KV);
    }

    @Test
    void packagesHaveNoCycles() {
        slices().matching("dev.kv.(**)").should().beFreeOfCycles().check(KV);
    }

    /** The other packages that each package of the router may use; all use the vocabulary. */
    @Test
    void thePackagesOfTheRouterDependOnEachOtherOneWay() {
        String router = "dev.kv.router.";
        uses(router, "config");
        uses(router, "metrics");
        uses(router, "net");
        uses(router, "table");
        uses(router, "placement", "table");
        uses(router, "dispatch", "spi", "placement", "table");
        uses(router, "spi", "config", "metrics", "net", "table");
        uses(router, "peer", "net", "dispatch", "table");
        uses(router, "zookeeper", "config", "metrics", "net", "placement", "table");
        uses(router, "admin", "config", "metrics", "net", "dispatch", "spi", "table");
    }

    /** The other packages that each package of the storage may use; dev.kv.storage itself puts them together. */
    @Test
    void thePackagesOfTheStorageDependOnEachOtherOneWay() {
        String storage = "dev.kv.storage.";
        uses(storage, "format");
        uses(storage, "index");
        uses(storage, "log", "format");
        uses(storage, "engine", "index", "log", "format");
        uses(storage, "maintenance", "engine", "index", "log", "format");
        uses(storage, "tools", "engine", "index", "log", "format");
    }

    /** The other packages that each package of the client door may use. The two protocols do not depend on each other. */
    @Test
    void thePackagesOfTheClientDoorDependOnEachOtherOneWay() {
        String door = "dev.kv.server.";
        uses(door, "auth");
        uses(door, "reply");
        uses(door, "line", "reply");
        uses(door, "resp", "reply", "auth");
    }

    private static void uses(String parent, String room, String... others) {
        String[] allowed = Stream.concat(Stream.of(room), Stream.of(others))
                .map(name -> parent + name + "..")
                .toArray(String[]::new);
        noClasses()
                .that()
                .resideInAPackage(parent + room + "..")
                .should()
                .dependOnClassesThat(resideInAPackage(parent + "*..").and(not(resideInAnyPackage(allowed))))
                .check(KV);
    }

    /** Main classes and test classes of all modules. */
    @Test
    void noTwoClassesHaveTheSameName() throws IOException {
        Path root = Path.of(System.getProperty("kv.root"));
        PathMatcher sources = root.getFileSystem().getPathMatcher("glob:**/src/{main,test}/java/**.java");
        try (Stream<Path> files = Files.walk(root)) {
            Map<String, List<Path>> byName = files.filter(sources::matches)
                    .filter(file -> !file.endsWith("package-info.java"))
                    .collect(groupingBy(file -> file.getFileName().toString()));
            assertThat(byName).containsKeys("Router.java", "ArchitectureTest.java");
            assertThat(byName.values()).allMatch(same -> same.size() == 1);
        }
    }
}
