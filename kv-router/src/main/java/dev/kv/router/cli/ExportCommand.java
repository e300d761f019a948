package dev.kv.router.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

@Command(
        name = "export",
        description = {
            "Writes a bucket, or a value, of the running node to standard output.",
            "The stream holds the bucket as of one moment, while writes to it continue. It",
            "has an end mark, so that import refuses a truncated stream. Ends with 0 if the",
            "stream is complete, else with 1."
        },
        footer = {"", "Example:", "  bin/kv export shopping > shopping.kv"})
final class ExportCommand implements Callable<Integer> {
    @Mixin
    private Options options = new Options();

    @Mixin
    private BucketName bucket = new BucketName();

    @Override
    public Integer call() {
        try (OutputStream output = new FileOutputStream(FileDescriptor.out)) {
            KeptData.of(options).node().ask("export " + bucket.printable(), InputStream.nullInputStream(), output);
        } catch (UncheckedIOException | IOException e) {
            throw new CommandFailed("standard output cannot be written: " + e.getMessage(), e);
        }
        return 0;
    }
}
