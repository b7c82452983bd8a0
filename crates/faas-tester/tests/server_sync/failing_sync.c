/* Loaded before the C library: as long as the file $FAILING_SYNC_SWITCH is there, nothing below the
 * directory $FAILING_SYNC_BELOW can be carried to its disk. What is written stays written, as in the
 * kernel, so that a reader after a kill finds what was never synced. */

#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fails(int descriptor) {
    const char *below = getenv("FAILING_SYNC_BELOW");
    const char *file = getenv("FAILING_SYNC_SWITCH");
    char name[64], path[PATH_MAX];
    int before = errno;
    ssize_t length = 0;
    if (!below || !file || syscall(SYS_faccessat, -100, file, F_OK) != 0) {
        errno = before;
        return 0;
    }
    snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
    length = readlink(name, path, sizeof path - 1);
    errno = before;
    if (length < 0) {
        return 0;
    }
    path[length] = 0;
    return strncmp(path, below, strlen(below)) == 0;
}

static int failed(void) {
    errno = EIO;
    return -1;
}

int fsync(int descriptor) {
    return fails(descriptor) ? failed() : (int)syscall(SYS_fsync, descriptor);
}

int fdatasync(int descriptor) {
    return fails(descriptor) ? failed() : (int)syscall(SYS_fdatasync, descriptor);
}

int sync_file_range(int descriptor, off64_t offset, off64_t length, unsigned int flags) {
    return fails(descriptor) ? failed() : (int)syscall(SYS_sync_file_range, descriptor, offset, length, flags);
}
