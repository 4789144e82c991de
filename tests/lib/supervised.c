/* tests/lib/supervised.c: an application for tests of what supervises it. The first word is what it
 * does; a line "ready" on stdout says that it is set up. Compiled by tests/lib/supervised.py. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARK  SIGRTMAX       /* all that was sent before it has come */
#define LEAVE (SIGRTMAX - 1) /* ends `count` */

enum { LIST_BYTES = 4096, FDS_LOOKED_AT = 1024 };

static void say(const char *text)
{
    if (write(STDOUT_FILENO, text, strlen(text)) != (ssize_t)strlen(text))
        _exit(99);
}

static void wait_for_ever(void)
{
    for (;;)
        pause();
}

static void set_all(int how)
{
    sigset_t all;

    sigfillset(&all);
    sigprocmask(how, &all, NULL);
}

/* die NUMBER: by that signal, whatever was blocked or ignored. */
static int die(int number)
{
    struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
    signal(number, SIG_DFL);
    set_all(SIG_UNBLOCK);
    kill(getpid(), number);
    return 98; /* it does not end a process */
}

/* Whether our parent has children besides us (and what waits to be reaped). */
static bool parent_has_others(void)
{
    char path[64], text[LIST_BYTES];

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)getppid(), (int)getppid());
    int fd = open(path, O_RDONLY);
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    text[length > 0 ? length : 0] = '\0';
    char *rest = text;
    strtol(rest, &rest, 10);
    while (*rest == ' ')
        rest++;
    return *rest != '\0';
}

/* orphans N: that many processes whose parent ends before them; then until all are reaped. */
static int make_orphans(int count)
{
    for (int i = 0; i < count; i++) {
        pid_t pid = fork();
        if (pid < 0)
            return 97;
        if (pid == 0) {
            if (fork() == 0)
                _exit(i & 127);
            _exit(0);
        }
        waitpid(pid, NULL, 0);
    }
    while (parent_has_others())
        usleep(1000);
    return 0;
}

/* count: what came, as "12:1 34:3 \n" at each MARK. */
static int count_signals(void)
{
    unsigned counts[NSIG] = {0};
    sigset_t all;

    set_all(SIG_BLOCK);
    say("ready\n");
    sigfillset(&all);
    for (;;) {
        int number = sigwaitinfo(&all, NULL);
        if (number == LEAVE)
            return 0;
        if (number != MARK) {
            if (number > 0)
                counts[number]++;
            continue;
        }
        char line[NSIG * 16];
        size_t length = 0;
        for (int i = 1; i < NSIG; i++)
            if (counts[i] > 0)
                length += (size_t)snprintf(line + length, sizeof line - length, "%d:%u ", i,
                                           counts[i]);
        snprintf(line + length, sizeof line - length, "\n");
        say(line);
        memset(counts, 0, sizeof counts);
    }
}

/* daemons N [deaf]: so many processes in sessions of their own that keep stdout open. */
static int make_daemons(int count, bool deaf)
{
    for (int i = 0; i < count; i++) {
        if (fork() == 0) {
            setsid();
            if (fork() == 0) {
                if (deaf)
                    signal(SIGTERM, SIG_IGN);
                wait_for_ever();
            }
            _exit(0);
        }
        wait(NULL);
    }
    say("ready\n");
    wait_for_ever();
    return 0;
}

/* deaf: TERM does nothing. */
static int be_deaf(void)
{
    signal(SIGTERM, SIG_IGN);
    say("ready\n");
    wait_for_ever();
    return 0;
}

/* state: descriptors, mask, dispositions, group, as one line. */
static int show_state(void)
{
    sigset_t mask;
    char line[512];
    size_t length = 0;

    for (int fd = 0; fd < FDS_LOOKED_AT; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            length += (size_t)snprintf(line + length, sizeof line - length, "fd=%d ", fd);
    sigprocmask(SIG_SETMASK, NULL, &mask);
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if (sigismember(&mask, number) == 1)
            length += (size_t)snprintf(line + length, sizeof line - length, "blocked=%d ", number);
        if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
            length += (size_t)snprintf(line + length, sizeof line - length, "ignored=%d ", number);
    }
    int subreaper = 0;
    prctl(PR_GET_CHILD_SUBREAPER, &subreaper);
    length += (size_t)snprintf(line + length, sizeof line - length,
                               "leads=%d dumpable=%d subreaper=%d\n", getpgrp() == getpid(),
                               prctl(PR_GET_DUMPABLE), subreaper);
    if (getenv("LISTEN_PID"))
        printf("listens=%d ", atoi(getenv("LISTEN_PID")) == (int)getpid());
    fflush(stdout);
    say(line);
    return 0;
}

/* flood: stdout and stderr as fast as they go, until TERM. */
static int flood(void)
{
    static char bytes[1 << 16];

    say("ready\n");
    fcntl(STDERR_FILENO, F_SETFL, fcntl(STDERR_FILENO, F_GETFL)); /* as it is: blocking */
    memset(bytes, 'x', sizeof bytes);
    for (;;)
        if (write(STDERR_FILENO, bytes, sizeof bytes) < 0 && errno != EINTR)
            return 96;
}

static int close_everything(void)
{
    for (int fd = 0; fd < FDS_LOOKED_AT; fd++)
        close(fd);
    return 5;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    int number = argc > 2 ? atoi(argv[2]) : 0;

    if (strcmp(what, "exit") == 0)
        return number;
    if (strcmp(what, "die") == 0)
        return die(number);
    if (strcmp(what, "orphans") == 0)
        return make_orphans(number);
    if (strcmp(what, "count") == 0)
        return count_signals();
    if (strcmp(what, "daemons") == 0)
        return make_daemons(number, argc > 3);
    if (strcmp(what, "deaf") == 0)
        return be_deaf();
    if (strcmp(what, "state") == 0)
        return show_state();
    if (strcmp(what, "flood") == 0)
        return flood();
    if (strcmp(what, "closes") == 0)
        return close_everything();
    fprintf(stderr, "'%s' is nothing that it does\n", what);
    return 95;
}
