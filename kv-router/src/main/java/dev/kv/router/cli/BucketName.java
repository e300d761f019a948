package dev.kv.router.cli;

import dev.kv.router.Bytes;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** The bucket that a command is about. */
final class BucketName {
    @Spec(Spec.Target.MIXEE)
    private CommandSpec command;

    @Parameters(paramLabel = "BUCKET", description = "Its name; %%HH stands for any byte.")
    private String text = "";

    /**
     * The name.
     *
     * @throws ParameterException if it is not written as it has to be
     */
    Bytes bytes() {
        try {
            return Bytes.ofPrintable(text);
        } catch (IllegalArgumentException e) {
            throw new ParameterException(command.commandLine(), e.getMessage(), e);
        }
    }

    /** The name as {@link Bytes#ofPrintable} reads it. */
    String printable() {
        return bytes().printable(Integer.MAX_VALUE);
    }
}
