/* tests/lib/child.h: a test in a process of its own, because what it does can't be undone: signals that
 * stay blocked or were seen, descriptors that are shut, a process that is hardened. */
#ifndef TESTS_LIB_CHILD_H
#define TESTS_LIB_CHILD_H

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/unit.h"

/* In the child, where cmocka's asserts do not reach: say what is not as it should be, and end with 1. */
#define CHECK(condition)                                                          \
    do {                                                                          \
        if (!(condition)) {                                                       \
            (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            return 1;                                                             \
        }                                                                         \
    } while (0)

/* Run BODY in a forked child, whose exit status its result is; the wait status. */
static inline int child_status(int (*body)(void))
{
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(body());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* The same, as a shell has it: the exit status, or 128 and the signal. */
static inline int in_child(int (*body)(void))
{
    int status = child_status(body);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#endif
