/* agent/supervise_program.c: the application's process: start it, signal it, and find what it left
 * behind.
 *
 * The child is made by vfork: it shares our memory until its execve, which is needed, since the
 * environment lies in the slab of secrets that a forked child finds wiped. Until then it makes system
 * calls only, and what went wrong it leaves in our memory: no pipe, so no descriptor that could be
 * missing when a restart has to start it. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/start.h"
#include "agent/supervise_parts.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

enum {
    START_ATTEMPTS = 5, /* while the machine has no process left to give */
    START_BACKOFF_MS = 10,
    START_CAP_MS = 100,
    EXIT_NOT_STARTED = 127,
    FIRST_OTHER_FD = 3,
    LIST_BYTES = 4096, /* of numbers, at a time */
    PID_ONE = 1,
    PID_DIGITS = 3 * sizeof(pid_t),
};

#define LISTEN_PID "LISTEN_PID="
enum { LISTEN_BYTES = sizeof LISTEN_PID + PID_DIGITS };

/* ---- the child's side ------------------------------------------------------------------------- */

struct birth {
    const char *file;
    char *const *argv;
    const char *const *environment;
    const int *fds;
    int first_closed;
    char *listen_pid; /* where its number has to stand in the environment; NULL: nowhere */
    pid_t parent;
    bool gets_terminal;
    volatile int reason; /* errno of what failed in the child; 0: its program runs */
};

/* Sources first out of the way of the targets. */
static int place_fds(const int wanted[static 3])
{
    int fds[3];

    for (int i = 0; i < 3; i++) {
        fds[i] = wanted[i] < 0 ? i : wanted[i];
        if (fds[i] < FIRST_OTHER_FD && fds[i] != i)
            fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, FIRST_OTHER_FD);
        if (fds[i] < 0)
            return -1;
    }
    for (int i = 0; i < 3; i++)
        if (fds[i] != i && dup2(fds[i], i) < 0)
            return -1;
    return 0;
}

/* An application without its supervisor would hold credentials that nobody renews, beside the next
 * one: it dies with us. The kernel forgets that at the execve of a set-user-ID program. PID 1 needs
 * none of it: its end is the end of all. */
static bool is_ours_to_the_end(const struct birth *birth)
{
    if (birth->parent == PID_ONE)
        return true;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    return getppid() == birth->parent; /* else it died before the line above */
}

/* systemd's variable names the process that the descriptors are for, which is the child. */
static void say_own_number(char *out)
{
    char digits[PID_DIGITS];
    size_t count = 0;

    for (pid_t rest = getpid(); rest > 0; rest /= 10)
        digits[count++] = (char)('0' + rest % 10);
    while (count > 0)
        *out++ = digits[--count];
    *out = '\0';
}

NORETURN static void become(const struct supervisor *s, struct birth *birth)
{
    (void)setpgid(0, 0); /* can't fail: a new child is no session leader */
    if (birth->gets_terminal)
        (void)tcsetpgrp(s->terminal,
                        getpid()); /* TTOU is blocked; without it, it is in background */
    if (is_ours_to_the_end(birth) && place_fds(birth->fds) == 0) {
        proc_close_at_exec(birth->first_closed);
        if (birth->listen_pid)
            say_own_number(birth->listen_pid);
        /* Signals that came for us stay with us: a child begins with none pending. */
        proc_restore_for_child();
        (void)sigprocmask(SIG_SETMASK, &s->before, NULL);
        /* POSIX: execve takes char *const[] and changes none of it. */
        (void)execve(birth->file, birth->argv, (char *const *)(uintptr_t)birth->environment);
    }
    birth->reason = errno;
    _exit(EXIT_NOT_STARTED);
}

/* Nothing but this between vfork and become(): the child runs on this frame. */
static pid_t split(const struct supervisor *s, struct birth *birth)
{
    pid_t pid = vfork(); /* NOLINT(clang-analyzer-security.insecureAPI.vfork): see the top */

    if (pid == 0)
        become(s, birth); /* NOLINT(clang-analyzer-unix.Vfork): it makes system calls only */
    return pid;
}

/* ---- the parent's side ------------------------------------------------------------------------ */

static pid_t split_with_retries(const struct supervisor *s, struct birth *birth)
{
    struct backoff pause = {.base_ms = START_BACKOFF_MS, .cap_ms = START_CAP_MS};

    for (int attempt = 1;; attempt++) {
        pid_t pid = split(s, birth);
        int reason = errno;
        if (pid > 0)
            return pid;
        if (attempt < START_ATTEMPTS && (reason == EAGAIN || reason == ENOMEM))
            (void)backoff_wait(&pause, 0, CLOCK_NEVER);
        else
            return errno = reason, -1;
    }
}

/* Where there are descriptors to hand on: a copy of the environment with an ENTRY for its number. */
static int hand_on_sockets(struct birth *birth, char entry[static LISTEN_BYTES], const char ***copy,
                           struct err *err)
{
    size_t count = 0;

