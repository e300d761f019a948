package dev.kv.server.resp;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** The processor time that this process has used, as Linux tells it (proc(5)). */
record ProcessorTime(double userSeconds, double systemSeconds) {
    private static final Path STAT = Path.of("/proc/self/stat");

    /** Linux counts in hundredths of a second for programs, whatever its own clock ticks at. */
    private static final double TICKS_IN_SECOND = 100;

    /** The position of the user's time behind the name of the program, which is in brackets and may hold blanks. */
    private static final int USER_AT = 11;

    static ProcessorTime used() {
        try {
            String stat = Files.readString(STAT);
            List<String> fields =
                    List.of(stat.substring(stat.lastIndexOf(')') + 2).split(" "));
            return new ProcessorTime(seconds(fields.get(USER_AT)), seconds(fields.get(USER_AT + 1)));
        } catch (IOException e) {
            // Without /proc the time is unknown, and the rest of INFO is not.
            return new ProcessorTime(0, 0);
        }
    }

    private static double seconds(String ticks) {
        return Long.parseLong(ticks) / TICKS_IN_SECOND;
    }
}
