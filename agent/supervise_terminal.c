/* agent/supervise_terminal.c: the terminal that controls us, as a shell's job control has it.
 *
 * The application has a process group of its own, so that signals reach all of it; a terminal sends
 * ^C and ^Z to its foreground group alone. So the application gets the foreground where it was ours,
 * and what its suspension means for the shell that waits for us, we do in its place. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/supervise_parts.h"
#include "base/str.h"

enum {
    PID_ONE = 1,
    PARENTS_MAX = 64, /* in one session and group: a script in a script in a script */
    STAT_BYTES = 512,
    BEFORE_PARENT = sizeof ") S " - 1,
};

void supervise_terminal_init(struct supervisor *s)
{
    s->terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (s->terminal >= 0 || errno == ENXIO) /* there is none */
        return;
    /* No such file in this root, or not for us: */
    for (int fd = STDIN_FILENO; s->terminal < 0 && fd <= STDERR_FILENO; fd++)
        if (tcgetpgrp(fd) >= 0) /* of a terminal that is another's: ENOTTY */
            s->terminal = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

bool supervise_terminal_is_ours(const struct supervisor *s)
{
    return s->terminal >= 0 && tcgetpgrp(s->terminal) == getpgrp();
}

void supervise_terminal_give(const struct supervisor *s)
{
    if (s->pid != 0 && supervise_terminal_is_ours(s))
        (void)tcsetpgrp(s->terminal, s->pid); /* EPERM: it is in another session by now */
}

void supervise_terminal_take(const struct supervisor *s, pid_t group)
{
    if (s->terminal >= 0 && tcgetpgrp(s->terminal) == group)
        (void)tcsetpgrp(s->terminal, getpgrp()); /* TTOU is blocked */
}

/* ---- ^Z --------------------------------------------------------------------------------------- */

/* The parent of PID by /proc; 0: not known. */
static pid_t parent_of(pid_t pid)
{
    char path[sizeof "/proc//stat" + 3 * sizeof pid], text[STAT_BYTES];
    int64_t parent = 0;

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (length <= 0)
        return 0;
    text[length] = '\0';
    /* "7 (a name) S 1 …": the name may have brackets and blanks itself */
    const char *number = strrchr(text, ')');
    if (!number || strlen(number) < BEFORE_PARENT)
        return 0;
    number += BEFORE_PARENT;
    if (str_to_int64(number, strcspn(number, " "), &parent) != 0 || parent > INT32_MAX)
        return 0;
    return (pid_t)parent;
}

/* Whether somebody is there who would continue us: a process of our session and of another group
 * above us, a shell with job control. The kernel asks the same of a group before ^Z stops it. */
static bool would_be_continued(void)
{
    pid_t session = getsid(0), group = getpgrp(), pid = getppid();

    for (int i = 0; i < PARENTS_MAX && pid > 0; i++) {
        if (getsid(pid) != session)
            return false;
        if (getpgid(pid) != group)
            return true;
        pid = parent_of(pid);
    }
    return false;
}

/* The application wants the terminal that we have: a shell gave it to us, and to one that is not stopped it
 * says no more of it. True: it has it now. */
static bool gets_what_is_ours(const struct supervisor *s)
{
    if (!supervise_terminal_is_ours(s))
        return false;
    supervise_terminal_give(s);
    return tcgetpgrp(s->terminal) == s->pid;
}

void supervise_terminal_suspend(struct supervisor *s, int number)
{
    bool by_terminal = s->terminal >= 0 && tcgetpgrp(s->terminal) == s->pid;
    bool wants_terminal = s->terminal >= 0 && (number == SIGTTIN || number == SIGTTOU);

    if (wants_terminal && gets_what_is_ours(s)) {
        (void)supervise_program_signal(s, SIGCONT);
        return;
    }
    if (!by_terminal && !s->sent_stop && !wants_terminal)
        return; /* somebody means the application alone */
    if (s->own == PID_ONE || !would_be_continued()) {
        /* What the kernel does with ^Z where nobody could take it back: nothing. */
        if (number == SIGTSTP)
            (void)supervise_program_signal(s, SIGCONT);
        return;
    }
    (void)kill(0, SIGTSTP); /* the others of a pipeline; blocked here, and not sent on */
    (void)kill(getpid(), SIGSTOP);
    /* Continued, in the foreground again (fg) or not (bg). The CONT that did it is taken away: sent on
     * later it would undo a ^Z that comes right behind it. */
    sigset_t cont;
    (void)sigemptyset(&cont);
    (void)sigaddset(&cont, SIGCONT);
    (void)sigtimedwait(&cont, NULL, &(struct timespec){0}); /* EAGAIN: somebody sent no CONT */
    s->sent_stop = false;
    supervise_terminal_give(s);
    (void)supervise_program_signal(s, SIGCONT);
}
