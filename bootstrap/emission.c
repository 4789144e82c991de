/* bootstrap/emission.c: the migrations' offline SQL, printed while there is no server yet; see paths.h. */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "bootstrap/paths.h"

/* For projects that want a URL before they look whether they need one. It leads nowhere. */
#define NOWHERE "postgresql://agent_guard@/agent_guard?host=/nonexistent"

static int spawn(const struct guard_settings *settings, struct emission *e, struct err *err)
{
    struct scratch_environment *environment = &e->environment;
    const struct proc_request request = {.argv = settings->offline_command,
                                         .environment = environment->list,
                                         .folder = settings->database->folder,
                                         .what = "database.offline"};
    /* what it complains of is heard when it is run again */
    AUTO_FD nobody = open("/dev/null", O_WRONLY | O_CLOEXEC);
    e->output = memfd_create("offline.sql", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    /* the ceiling: a file of that size that cannot grow */
    if (nobody < 0 || e->output < 0 || ftruncate(e->output, SQL_FILE_MAX_BYTES) != 0 ||
        fcntl(e->output, F_ADD_SEALS, F_SEAL_GROW) != 0)
        return err_errno(err, ERR_RESOURCE, "make a file in memory");
    return proc_spawn(&request, e->output, nobody, ERR_DB_COMMAND, &e->child, err);
}

void emission_start(const struct guard_settings *settings, struct emission *emission)
{
    struct err ignored = ERR_INIT;
    struct secret nowhere = secret_borrow(NOWHERE, strlen(NOWHERE));
    const struct scratch scratch = {.url = nowhere, .variable = "database.offline"};
    if (scratch_environment(&scratch, "agent_guard", settings->database->url_variable,
                            settings->command_environment, &emission->environment, &ignored) == 0 &&
        spawn(settings, emission, &ignored) == 0)
        return;
    emission_release(emission);
}

void emission_finish(struct emission *e, int64_t deadline_ms)
{
    struct err ignored = ERR_INIT;
    struct proc_result result;
    if (e->child.pid <= 0 || proc_wait(&e->child, deadline_ms) != 0)
        return; /* a signal, or no time: it is killed by emission_release */
    proc_stop(&e->child, 0, deadline_ms, &result);
    off_t length = lseek(e->output, 0, SEEK_CUR); /* shared with the command: where it stopped */
    if (result.exit_code != 0 || length <= 0 || ftruncate(e->output, length) != 0 ||
        lseek(e->output, 0, SEEK_SET) != 0 ||
        file_read_fd(e->output, "database.offline", &e->text, &ignored) != 0)
        buf_clear(&e->text);
}

void emission_release(struct emission *e)
{
    proc_stop(&e->child, SIGKILL, clock_now_ms(), NULL);
    if (e->output >= 0)
        (void)close(e->output);
    e->output = -1;
    scratch_environment_release(&e->environment);
    buf_release(&e->text);
}
