package dev.kv.router.cli;

import picocli.CommandLine.Option;

/** The option of every command, and of {@code kv} itself, that prints the help. */
final class HelpOption {
    @SuppressWarnings("UnusedVariable") // picocli reads it
    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "Prints this help.")
    private boolean help;
}
