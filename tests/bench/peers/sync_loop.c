/* sync_loop PROCESSES FILES SIZE FIRST STAGING TARGET
 *
 * The least that a durable delivery can be: each process makes FILES files of SIZE bytes, by O_TMPFILE in STAGING,
 * write, fdatasync, linkat to TARGET/bench-PROCESS.SERIAL.data, and fsync of TARGET. Serials start with FIRST.
 * Prints the seconds from before the first start to the last end. */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void make_file(int staging, int target, const char *content, size_t size, const char *name) {
    char path[64];
    int fd = openat(staging, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0660);
    if (fd < 0 || write(fd, content, size) != (ssize_t)size || fdatasync(fd) != 0)
        err(1, "%s", name);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, path, target, name, AT_SYMLINK_FOLLOW) != 0 || fsync(target) != 0)
        err(1, "%s", name);
    close(fd);
}

static void make_files(int process, char **argv) {
    const int files = atoi(argv[2]);
    const size_t size = strtoul(argv[3], NULL, 10);
    const long first = atol(argv[4]);
    const int staging = open(argv[5], O_RDONLY | O_DIRECTORY);
    const int target = open(argv[6], O_RDONLY | O_DIRECTORY);
    char *content = malloc(size);
    char name[64];
    if (staging < 0 || target < 0 || content == NULL)
        err(1, "%s", argv[5]);
    memset(content, 'x', size);
    for (int i = 0; i < files; i++) {
        snprintf(name, sizeof name, "bench-%d.%ld.data", process, first + i);
        make_file(staging, target, content, size, name);
    }
}

static double now(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    int status, failed = 0;
    if (argc != 7)
        errx(64, "usage: sync_loop PROCESSES FILES SIZE FIRST STAGING TARGET");
    const double begun = now();
    const int processes = atoi(argv[1]);
    for (int i = 0; i < processes; i++) {
        const pid_t pid = fork();
        if (pid < 0)
            err(1, "fork");
        if (pid == 0) {
            make_files(i, argv);
            _exit(0);
        }
    }
    while (wait(&status) > 0)
        failed |= status;
    printf("%.6f\n", now() - begun);
    return failed != 0;
}
