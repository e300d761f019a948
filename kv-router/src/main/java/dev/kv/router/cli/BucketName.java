package dev.kv.router.cli;

import dev.kv.router.Bytes;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** The argument that names a bucket. */
final class BucketName {
    @Spec(Spec.Target.MIXEE)
    private CommandSpec command;

    @Parameters(paramLabel = "BUCKET", description = "The name of the bucket; %%HH stands for any byte, %%25 for %%.")
    private String text = "";

    /**
     * The name.
     *
     * @throws ParameterException if it is malformed
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
