// Loaded before a program's own libraries: gives it a clock that is set wrong, and a disk that fails. What it does now stands
// in a file of two numbers, which the test changes while the program runs: the seconds that the clock is ahead, and how the
// disk is. Only regular files are on that disk; sockets, pipes and the log are not.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { WELL, FULL, READ_ONLY, HANGING };

static volatile int64_t *state(void) {
    static volatile int64_t well[2];
    static volatile int64_t *volatile known;
    if (known) return known;
    const char *path = getenv("WEIR_TEST_TROUBLE");
    int file = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY) : -1;
    void *shared = file < 0 ? MAP_FAILED : mmap(NULL, sizeof well, PROT_READ, MAP_SHARED, file, 0);
    return known = shared == MAP_FAILED ? well : shared;
}

// The error that writing to a file fails with; 0 if it may be written.
static int refused(int file) {
    int64_t disk = state()[1];
    struct stat about;
    if (disk == WELL || fstat(file, &about) != 0 || !S_ISREG(about.st_mode)) return 0;
    while (disk == HANGING) {
        usleep(2000);
        disk = state()[1];
    }
    return disk == FULL ? ENOSPC : disk == READ_ONLY ? EROFS : 0;
}

static int failed(int error) {
    errno = error;
    return -1;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = (int)syscall(SYS_clock_gettime, clock, time);
    if (result == 0 && clock == CLOCK_REALTIME) time->tv_sec += state()[0];
    return result;
}

ssize_t write(int file, const void *bytes, size_t length) {
    int error = refused(file);
    return error ? failed(error) : syscall(SYS_write, file, bytes, length);
}

ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t at) {
    int error = refused(file);
    return error ? failed(error) : syscall(SYS_pwrite64, file, bytes, length, at);
}

int ftruncate64(int file, off64_t length) {
    int error = refused(file);
    return error ? failed(error) : (int)syscall(SYS_ftruncate, file, length);
}

// What was written before a disk was full can still be made sure of.
int fsync(int file) {
    refused(file);
    return (int)syscall(SYS_fsync, file);
}

int fdatasync(int file) {
    refused(file);
    return (int)syscall(SYS_fdatasync, file);
}

static int opened(const char *path, int flags, mode_t mode) {
    int writes = flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC);
    if (writes && state()[1] == READ_ONLY && strncmp(path, "/dev/", 5) != 0) return failed(EROFS);
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

// Which of both a program calls depends on how it was built.
#define OPEN(name)                                    \
    int name(const char *path, int flags, ...) {      \
        va_list rest;                                 \
        va_start(rest, flags);                        \
        mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0; \
        va_end(rest);                                 \
        return opened(path, flags, mode);             \
    }
OPEN(open)
OPEN(open64)
