/* proc_start.c: find a program and start it.
 *
 * The child is made by vfork: it shares our memory until its execve. That is needed, not only fast:
 * the environment and the arguments may lie in the slab of secrets, which a forked child finds
 * wiped. Until then the child may only make system calls. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/internal.h"
#include "base/mem.h"
#include "base/str.h"

#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

enum {
    START_ATTEMPTS = 5, /* while the machine has no process left to give */
    START_BACKOFF_MS = 10,
    START_CAP_MS = 200,
    FIRST_OTHER_FD = 3,
    FDS_SCANNED_MAX = 65536, /* where close_range is missing */
    EXIT_NOT_STARTED = 127,
};

/* ---- finding it -------------------------------------------------------------------------- */

static const char *value_of(const char *const *environment, const char *name)
{
    size_t length = strlen(name);

    for (; environment && *environment; environment++)
        if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
            return *environment + length + 1;
    return NULL;
}

/* 0 when PATH can be executed, else why not. */
static int why_not(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return errno;
    if (!S_ISREG(st.st_mode))
        return EACCES;
    return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

static int refuse(struct err *err, enum err_kind kind, const char *name, int reason)
{
    errno = reason;
    return err_errno(err, kind, "run '%s'", name);
}

static int find_in_path(const char *name, const char *path, enum err_kind kind, char **out,
                        struct err *err)
{
    int reason = ENOENT;

    while (*path) {
        size_t length = strcspn(path, ":");
        AUTO_FREE char *folder = mem_dup_n(path, length);
        AUTO_FREE char *together = folder ? file_join(folder, name) : NULL;
        if (!together)
            return err_nomem(err);
        path += path[length] ? length + 1 : length;
        if (folder[0] != '/') /* an empty or relative one means another file in each folder */
            continue;
        int not_this = why_not(together);
        if (not_this == 0) {
            *out = TAKE_POINTER(together);
            return 0;
        }
        if (not_this != ENOENT && not_this != ENOTDIR)
            reason = not_this; /* as shells do: "denied" says more than "not found" */
    }
    return refuse(err, kind, name, reason);
}

static int find_from_folder(const char *name, const char *folder, enum err_kind kind, char **out,
                            struct err *err)
{
    AUTO_FREE char *seen_from_here = file_join(folder ? folder : "", name);
    AUTO_FREE char *copy = mem_dup(name);
    if (!seen_from_here || !copy)
        return err_nomem(err);
    int reason = why_not(seen_from_here);
    if (reason != 0)
        return refuse(err, kind, name, reason);
    *out = TAKE_POINTER(copy);
    return 0;
}

int proc_find(const char *name, const char *const *environment, const char *folder,
              enum err_kind kind, char **out, struct err *err)
{
    if (!name || !*name) {
        (void)err_set(err, kind, "run '': a command needs a name");
        err->sys_errno = ENOENT;
        return -1;
    }
    if (strchr(name, '/'))
        return find_from_folder(name, folder, kind, out, err);
    const char *path = value_of(environment, "PATH");
    AUTO_FREE char *found = NULL;
    if (find_in_path(name, path ? path : DEFAULT_PATH, kind, &found, err) != 0)
        return err_hint(err, "Looked for it in PATH: %s", path ? path : DEFAULT_PATH " (not set)");
    *out = TAKE_POINTER(found);
    return 0;
}

/* ---- the child's side -------------------------------------------------------------------- */

enum step { STEP_USER, STEP_FOLDER, STEP_FDS, STEP_EXEC };

struct failure {
    enum step step;
    int reason;
};

NORETURN static void give_up(int report, enum step step)
{
    struct failure failure = {step, errno};

    /* A pipe takes so few bytes at once; if not, the parent sees a child that ended with 127. */
    (void)!write(report, &failure, sizeof(failure));
    _exit(EXIT_NOT_STARTED);
}

/* execve resets handlers too, but a signal that arrives before would run ours in shared memory. */
static void drop_handlers(void)
{
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) != 0)
            continue; /* the two that libc keeps for itself */
        if (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN)
            continue;
        action = (struct sigaction){.sa_handler = SIG_DFL};
        (void)sigaction(number, &action, NULL);
    }
}

/* Sources first out of the way of the targets. */
static int place_fds(const int wanted[static 3], int *report)
{
    int fds[3] = {wanted[0], wanted[1], wanted[2]};

    if (*report < FIRST_OTHER_FD)
        *report = fcntl(*report, F_DUPFD_CLOEXEC, FIRST_OTHER_FD);
    if (*report < 0)
        return -1;
    for (int i = 0; i < 3; i++) {
        if (fds[i] < FIRST_OTHER_FD && fds[i] != i)
            fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, FIRST_OTHER_FD);
        if (fds[i] < 0)
            return -1;
    }
    for (int i = 0; i < 3; i++) {
        int done = fds[i] == i ? fcntl(i, F_SETFD, 0) : dup2(fds[i], i);
        if (done < 0)
            return -1;
    }
    return 0;
}

