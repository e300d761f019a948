/*
 * A disk that fails, as a library to preload. While the folder $FAILING_DISK has a file "fsync" with the number of an error, fsync and
 * fdatasync fail with it; while it has a file "create", the creation of files below a folder "data" fails. While it has a file "hold",
 * fsync and fdatasync wait.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int failure(const char *call) {
    const char *folder = getenv("FAILING_DISK");
    char path[4096];
    char text[16] = {0};
    if (folder == NULL) {
        return 0;
    }
    snprintf(path, sizeof path, "%s/%s", folder, call);
    int file = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (file < 0) {
        return 0;
    }
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    return length > 0 ? atoi(text) : 0;
}

static int fails(const char *call) {
    int error = failure(call);
    if (error != 0) {
        errno = error;
    }
    return error;
}

static void wait_while_held(void) {
    while (failure("hold") != 0) {
        usleep(2000);
    }
}

int fsync(int file) {
    wait_while_held();
    return fails("fsync") ? -1 : (int)syscall(SYS_fsync, file);
}

int fdatasync(int file) {
    wait_while_held();
    return fails("fsync") ? -1 : (int)syscall(SYS_fdatasync, file);
}

static int opened(int folder, const char *path, int flags, mode_t mode) {
    if ((flags & O_CREAT) && strstr(path, "/data/") != NULL && fails("create")) {
        return -1;
    }
    return (int)syscall(SYS_openat, folder, path, flags, mode);
}

#define OPENS(name, parameters, folder)                                                                                        \
    int name parameters {                                                                                                      \
        va_list more;                                                                                                          \
        va_start(more, flags);                                                                                                 \
        mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(more, mode_t) : 0;                                              \
        va_end(more);                                                                                                          \
        return opened(folder, path, flags, mode);                                                                              \
    }

OPENS(open, (const char *path, int flags, ...), AT_FDCWD)
OPENS(open64, (const char *path, int flags, ...), AT_FDCWD)
OPENS(openat, (int folder, const char *path, int flags, ...), folder)
OPENS(openat64, (int folder, const char *path, int flags, ...), folder)
