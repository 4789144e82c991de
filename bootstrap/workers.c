/* bootstrap/workers.c: several ways at once; see paths.h.
 *
 * A worker has the signals that we watch for blocked as we do, and looks at them in all its waits:
 * told to stop, it kills the command that it runs, with all of its group, and ends. Only one that does
 * not is killed. It has one end of a pipe, so that we see its end. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/stop.h"
#include "bootstrap/paths.h"

enum {
    WORKERS_MAX = 8,
    GRACE_MS = 10 * 1000, /* to stop by itself */
};

struct worker {
    struct path *path;
    pid_t pid; /* 0: none runs */
    int end;   /* readable when it has ended; -1: none */
};

struct path_outcome *outcomes_new(size_t count, struct err *err)
{
    struct path_outcome *outcomes = mmap(NULL, count * sizeof(*outcomes), PROT_READ | PROT_WRITE,
                                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (outcomes != MAP_FAILED)
        return outcomes;
    err_errno(err, ERR_RESOURCE, "share memory with the paths");
    return NULL;
}

void outcomes_free(struct path_outcome *outcomes, size_t count)
{
    if (outcomes)
        (void)munmap(outcomes, count * sizeof(*outcomes));
}

NORETURN static void work(struct path *path, pid_t parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() == parent) /* else it died before the line above */
        path_run(path);
    _exit(0);
}

static int start(struct worker *worker, struct path *path, struct err *err)
{
    int ends[2];
    pid_t parent = getpid();
    if (path->emission)
        emission_finish(path->emission, path->deadline_ms);
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_errno(err, ERR_RESOURCE, "make a pipe");
    AUTO_FD reading = ends[0];
    AUTO_FD writing = ends[1];
    pid_t pid = secret_fork();
    if (pid < 0)
        return err_errno(err, ERR_RESOURCE, "fork");
    if (pid == 0)
        work(path, parent);
    *worker = (struct worker){.path = path, .pid = pid, .end = TAKE_FD(reading)};
    return 0;
}

static void reap(struct worker *worker)
{
    int status = 0;
    while (waitpid(worker->pid, &status, 0) < 0 && errno == EINTR)
        ;
    (void)close(worker->end);
    struct path_outcome *outcome = worker->path->outcome;
    if (!outcome->ended) {
        outcome->ok = false;
        if (WIFSIGNALED(status))
            err_set(&outcome->err, ERR_DEFECT, "%s: its worker was killed by SIG%s",
                    worker->path->name, sigabbrev_np(WTERMSIG(status)));
        else
            err_set(&outcome->err, ERR_DEFECT, "%s: its worker ended before its time",
                    worker->path->name);
    }
    *worker = (struct worker){.end = -1};
}

static void signal_all(const struct worker *workers, int signal)
{
    for (size_t i = 0; i < WORKERS_MAX; i++)
        if (workers[i].pid > 0)
            (void)kill(workers[i].pid, signal); /* not reaped yet: the number is its own */
}

static size_t running(const struct worker *workers)
{
    size_t count = 0;
    for (size_t i = 0; i < WORKERS_MAX; i++)
        count += workers[i].pid > 0;
    return count;
}

/* Until one has ended, DEADLINE has passed, or a signal has come. */
static void wait_for_one(struct worker *workers, int64_t deadline_ms)
{
    struct pollfd fds[WORKERS_MAX + 1];
    int64_t left = clock_left_ms(deadline_ms);
    for (size_t i = 0; i < WORKERS_MAX; i++)
        fds[i] = (struct pollfd){.fd = workers[i].pid > 0 ? workers[i].end : -1, .events = POLLIN};
    fds[WORKERS_MAX] = (struct pollfd){.fd = stop_fd(), .events = POLLIN};
    if (poll(fds, ARRAY_LEN(fds), left > INT_MAX ? INT_MAX : (int)left) <= 0)
        return;
    for (size_t i = 0; i < WORKERS_MAX; i++)
        if (fds[i].revents)
            reap(&workers[i]);
}

static void end_all(struct worker *workers)
{
    int64_t deadline_ms = clock_in_ms(GRACE_MS);
    signal_all(workers, SIGTERM);
    while (running(workers) > 0 && !clock_passed(deadline_ms))
        wait_for_one(workers, deadline_ms);
    signal_all(workers, SIGKILL);
    while (running(workers) > 0)
        wait_for_one(workers, CLOCK_NEVER);
}

static struct worker *free_place(struct worker *workers, int jobs)
{
    for (int i = 0; i < jobs && i < WORKERS_MAX; i++)
        if (workers[i].pid == 0)
            return &workers[i];
    return NULL;
}

int workers_run(struct path *paths, size_t count, int jobs, int64_t deadline_ms, struct err *err)
{
    struct worker workers[WORKERS_MAX];
    /* they keep the deadline themselves; one that does not comes too late here */
    int64_t latest_ms = deadline_ms == CLOCK_NEVER ? CLOCK_NEVER : deadline_ms + GRACE_MS;
    int result = 0;
    for (size_t i = 0; i < WORKERS_MAX; i++)
        workers[i] = (struct worker){.end = -1};
    for (size_t next = 0; result == 0 && (next < count || running(workers) > 0);) {
        struct worker *place = next < count ? free_place(workers, jobs) : NULL;
        if (place)
            result = start(place, &paths[next++], err);
        else
            wait_for_one(workers, latest_ms);
        if (result == 0 && stop_requested())
            result = stop_error(err);
        if (clock_passed(latest_ms))
            break;
    }
    end_all(workers);
    return result;
}
