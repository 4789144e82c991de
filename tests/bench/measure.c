/* measure.c: run a command, or many copies of it at once, and write what each cost.
 *
 *   measure RESULT COPIES COMMAND [ARGUMENT...]
 *
 * RESULT gets one line for each copy, in the order of their ends:
 *
 *   wall_ns user_us system_us peak_kib status
 *
 * Wall time runs from before the first copy was started. STATUS is the exit code, or 128 + the
 * signal. User, system and peak are of the copy and of every process that it waited for (wait4).
 *
 * Why not from Python: forking a process of that size costs more than what is measured here, and
 * Linux hands the parent's peak memory on to a child through exec. This parent is about 1 MiB. */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { COPIES_MAX = 1000, NS_PER_S = 1000000000, US_PER_S = 1000000 };

extern char **environ;

struct cost {
    long long wall_ns;
    struct rusage usage;
    int status;
};

static struct cost costs[COPIES_MAX];

static long long now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail: the clock is always there */
    return (long long)now.tv_sec * NS_PER_S + now.tv_nsec;
}

static long long microseconds(struct timeval time)
{
    return (long long)time.tv_sec * US_PER_S + time.tv_usec;
}

static int run(char **command, long copies)
{
    long long begin = now_ns();

    for (long i = 0; i < copies; i++) {
        pid_t pid;
        int rc = posix_spawnp(&pid, command[0], NULL, NULL, command, environ);
        if (rc != 0) {
            fprintf(stderr, "measure: start '%s': %s\n", command[0], strerror(rc));
            return -1;
        }
    }
    for (long i = 0; i < copies; i++) {
        while (wait4(-1, &costs[i].status, 0, &costs[i].usage) < 0) {
            if (errno != EINTR) {
                fprintf(stderr, "measure: wait for '%s': %s\n", command[0], strerror(errno));
                return -1;
            }
        }
        costs[i].wall_ns = now_ns() - begin;
    }
    return 0;
}

static int write_result(const char *path, long copies)
{
    FILE *file = fopen(path, "we");

    for (long i = 0; file != NULL && i < copies; i++) {
        const struct cost *cost = &costs[i];
        int status = cost->status;
        fprintf(file, "%lld %lld %lld %ld %d\n", cost->wall_ns, microseconds(cost->usage.ru_utime),
                microseconds(cost->usage.ru_stime), cost->usage.ru_maxrss,
                WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    }
    if (file == NULL || ferror(file) || fclose(file) != 0) {
        fprintf(stderr, "measure: write '%s': %s\n", path, strerror(errno));
        return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    long copies = argc > 3 ? strtol(argv[2], NULL, 10) : 0;

    if (copies < 1 || copies > COPIES_MAX) {
        fprintf(stderr, "usage: measure RESULT COPIES COMMAND [ARGUMENT...]  (1 to %d copies)\n",
                COPIES_MAX);
        return 2;
    }
    return run(argv + 3, copies) == 0 && write_result(argv[1], copies) == 0 ? 0 : 1;
}
