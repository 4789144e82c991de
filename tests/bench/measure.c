/* measure.c: run one command and print what it cost, as
 *
 *   wall_ns user_us system_us peak_kib status
 *
 * on one line of file descriptor 3. STATUS is the exit code, or 128 + the signal. User, system and
 * peak are of the command and of every process that it waited for (wait4).
 *
 * Why not from Python: forking a process of that size costs more than what is measured here, and
 * Linux hands the parent's peak memory on to a child through exec. This parent is about 1 MiB. */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RESULT_FD = 3, NS_PER_S = 1000000000 };

extern char **environ;

static long long now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail: the clock is always there */
    return (long long)now.tv_sec * NS_PER_S + now.tv_nsec;
}

static long long microseconds(struct timeval time)
{
    return (long long)time.tv_sec * 1000000 + time.tv_usec;
}

/* The command must not inherit the descriptor of the result. */
static int start(char **argv, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    int rc = posix_spawn_file_actions_init(&actions);

    if (rc != 0)
        return rc;
    rc = posix_spawn_file_actions_addclose(&actions, RESULT_FD);
    if (rc == 0)
        rc = posix_spawnp(pid, argv[0], &actions, NULL, argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions); /* frees memory, nothing to be told */
    return rc;
}

int main(int argc, char **argv)
{
    struct rusage usage;
    pid_t pid;
    int status;

    if (argc < 2) {
        fprintf(stderr, "usage: measure COMMAND [ARGUMENT...] 3>RESULT\n");
        return 2;
    }
    long long begin = now_ns();
    int rc = start(argv + 1, &pid);
    if (rc != 0) {
        fprintf(stderr, "measure: start '%s': %s\n", argv[1], strerror(rc));
        return 1;
    }
    while (wait4(pid, &status, 0, &usage) < 0) {
        if (errno != EINTR) {
            fprintf(stderr, "measure: wait for '%s': %s\n", argv[1], strerror(errno));
            return 1;
        }
    }
    long long end = now_ns();
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (dprintf(RESULT_FD, "%lld %lld %lld %ld %d\n", end - begin, microseconds(usage.ru_utime),
                microseconds(usage.ru_stime), usage.ru_maxrss, code) < 0) {
        fprintf(stderr, "measure: write the result: %s\n", strerror(errno));
        return 1;
    }
    return 0;
}
