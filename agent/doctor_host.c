/* doctor_host.c: this process and this machine, as far as `run` depends on them. */
#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "agent/doctor.h"
#include "base/file.h"
#include "base/str.h"
#include "bootstrap/db.h"
#include "migrations/sql.h"

enum {
    PROC_FILE_BYTES = 64 * 1024,
    KIB = 1024,
    MIB = 1024 * 1024,
    LITTLE_LOCK = 256 * 1024,         /* fewer bytes that may be locked soon do not suffice */
    LITTLE_MEMORY = 32 * 1024 * 1024, /* what agent has while it fetches, and some air */
    FEW_PROCESSES = 8,                /* the fetch has one of its own, hooks have others */
    FEW_FILES = 64,
};

/* ---- memory that stays here ------------------------------------------------------------------------- */

/* The number behind NAME in /proc/self/status, to BASE; -1: there is none. */
static int64_t status_number(const char *text, const char *name, int base)
{
    const char *line = strstr(text, name);
    char *end;

    if (!line)
        return -1;
    line += strlen(name);
    errno = 0;
    uint64_t number = strtoull(line, &end, base);
    return end == line || errno != 0 || number > INT64_MAX ? -1 : (int64_t)number;
}

static int read_text(const char *path, struct buf *out)
{
    struct err err = ERR_INIT; /* the caller says that it could not be found out */

    return file_read_all(path, out, &err);
}

/* RLIMIT_MEMLOCK is not for who has this. */
static bool may_lock_all(void)
{
    AUTO_BUF text = BUF_INIT(PROC_FILE_BYTES);

    if (read_text("/proc/self/status", &text) != 0)
        return false;
    int64_t effective = status_number(buf_text(&text), "\nCapEff:", 16);
    return effective >= 0 && (effective >> CAP_IPC_LOCK & 1) == 1;
}

static void look_at_lock(struct doctor *d)
{
    static const char probe[] = "locked?"; /* no secret: it has the slab's first page locked */
    static const char hint[] = "Raise it: LimitMEMLOCK= in a systemd unit, --ulimit memlock= of a "
                               "container, `ulimit -l`; or give agent CAP_IPC_LOCK.";
    AUTO_SECRET page = SECRET_INIT;
    struct rlimit limit;
    struct err err = ERR_INIT;

    if (secret_set(&page, probe, sizeof(probe) - 1, &err) != 0) {
        doctor_say_err(d, DOCTOR_ERROR, "memory lock", &err);
        return;
    }
    if (!secret_slab_is_locked()) {
        doctor_say(d, DOCTOR_WARNING, "memory lock", hint,
                   "secrets can't be locked in memory: the kernel may write them to swap");
        return;
    }
    if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
        may_lock_all()) {
        doctor_say(d, DOCTOR_OK, "memory lock", NULL, "secrets are locked in memory");
        return;
    }
    bool little = limit.rlim_cur < LITTLE_LOCK;
    doctor_say(d, little ? DOCTOR_WARNING : DOCTOR_OK, "memory lock", little ? hint : NULL,
               "secrets are locked in memory, %ju KiB at most (RLIMIT_MEMLOCK)",
               (uintmax_t)limit.rlim_cur / KIB);
}

static void look_at_dumps(struct doctor *d)
{
    struct rlimit core;
    int dumpable = prctl(PR_GET_DUMPABLE);

    if (dumpable == 0 && getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur == 0)
        doctor_say(d, DOCTOR_OK, "core files", NULL,
                   "agent leaves none, and no other process of its user may look into it");
    else
        doctor_say(d, DOCTOR_ERROR, "core files",
                   "Something changed the process behind its start (a preloaded library?).",
                   "agent could leave a core file, or be looked into (dumpable: %d)", dumpable);
}

/* ---- what the kernel allows ------------------------------------------------------------------------- */

static void look_at_confinement(struct doctor *d)
{
    AUTO_BUF text = BUF_INIT(PROC_FILE_BYTES);
    static const char *const modes[] = {"no seccomp filter", "seccomp's strict mode",
                                        "a seccomp filter"};

    if (read_text("/proc/self/status", &text) != 0) {
        doctor_say(d, DOCTOR_WARNING, "confinement", NULL,
                   "could not be found out: /proc/self/status can't be read");
        return;
    }
    int64_t seccomp = status_number(buf_text(&text), "\nSeccomp:", 10);
    int64_t privileges = status_number(buf_text(&text), "\nNoNewPrivs:", 10);
    int64_t tracer = status_number(buf_text(&text), "\nTracerPid:", 10);
    doctor_say(d, DOCTOR_OK, "confinement", NULL, "%s, new privileges %s, user id %u",
               seccomp >= 0 && seccomp < (int64_t)ARRAY_LEN(modes) ? modes[seccomp]
                                                                   : "seccomp is not known",
               privileges == 1   ? "can't be had"
               : privileges == 0 ? "can be had"
                                 : "are not known",
               (unsigned)geteuid());
    if (tracer > 0)
        doctor_say(d, DOCTOR_WARNING, "confinement", "Leave strace or the debugger away.",
                   "process %" PRId64 " traces agent, and sees every secret that it has", tracer);
}

