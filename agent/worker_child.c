/* agent/worker_child.c: see agent/worker_child.h. */
#include "agent/worker_child.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/log.h"
#include "base/redact.h"

/* Where memory runs out it is the one to go, not the parent nor the application. */
static void be_the_first_to_go(void)
{
    static const char most[] = "1000";
    AUTO_FD fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd >= 0)
        (void)!write(fd, most, sizeof most - 1); /* without it the kernel chooses */
}

/* TERM, INT and HUP end it. Whatever else a terminal or somebody sends to all of our group is the parent's to
 * answer, who waits for us: ^Z would stop us for as long as nobody continues us, and others would end us before
 * what we made is undone. */
static void take_signals(void)
{
    sigset_t others;

    (void)sigfillset(&others);
    (void)sigdelset(&others, SIGTERM);
    (void)sigdelset(&others, SIGINT);
    (void)sigdelset(&others, SIGHUP);
    (void)sigprocmask(SIG_SETMASK, &others, NULL);
}

/* What else the parent has open is not ours: a pipe of the application's output that we kept would not end when
 * the application has. Without close_range (before 5.9) it ends with us. */
static void keep_two(int one, int other)
{
    unsigned low = (unsigned)(one < other ? one : other);
    unsigned high = (unsigned)(one < other ? other : one);

    if (low > STDERR_FILENO + 1)
        (void)close_range(STDERR_FILENO + 1, low - 1, 0);
    if (high > low + 1)
        (void)close_range(low + 1, high - 1, 0);
    (void)close_range(high + 1, ~0U, 0);
}

void worker_settle_in(int input, int output, pid_t parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXIT_FAILURE); /* it died before the line above */
    take_signals();
    log_hurry(false);
    be_the_first_to_go();
    keep_two(input, output);
    redact_inherit_nothing();
}
