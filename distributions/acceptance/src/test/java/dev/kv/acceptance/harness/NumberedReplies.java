package dev.kv.acceptance.harness;

import java.util.List;

/** Changes of a name, told by the whole reply to one command about it. */
abstract class NumberedReplies extends NumberedChanges {
    private final String command;

    /** The reply after the last change. */
    protected String now;

    /**
     * @param command asks for what the name holds
     * @param nothing its reply if the name holds nothing
     */
    protected NumberedReplies(String name, String command, String nothing) {
        super(name, nothing);
        this.command = command;
        this.now = nothing;
    }

    /** A change by one request, and the reply after it. */
    protected final List<String> ends(String reply, String request) {
        now = reply;
        return List.of(request);
    }

    @Override
    protected final String[] question() {
        return new String[] {command, name};
    }

    @Override
    protected final String expected() {
        return now;
    }

    @Override
    protected final void goOnFrom(String reply) {
        now = reply;
    }
}
