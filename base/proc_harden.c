/* proc_harden.c: the state of the process at its start, and giving it back to what we start. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/proc.h"
#include "base/str.h"

enum { OUR_UMASK = 077 };

/* Each makes a library write keys to a file, load code, or ask somebody else for an address. */
static const char *const steering_names[] = {
    "SSLKEYLOGFILE", "OPENSSL_CONF", "OPENSSL_MODULES", "CURL_SSL_BACKEND",
    "HOSTALIASES",   "LOCALDOMAIN",  "RES_OPTIONS",
};

static const char *withheld[ARRAY_LEN(steering_names) + 1];

static struct {
    bool taken, output_shut;
    mode_t umask;
    struct rlimit core;
    struct sigaction pipe, child;
    sigset_t mask;
} start;

/* A descriptor that was shut at the start would be given to the first file that is opened, and what
 * is printed would go into that file. */
static int open_standard_fds(struct err *err)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        /* Not close-on-exec: these three are what a child is given. */
        int opened = open("/dev/null", O_RDWR); /* the lowest free one: this one */
        if (opened < 0)
            return err_errno(err, ERR_RESOURCE, "open '/dev/null' as descriptor %d, which is shut",
                             fd);
        start.output_shut |= fd == STDOUT_FILENO;
    }
    return 0;
}

bool proc_output_was_shut(void)
{
    return start.output_shut;
}

static int remember_start(struct err *err)
{
    if (getrlimit(RLIMIT_CORE, &start.core) != 0 || sigaction(SIGPIPE, NULL, &start.pipe) != 0 ||
        sigaction(SIGCHLD, NULL, &start.child) != 0 || sigprocmask(SIG_SETMASK, NULL, &start.mask))
        return err_errno(err, ERR_DEFECT, "read limits and signal dispositions");
    start.umask = umask(OUR_UMASK);
    start.taken = true;
    return 0;
}

static int set_limits_and_signals(struct err *err)
{
    /* Not the hard limit: it could not be given back. */
    struct rlimit no_core = {.rlim_cur = 0, .rlim_max = start.core.rlim_max};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction regular = {.sa_handler = SIG_DFL};

    if (setrlimit(RLIMIT_CORE, &no_core) != 0)
        return err_errno(err, ERR_RESOURCE, "switch core files off");
    if (prctl(PR_SET_DUMPABLE, 0) != 0)
        return err_errno(err, ERR_RESOURCE, "shut /proc/self to other processes");
    /* A reader that has gone is an EPIPE with a message, not a silent death. A SIGCHLD that was
     * ignored by who started us would make the status of our children disappear. */
    if (sigaction(SIGPIPE, &ignore, NULL) != 0 || sigaction(SIGCHLD, &regular, NULL) != 0)
        return err_errno(err, ERR_DEFECT, "set signal dispositions");
    return 0;
}

static bool is_named(const char *entry, const char *name)
{
    size_t length = strlen(name);

    return strncmp(entry, name, length) == 0 && entry[length] == '=';
}

/* The place for ENTRY among the withheld ones, or NULL when it is none of them. */
static const char **place_for(const char *entry)
{
    for (size_t i = 0; i < ARRAY_LEN(steering_names); i++) {
        if (!is_named(entry, steering_names[i]))
            continue;
        size_t at = 0;
        while (withheld[at] && !is_named(withheld[at], steering_names[i]))
            at++;
        return &withheld[at];
    }
    return NULL;
}

/* Compacts environ in place. Of a name that is there twice the first is kept, as getenv does. */
static void withhold_environment(void)
{
    char **kept = environ;

    if (!environ)
        return;
    for (char **entry = environ; *entry; entry++) {
        const char **place = place_for(*entry);
        if (!place)
            *kept++ = *entry;
        else if (!*place)
            *place = *entry;
    }
    *kept = NULL;
}

int proc_harden(int argc, struct err *err)
{
    if (argc < 1)
        return err_set(err, ERR_USAGE, "started without a name (argc is 0)");
    if (getauxval(AT_SECURE)) {
        (void)err_set(err, ERR_USAGE, "agent is set-user-ID, set-group-ID or has capabilities");
        return err_hint(err, "It must not: take the mode bit or the capabilities off the file.");
    }
    if (open_standard_fds(err) != 0 || remember_start(err) != 0)
        return -1;
    withhold_environment();
    return set_limits_and_signals(err);
}

void proc_restore_for_child(void)
{
    if (!start.taken)
        return;
    /* None of these can fail: they were in force before. The mask comes last, so that a signal that
     * waits meets the old disposition. */
    (void)umask(start.umask);
    (void)setrlimit(RLIMIT_CORE, &start.core);
    (void)sigaction(SIGPIPE, &start.pipe, NULL);
    (void)sigaction(SIGCHLD, &start.child, NULL);
    (void)sigprocmask(SIG_SETMASK, &start.mask, NULL);
}

const char *const *proc_withheld_environment(void)
{
    return withheld;
}
