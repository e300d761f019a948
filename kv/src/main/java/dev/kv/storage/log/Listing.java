package dev.kv.storage.log;

import dev.kv.storage.format.Folder;
import dev.kv.storage.format.SegmentList;
import java.io.IOException;
import java.util.Optional;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes the {@link SegmentList} of a data folder. Any thread. Its monitor is held while a list is made and written, so that an older
 * one does not replace a newer one.
 */
final class Listing {
    private static final Logger LOG = LoggerFactory.getLogger(Listing.class);

    private final Folder folder;
    private final Reserves reserves;
    private final Supplier<SegmentList> sealed;

    /** The list on the disk; null if that is not known. */
    private SegmentList onDisk;

    /** Whether segments were sealed since a list was written; for the thread that syncs. */
    private boolean hasNewSealed;

    /** Whether the failure to write it was logged; for the thread that syncs. */
    private boolean isFailureLogged;

    /**
     * @param sealed lists the segments that are sealed and on the disk now
     */
    Listing(Folder folder, Reserves reserves, Supplier<SegmentList> sealed) {
        this.folder = folder;
        this.reserves = reserves;
        this.sealed = sealed;
    }

    /** Segments were sealed. By the thread that syncs. */
    void sealedMore() {
        hasNewSealed = true;
    }

    /**
     * Writes the list if {@link #sealedMore} was called since. A failure is logged and tried again the next time: the header of each
     * segment behind the list says which one was written before it. By the thread that syncs.
     */
    void writeNew() {
        if (!hasNewSealed) {
            return;
        }
        try {
            write();
            hasNewSealed = false;
            isFailureLogged = false;
        } catch (IOException e) {
            if (!isFailureLogged) {
                LOG.warn("the list of segments could not be written, and is tried again: {}", e.getMessage());
            }
            isFailureLogged = true;
        }
    }

    /**
     * Writes the list unless it is the one on the disk.
     *
     * @throws IOException if that failed: the one on the disk stays
     */
    private synchronized void write() throws IOException {
        SegmentList list = sealed.get();
        if (!list.equals(onDisk)) {
            write(list);
        }
    }

    private void write(SegmentList list) throws IOException {
        onDisk = null;
        list.write(folder.path());
        onDisk = list;
    }

    /**
     * Writes the list when the log is opened.
     *
     * @param before the one on the disk
     */
    synchronized void writeFirst(Optional<SegmentList> before) throws IOException {
        onDisk = before.orElse(null);
        writeInAnyCase();
    }

    /** Writes the list; on a full disk, in the space of a reserve. */
    synchronized void writeInAnyCase() throws IOException {
        inAnyCase(this::write);
    }

    /** Writes another list than that of the sealed segments; on a full disk, in the space of a reserve. */
    synchronized void replaceInAnyCase(SegmentList list) throws IOException {
        inAnyCase(() -> write(list));
    }

    private void inAnyCase(Reserves.Writing writing) throws IOException {
        Reserves.writeInAnyCase(folder.path(), writing);
        try {
            reserves.keepList();
        } catch (IOException e) {
            LOG.debug("no room for the reserve of the list of segments", e);
        }
    }
}