void proc_close_at_exec(int first)
{
    struct rlimit limit = {.rlim_cur = FDS_SCANNED_MAX};

    if (close_range((unsigned)first, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
        return;
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    int end = limit.rlim_cur < FDS_SCANNED_MAX ? (int)limit.rlim_cur : FDS_SCANNED_MAX;
    for (int fd = first; fd < end; fd++)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC); /* EBADF: nothing open there */
}

/* The system calls themselves: libc's wrappers change all threads of a process, and this is not the
 * child's memory alone. */
static int become_user(const struct proc_user *as)
{
    if (syscall(SYS_setgroups, 0, NULL) != 0 ||
        syscall(SYS_setresgid, as->group, as->group, as->group) != 0)
        return -1;
    return (int)syscall(SYS_setresuid, as->user, as->user, as->user);
}

NORETURN static void become(const struct proc_plan *plan, const sigset_t *mask, int report,
                            pid_t parent)
{
    drop_handlers();
    (void)setpgid(0, 0); /* cannot fail: a new child is no session leader */
    if (plan->as && become_user(plan->as) != 0)
        give_up(report, STEP_USER);
    /* behind the change of user, which would forget it */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died before the line above */
        _exit(EXIT_NOT_STARTED);
    if (plan->folder && chdir(plan->folder) != 0)
        give_up(report, STEP_FOLDER);
    if (place_fds(plan->fds, &report) != 0)
        give_up(report, STEP_FDS);
    proc_close_at_exec(FIRST_OTHER_FD);
    (void)sigprocmask(SIG_SETMASK, mask, NULL);
    proc_restore_for_child();
    /* execve's prototype lacks the const that it keeps to (POSIX, execve, rationale). */
    execve(plan->file, (char *const *)(uintptr_t)plan->argv,
           (char *const *)(uintptr_t)plan->environment);
    give_up(report, STEP_EXEC);
}

/* ---- the parent's side ------------------------------------------------------------------- */

/* Nothing but this between vfork and become(): the child runs on this frame. */
static pid_t split(const struct proc_plan *plan, const sigset_t *mask, int report)
{
    pid_t parent = getpid();
    pid_t pid = vfork();

    if (pid == 0)
        become(plan, mask, report, parent);
    return pid;
}

static int split_with_retries(const struct proc_plan *plan, int report, enum err_kind kind,
                              pid_t *pid, struct err *err)
{
    struct backoff pause = {.base_ms = START_BACKOFF_MS, .cap_ms = START_CAP_MS};
    sigset_t all, before;

    (void)sigfillset(&all);
    for (int attempt = 1;; attempt++) {
        (void)sigprocmask(SIG_SETMASK, &all, &before);
        pid_t started = split(plan, &before, report);
        int reason = errno;
        (void)sigprocmask(SIG_SETMASK, &before, NULL);
        if (started > 0) {
            *pid = started;
            return 0;
        }
        if (attempt == START_ATTEMPTS || (reason != EAGAIN && reason != ENOMEM)) {
            errno = reason;
            return err_errno(err, kind, "run '%s': start a process", plan->argv[0]);
        }
        (void)backoff_wait(&pause, 0, CLOCK_NEVER);
    }
}

static int report_failure(const struct proc_plan *plan, const struct failure *failure,
                          enum err_kind kind, struct err *err)
{
    errno = failure->reason;
    switch (failure->step) {
    case STEP_USER:
        return err_errno(err, kind, "run '%s': become user %u", plan->argv[0],
                         (unsigned)plan->as->user);
    case STEP_FOLDER:
        return err_errno(err, kind, "run '%s': go to folder '%s'", plan->argv[0], plan->folder);
    case STEP_FDS:
        return err_errno(err, kind, "run '%s': give it its descriptors", plan->argv[0]);
    case STEP_EXEC:
        break;
    }
    (void)err_errno(err, kind, "run '%s'", plan->argv[0]);
    if (failure->reason == ENOENT) /* the file was found before */
        return err_hint(err,
                        "'%s' is there, so it is its interpreter (the '#!' line, or the "
                        "loader) that is missing.",
                        plan->file);
    if (failure->reason == ENOEXEC)
        return err_hint(err, "'%s' is no program for this machine, or a script without '#!'.",
                        plan->file);
    if (failure->reason == E2BIG)
        return err_hint(err, "Its arguments and its environment are together too long.");
    return -1;
}

/* Whoever can write the file decides what we run. */
static int check_writers(const struct proc_plan *plan, enum err_kind kind, struct err *err)
{
    const char *name = plan->argv[0];
    AUTO_FREE char *path = file_join(plan->folder ? plan->folder : "", plan->file);
    struct stat st;

    if (!path)
        return err_nomem(err);
    if (stat(path, &st) != 0)
        return refuse(err, kind, name, errno);
    if (!file_others_may_write(-1, path, &st))
        return 0;
    (void)err_set(err, kind, "run '%s': '%s' can be written by others (mode %04o)", name, path,
                  st.st_mode & 07777U);
    err->sys_errno = EACCES;
    return err_hint(err, "Run 'chmod go-w %s'.", path);
}

int proc_start(const struct proc_plan *plan, enum err_kind kind, pid_t *pid, struct err *err)
{
    int ends[2];

    if (check_writers(plan, kind, err) != 0)
        return -1;
    /* Closed by a successful execve; else it brings the step and errno. */
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_errno(err, ERR_RESOURCE, "run '%s': make a pipe", plan->argv[0]);
    AUTO_FD from_child = ends[0], report = ends[1];
    pid_t started = 0;
    if (split_with_retries(plan, report, kind, &started, err) != 0)
        return -1;
    (void)close(TAKE_FD(report));
    struct failure failure = {STEP_EXEC, 0};
    ssize_t n;
    while ((n = read(from_child, &failure, sizeof(failure))) < 0 && errno == EINTR)
        ;
    if (n != (ssize_t)sizeof(failure)) {
        *pid = started;
        return 0;
    }
    while (waitpid(started, NULL, 0) < 0 && errno == EINTR)
        ;
    return report_failure(plan, &failure, kind, err);
}
