/* killat: run a command and kill it (SIGKILL) where it enters its Nth system call.
 *
 *   killat N REPORT COMMAND [ARG...]
 *
 * N 0: to its end. The calls of its threads are counted with its own, those of the programs that it starts are
 * not. REPORT gets one line: "CALLS FIRST": how many there were, and which one was the first connect (0:
 * none). The command ends as it ended: its code, or 128 and the signal. The call at which it dies has no
 * effect, all before it have theirs, so that N and N + 1 are the two sides of one call. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CANNOT = 125, MAX_THREADS = 64, SIGNAL_BASE = 128 };

static struct {
    pid_t main;
    unsigned long at, calls, first_connect;
    struct {
        pid_t id;
        int inside; /* of a call: the next stop is its end */
    } threads[MAX_THREADS];
} traced;

static _Noreturn void give_up(const char *what)
{
    (void)fprintf(stderr, "killat: %s: %s\n", what, strerror(errno));
    if (traced.main > 0)
        (void)kill(traced.main, SIGKILL);
    exit(CANNOT);
}

static int *inside_of(pid_t thread)
{
    for (int i = 0; i < MAX_THREADS; i++) {
        if (traced.threads[i].id == 0)
            traced.threads[i].id = thread;
        if (traced.threads[i].id == thread)
            return &traced.threads[i].inside;
    }
    errno = E2BIG;
    give_up("threads");
}

static void forget(pid_t thread)
{
    for (int i = 0; i < MAX_THREADS; i++)
        if (traced.threads[i].id == thread) {
            traced.threads[i].id = 0;
            traced.threads[i].inside = 0;
        }
}

/* THREAD stands at the beginning or at the end of a call. */
static void at_call(pid_t thread)
{
    int *inside = inside_of(thread);
    struct __ptrace_syscall_info info;

    *inside = !*inside;
    if (!*inside)
        return;
    traced.calls++;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof(info), &info) > 0 &&
        info.op == PTRACE_SYSCALL_INFO_ENTRY && info.entry.nr == SYS_connect &&
        traced.first_connect == 0)
        traced.first_connect = traced.calls;
    if (traced.calls == traced.at)
        (void)kill(traced.main, SIGKILL);
}

/* One stop of THREAD; the signal that it goes on with. */
static int at_stop(pid_t thread, int status)
{
    int signal_number = WSTOPSIG(status), event = status >> 16;

    if (signal_number == (SIGTRAP | 0x80)) {
        at_call(thread);
        return 0;
    }
    /* A new thread's first stop, and the tracer's own events, are none of the command's signals. */
    if (event != 0 || (signal_number == SIGSTOP && thread != traced.main))
        return 0;
    return signal_number;
}

static int follow(void)
{
    for (;;) {
        int status = 0;
        pid_t thread = waitpid(-1, &status, __WALL);
        if (thread < 0 && errno == EINTR)
            continue;
        if (thread < 0)
            give_up("wait");
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            forget(thread);
            if (thread == traced.main)
                return WIFEXITED(status) ? WEXITSTATUS(status) : SIGNAL_BASE + WTERMSIG(status);
            continue;
        }
        if (ptrace(PTRACE_SYSCALL, thread, NULL, (void *)(long)at_stop(thread, status)) != 0 &&
            errno != ESRCH) /* killed meanwhile */
            give_up("go on");
    }
}

static void start(char **argv)
{
    traced.main = fork();
    if (traced.main < 0)
        give_up("fork");
    if (traced.main == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0 || raise(SIGSTOP) != 0)
            _exit(CANNOT);
        execvp(argv[0], argv);
        (void)fprintf(stderr, "killat: %s: %s\n", argv[0], strerror(errno));
        _exit(CANNOT);
    }
    int status = 0;
    if (waitpid(traced.main, &status, 0) != traced.main || !WIFSTOPPED(status))
        give_up("start");
    long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |
                   PTRACE_O_EXITKILL;
    if (ptrace(PTRACE_SETOPTIONS, traced.main, NULL, (void *)options) != 0 ||
        ptrace(PTRACE_SYSCALL, traced.main, NULL, NULL) != 0)
        give_up("trace");
}

int main(int argc, char **argv)
{
    char *end = NULL;

    if (argc < 4) {
        (void)fputs("usage: killat N REPORT COMMAND [ARG...]\n", stderr);
        return CANNOT;
    }
    traced.at = strtoul(argv[1], &end, 10);
    if (!*argv[1] || *end) {
        (void)fputs("killat: N is no number\n", stderr);
        return CANNOT;
    }
    start(argv + 3);
    int code = follow();
    FILE *report = fopen(argv[2], "we");
    if (!report || fprintf(report, "%lu %lu\n", traced.calls, traced.first_connect) < 0 ||
        fclose(report) != 0)
        give_up(argv[2]);
    return code;
}
