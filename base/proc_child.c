/* proc_child.c: a program that goes on beside us; see base/proc.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/internal.h"
#include "base/stop.h"

enum {
    LOOK_AGAIN_MS = 20, /* where the kernel has no pidfd (before 5.3) */
    SIGNAL_BASE = 128,
};

int proc_spawn(const struct proc_request *request, int output, int errors, enum err_kind kind,
               struct proc_child *out, struct err *err)
{
    AUTO_FREE char *file = NULL;
    struct proc_child child = PROC_CHILD_INIT;

    if (proc_find(request->argv[0], request->environment, request->folder, kind, &file, err) != 0)
        return err_wrap(err, "%s", request->what);
    AUTO_FD input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (input < 0)
        return err_errno(err, ERR_RESOURCE, "open '/dev/null'");
    struct proc_plan plan = {
        .file = file,
        .argv = request->argv,
        .environment = request->environment,
        .folder = request->folder,
        .fds = {input, output, errors},
        .as = request->as,
    };
    if (proc_start(&plan, kind, &child.pid, err) != 0)
        return err_wrap(err, "%s", request->what);
    child.pidfd = (int)syscall(SYS_pidfd_open, child.pid, 0);
    *out = child;
    return 0;
}

bool proc_has_ended(const struct proc_child *child)
{
    siginfo_t info = {0};

    if (child->pid <= 0)
        return true;
    return waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
           info.si_pid == child->pid;
}

int proc_wait(const struct proc_child *child, int64_t deadline_ms)
{
    while (!proc_has_ended(child)) {
        int64_t left = clock_left_ms(deadline_ms);
        struct pollfd fds[] = {{.fd = child->pidfd, .events = POLLIN},
                               {.fd = stop_fd(), .events = POLLIN}};
        if (left == 0 || stop_requested())
            return -1;
        if (child->pidfd < 0)
            left = clock_earlier(left, LOOK_AGAIN_MS);
        /* EINTR and failures end in another look */
        (void)poll(fds, ARRAY_LEN(fds), left > INT_MAX ? INT_MAX : (int)left);
    }
    return 0;
}

void proc_stop(struct proc_child *child, int signal, int64_t deadline_ms,
               struct proc_result *result)
{
    siginfo_t info = {0};

    if (child->pid <= 0)
        return;
    if (signal)
        (void)kill(child->pid, signal); /* not reaped yet: the number is still its own */
    bool late = proc_wait(child, deadline_ms) != 0;
    (void)kill(-child->pid, SIGKILL); /* ESRCH and EPERM: nothing is left that is ours to kill */
    while (waitid(P_PID, (id_t)child->pid, &info, WEXITED) != 0 && errno == EINTR)
        ;
    if (child->pidfd >= 0)
        (void)close(child->pidfd);
    *child = PROC_CHILD_INIT;
    if (!result)
        return;
    *result = (struct proc_result){
        .exit_code = info.si_code == CLD_EXITED ? info.si_status : SIGNAL_BASE + info.si_status,
        .signal = info.si_code == CLD_EXITED ? 0 : info.si_status,
        .timed_out = late,
    };
}
