/* bootstrap/emission.c: SQL that commands print while there is no server yet; see paths.h. */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "bootstrap/paths.h"

/* For projects that want a URL before they look whether they need one. It leads nowhere. */
#define NOWHERE "postgresql://agent_guard@/agent_guard?host=/nonexistent"

enum {
    LATE_MS = 10 * 1000, /* so much later than it is wanted is too late */
    NICENESS = 5,        /* what makes the server is waited for, this is not yet */
};

int memory_file_make(const char *name, off_t max_bytes, struct err *err)
{
    AUTO_FD fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    /* the ceiling: a file of that size that cannot grow */
    if (fd < 0 || ftruncate(fd, max_bytes) != 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) != 0)
        return err_errno(err, ERR_RESOURCE, "make a file in memory");
    return TAKE_FD(fd);
}

static int spawn(const struct guard_settings *settings, const char *what, struct emission *e,
                 struct err *err)
{
    const struct proc_request request = {.argv = e->argv,
                                         .environment = e->environment.list,
                                         .folder = settings->database->folder,
                                         .what = what};
    e->output = memory_file_make("emission", SQL_FILE_MAX_BYTES, err);
    e->complaint = memory_file_make("complaint", EMISSION_SAID_BYTES, err);
    if (e->output < 0 || e->complaint < 0)
        return -1;
    if (proc_spawn(&request, e->output, e->complaint, ERR_DB_COMMAND, &e->child, err) != 0)
        return -1;
    (void)setpriority(PRIO_PROCESS, (id_t)e->child.pid, NICENESS); /* a wish */
    return 0;
}

void emission_start(const struct guard_settings *settings, const char *const *argv,
                    const char *what, struct emission *emission)
{
    struct err ignored = ERR_INIT;
    struct secret nowhere = secret_borrow(NOWHERE, strlen(NOWHERE));
    const struct scratch scratch = {.url = nowhere, .variable = what};
    emission->argv = argv;
    if (scratch_environment(&scratch, "agent_guard", settings->database->url_variable,
                            settings->command_environment, &emission->environment, &ignored) == 0 &&
        spawn(settings, what, emission, &ignored) == 0)
        return;
    emission_release(emission);
}

int memory_file_read(int fd, const char *name, struct buf *out, struct err *err)
{
    off_t length = lseek(fd, 0, SEEK_CUR); /* the offset is shared with the process that wrote */
    if (length < 0 || ftruncate(fd, length) != 0 || lseek(fd, 0, SEEK_SET) != 0)
        return err_errno(err, ERR_RESOURCE, "read what %s has written", name);
    return file_read_fd(fd, name, out, err);
}

void emission_finish(struct emission *e, int64_t deadline_ms)
{
    struct err ignored = ERR_INIT;
    struct proc_result result;
    if (e->child.pid <= 0 ||
        proc_wait(&e->child, clock_earlier(deadline_ms, clock_in_ms(LATE_MS))) != 0)
        return; /* a signal, or no time: it is killed by emission_release */
    proc_stop(&e->child, 0, deadline_ms, &result);
    if (result.exit_code != 0 ||
        memory_file_read(e->output, "a command", &e->text, &ignored) != 0 ||
        memory_file_read(e->complaint, "a command", &e->said, &ignored) != 0)
        buf_clear(&e->text);
}

void emission_release(struct emission *e)
{
    proc_stop(&e->child, SIGKILL, clock_now_ms(), NULL);
    if (e->output >= 0)
        (void)close(e->output);
    if (e->complaint >= 0)
        (void)close(e->complaint);
    e->output = e->complaint = -1;
    scratch_environment_release(&e->environment);
    buf_release(&e->text);
    buf_release(&e->said);
}