    if (birth->first_closed == FIRST_OTHER_FD)
        return 0;
    while (birth->environment[count])
        count++;
    const char **list = mem_new(count + 1, sizeof *list);
    if (!list)
        return err_nomem(err);
    for (size_t i = 0; i < count; i++)
        list[i] = str_starts(birth->environment[i], LISTEN_PID) ? entry : birth->environment[i];
    birth->listen_pid = entry + strlen(LISTEN_PID);
    birth->environment = *copy = list;
    return 0;
}

int supervise_program_start(struct supervisor *s, int *exit_code, struct err *err)
{
    AUTO_FREE char *file = NULL;
    AUTO_FREE const char **copy = NULL;
    char entry[LISTEN_BYTES] = LISTEN_PID;
    struct birth birth = {
        .argv = s->settings->argv,
        .environment = s->environment,
        .fds = s->settings->fds,
        .first_closed = start_first_closed(s->environment),
        .parent = s->own,
        .gets_terminal = supervise_terminal_is_ours(s),
    };

    *exit_code = EXIT_RUN_FAILED;
    if (hand_on_sockets(&birth, entry, &copy, err) != 0 ||
        start_find(birth.argv[0], birth.environment, &file, exit_code, err) != 0)
        return -1;
    birth.file = file;
    pid_t pid = split_with_retries(s, &birth);
    if (pid < 0) {
        *exit_code = EXIT_RUN_FAILED;
        return err_errno(err, ERR_RESOURCE, "start a process for '%s'", file);
    }
    if (birth.reason != 0) {
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
        supervise_terminal_take(s, pid);
        return start_refused(file, birth.reason, exit_code, err);
    }
    s->pid = s->group = pid;
    return 0;
}

bool supervise_program_signal(const struct supervisor *s, int number)
{
    if (s->pid == 0)
        return false;
    /* It leads its group, unless it went over into another one. */
    if (kill(-s->pid, number) != 0 && errno == ESRCH)
        (void)kill(s->pid, number); /* EPERM: it is another user's by now */
    return true;
}

/* ---- what it left behind ---------------------------------------------------------------------- */

struct supervise_other *supervise_program_other(struct supervisor *s, pid_t pid)
{
    for (size_t i = 0; i < ARRAY_LEN(s->others); i++)
        if (s->others[i].pid == pid)
            return &s->others[i];
    return NULL;
}

static bool is_others(const struct supervisor *s, pid_t pid)
{
    for (size_t i = 0; i < ARRAY_LEN(s->others); i++)
        if (s->others[i].pid == pid)
            return true;
    return false;
}

/* Call VISIT for each number in /proc's list of our children: "12 34 56 ". It may be long, and is
 * read in pieces. False: there is no such list. */
static bool each_child(const struct supervisor *s,
                       void (*visit)(const struct supervisor *s, pid_t pid, void *context),
                       void *context)
{
    char bytes[LIST_BYTES];
    ssize_t length;
    pid_t pid = 0;

    if (s->children < 0 || lseek(s->children, 0, SEEK_SET) != 0)
        return false;
    while ((length = read(s->children, bytes, sizeof bytes)) > 0) {
        for (ssize_t i = 0; i < length; i++) {
            if (bytes[i] >= '0' && bytes[i] <= '9') {
                pid = pid * 10 + (bytes[i] - '0');
            } else if (pid > 0) {
                visit(s, pid, context);
                pid = 0;
            }
        }
    }
    return length == 0;
}

struct sweep {
    int number;
    bool in_group_too;
    int count;
};

/* It is our child, and only we reap: its number can't be another's meanwhile. */
static void sweep_one(const struct supervisor *s, pid_t pid, void *context)
{
    struct sweep *sweep = context;

    if (pid == s->pid || is_others(s, pid))
        return;
    sweep->count++;
    if (sweep->number != 0 && (sweep->in_group_too || getpgid(pid) != s->group))
        (void)kill(pid, sweep->number); /* EPERM: it is another user's; it is counted */
}

int supervise_program_sweep(const struct supervisor *s, int number, bool in_group_too)
{
    struct sweep sweep = {.number = number, .in_group_too = in_group_too};

    if (each_child(s, sweep_one, &sweep))
        return sweep.count;
    if (s->own == PID_ONE && number == SIGKILL)
        (void)kill(-1, SIGKILL); /* where /proc is not mounted: all there is but us */
    return -1;
}

/* ---- at the start ----------------------------------------------------------------------------- */

static void keep_one(const struct supervisor *s, pid_t pid, void *context)
{
    struct supervisor *own = context;
    struct supervise_other *place = supervise_program_other(own, 0);

    (void)s;
    if (place)
        place->pid = pid; /* with no place left it counts as the application's */
}

void supervise_program_init(struct supervisor *s)
{
    char path[sizeof "/proc/self/task//children" + 3 * sizeof s->own];

    (void)snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)s->own);
    s->children = open(path, O_RDONLY | O_CLOEXEC);
    /* What a script started before it became agent is not the application's. */
    (void)each_child(s, keep_one, s);
}