/* ---- limits ----------------------------------------------------------------------------------------- */

/* The number in FILE of our cgroup (version 2); -1: none is said, or it can't be read. */
static int64_t cgroup_number(const char *file)
{
    AUTO_BUF groups = BUF_INIT(PROC_FILE_BYTES), path = BUF_INIT(PROC_FILE_BYTES),
             text = BUF_INIT(PROC_FILE_BYTES);
    int64_t number;

    if (read_text("/proc/self/cgroup", &groups) != 0)
        return -1;
    const char *group = str_starts(buf_text(&groups), "0::") ? buf_text(&groups)
                                                             : strstr(buf_text(&groups), "\n0::");
    if (!group)
        return -1;
    group = strstr(group, "0::") + strlen("0::");
    buf_addf(&path, "/sys/fs/cgroup%.*s/%s", (int)strcspn(group, "\n"), group, file);
    if (path.no_memory || path.too_long || read_text(buf_text(&path), &text) != 0)
        return -1;
    return str_to_int64(buf_text(&text), strcspn(buf_text(&text), "\n"), &number) == 0 ? number
                                                                                       : -1;
}

static void look_at_cgroup(struct doctor *d)
{
    int64_t memory = cgroup_number("memory.max"), processes = cgroup_number("pids.max");

    if (memory >= 0 && memory < LITTLE_MEMORY)
        doctor_say(d, DOCTOR_WARNING, "memory limit", "Give the container or unit more.",
                   "%" PRId64 " MiB: too little for a fetch beside the application", memory / MIB);
    else if (memory >= 0)
        doctor_say(d, DOCTOR_OK, "memory limit", NULL, "%" PRId64 " MiB", memory / MIB);
    else
        doctor_say(d, DOCTOR_OK, "memory limit", NULL, "none was found in this control group");
    if (processes >= 0 && processes < FEW_PROCESSES)
        doctor_say(d, DOCTOR_WARNING, "process limit", "Raise pids.max of the control group.",
                   "%" PRId64 ": too few for agent, its workers and the application", processes);
}

static void look_at_descriptors(struct doctor *d)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < FEW_FILES)
        doctor_say(d, DOCTOR_WARNING, "open files", "Raise it with `ulimit -n`.",
                   "%ju at most (RLIMIT_NOFILE): too few for Vault's connections beside the rest",
                   (uintmax_t)limit.rlim_cur);
}

static void look_at_place(struct doctor *d)
{
    bool terminal = isatty(STDIN_FILENO) == 1;

    doctor_say(d, DOCTOR_OK, "process", NULL, "%s, %s",
               getpid() == 1 ? "PID 1: run stays, and reaps every orphan"
                             : "not PID 1: run execs in place unless it has to stay",
               terminal ? "at a terminal, which the application gets" : "without a terminal");
}

void doctor_look_at_host(struct doctor *d)
{
    look_at_place(d);
    look_at_lock(d);
    look_at_dumps(d);
    look_at_confinement(d);
    look_at_cgroup(d);
    look_at_descriptors(d);
}

/* ---- libraries -------------------------------------------------------------------------------------- */

/* One that is not there is an error where the contract needs it. */
static void say_library(struct doctor *d, bool needed, int result, const struct buf *version,
                        const struct err *err)
{
    if (result == 0)
        doctor_say(d, DOCTOR_OK, "library", NULL, "%s", buf_text(version));
    else
        doctor_say_err(d, needed ? DOCTOR_ERROR : DOCTOR_WARNING, "library", err);
}

void doctor_look_at_libraries(struct doctor *d)
{
    AUTO_BUF curl = BUF_INIT(ERR_TEXT_BYTES), pq = BUF_INIT(ERR_TEXT_BYTES),
             parser = BUF_INIT(ERR_TEXT_BYTES);
    struct err err = ERR_INIT;
    const struct contract *contract = d->loaded ? d->job.contract : NULL;
    bool database = contract && contract->database.present;
    bool makes = database && (contract->database.create == CONTRACT_CREATE_SQL ||
                              contract->database.create == CONTRACT_CREATE_EMIT);

    int result = vault_library_version(&curl, &err);
    say_library(d, doctor_uses(d, REF_VAULT), result, &curl, &err);
    result = db_library_version(&pq, &err);
    say_library(d, database, result, &pq, &err);
    buf_adds(&parser, "libpg_query, PostgreSQL's parser, is here");
    result = sql_parser_open(&err);
    say_library(d, makes, result, &parser, &err);
}
