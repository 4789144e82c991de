/* base/internal.h: what proc.c and proc_start.c share, and file.c and file_read.c. */
#ifndef BASE_INTERNAL_H
#define BASE_INTERNAL_H

#include <sys/stat.h>
#include <sys/types.h>

#include "base/proc.h"

struct proc_plan {
    const char *file; /* for execve, relative to the folder */
    const char *const *argv, *const *environment;
    const char *folder;         /* or NULL */
    int fds[3];                 /* what becomes descriptors 0, 1, 2 */
    const struct proc_user *as; /* or NULL */
};

/* Start it: on 0 the program runs, as the leader of its own process group. Errors: KIND, with the
 * step that failed and sys_errno. */
MUST_USE int proc_start(const struct proc_plan *plan, enum err_kind kind, pid_t *pid,
                        struct err *err);

/* "<tried> '<name>': <errno>", with the file's name in its field where it is the file's fault. */
int file_fail(struct err *err, const char *tried, const char *name);
const char *file_kind(mode_t mode); /* "a pipe" */

#endif
