/* base/proc.h: start a command and wait for it: argv arrays, explicit environment, no shell. */
#ifndef BASE_PROC_H
#define BASE_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Another user, for root alone: a server that refuses to run as root. It gets no supplementary groups. */
struct proc_user {
    uid_t user;
    gid_t group;
};

struct proc_request {
    const char *const *argv; /* NULL-terminated; argv[0] through PATH unless it has a slash */
    const char *const *environment; /* NULL-terminated "NAME=value": all that it gets */
    const char *folder;             /* working directory, or NULL: ours */
    const char *input;              /* written to its stdin, or NULL: /dev/null */
    size_t input_length;
    struct buf *output; /* stdout; its max is the ceiling: more is an error. NULL: to stderr */
    struct buf *error_output;   /* the last bytes of stderr, kept for reports, or NULL */
    bool show_stderr;           /* log its stderr line by line (sanitised, redacted) as it comes */
    int64_t deadline_ms;        /* its process group is killed then */
    const char *what;           /* for messages: "create.emit" */
    const struct proc_user *as; /* whom it runs as; NULL: as we do */
};

struct proc_result {
    int exit_code; /* 0..255, or 128 + signal */
    int signal;    /* 0, or what ended it */
    bool timed_out;
};

/* Run it to its end. 0 whatever the command said (see *result); -1 only when it could not be
 * started (the text names argv[0] and the reason; sys_errno is ENOENT or EACCES), ran out of time
 * (*result says so too), put out too much, or a signal came (base/stop.h: ERR_STOPPED). *output is set on 0 alone, *error_output always. It
 * runs in a process group of its own, with descriptors 0, 1, 2 alone, and dies with us; whatever is
 * left of the group when the leader has ended or time has run out is killed. (A process that made
 * itself a session of its own is not in the group, and lives on.) KIND is the kind of error. */
MUST_USE int proc_run(const struct proc_request *request, enum err_kind kind,
                      struct proc_result *result, struct err *err);

/* The file that NAME means with the PATH of ENVIRONMENT (proc_request's), for execve: NAME itself
 * when it has a slash, which is then looked for from FOLDER (NULL: here). Only absolute folders of
 * PATH are looked into. sys_errno of the error: ENOENT, EACCES, or another. The caller frees.
 * (proc_run refuses a file that others may write besides; this does not.) */
MUST_USE int proc_find(const char *name, const char *const *environment, const char *folder,
                       enum err_kind kind, char **out, struct err *err);

/* A program that goes on beside us: a server. */
struct proc_child {
    pid_t pid; /* 0: none */
    int pidfd; /* -1: the kernel has none */
};
#define PROC_CHILD_INIT ((struct proc_child){.pidfd = -1})

/* Start it as proc_run does: process group of its own, dies with us. Of the request argv,
 * environment, folder, what and as are used; stdin is /dev/null, what it writes goes to the
 * descriptors OUTPUT and ERRORS. */
MUST_USE int proc_spawn(const struct proc_request *request, int output, int errors,
                        enum err_kind kind, struct proc_child *out, struct err *err);
bool proc_has_ended(const struct proc_child *child);
/* Wait for its end: 0; -1 when the deadline passes first, or a signal comes (base/stop.h). */
MUST_USE int proc_wait(const struct proc_child *child, int64_t deadline_ms);
/* Send it SIGNAL (0: none), wait for its end until the deadline, then SIGKILL what is left of its
 * group, and forget it. *result may be NULL. Nothing to do where there is no child. */
void proc_stop(struct proc_child *child, int signal, int64_t deadline_ms,
               struct proc_result *result);

/* "exited with 3", "was killed by SIGKILL", "ran out of time" for messages. */
void proc_describe(const struct proc_result *result, struct buf *out);

/* Process start: fds 0-2 open, umask 077, not dumpable, core limit 0, SIGPIPE ignored, SIGCHLD not,
 * the variables that steer libraries (SSLKEYLOGFILE, OPENSSL_CONF, ...) set aside. Call first in
 * main. Refuses argc < 1 and AT_SECURE. */
MUST_USE int proc_harden(int argc, struct err *err);

/* Whether proc_harden found standard output shut: what is written there is lost, and no write fails. */
bool proc_output_was_shut(void);

/* Before an execve: umask, core limit, dispositions and the signal mask as they were at the start.
 * Without proc_harden it does nothing. Safe between vfork and execve. (Being dumpable comes back by
 * the execve itself; the environment is the caller's to put together.) */
void proc_restore_for_child(void);

/* Mark every descriptor from FIRST up close-on-exec: ours are so from birth, those of libraries and
 * those that we were handed may not be. Safe between vfork and execve. */
void proc_close_at_exec(int first);

/* "NAME=value" entries that proc_harden took out of the environment, NULL-terminated. */
const char *const *proc_withheld_environment(void);

#endif
