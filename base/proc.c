/* proc.c: see base/proc.h. One poll loop feeds the command, reads what it puts out, and sees it end
 * or its time run out; proc_start.c starts it. */
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/internal.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"

enum {
    CHUNK_BYTES = 16 * 1024,
    LINE_BYTES = 4 * 1024,  /* of stderr: a longer line is logged in pieces */
    LOOK_AGAIN_MS = 20,     /* where the kernel has no pidfd (before 5.3) */
    DRAIN_CHUNKS_MAX = 256, /* what is still in the pipes: 1 MiB is the most that they hold */
    SIGNAL_BASE = 128,
    DURATION_BYTES = 64,
};

struct session {
    const struct proc_request *request;
    enum err_kind kind;
    int64_t started_ms;
    pid_t pid;
    int pidfd;
    int input, output, errors; /* our ends of the pipes, or -1 */
    size_t fed;                /* bytes of the input */
    struct buf collected;      /* stdout */
    struct buf line;           /* of stderr, not yet complete */
    char chunk[CHUNK_BYTES];
};

/* ---- stdin, stdout, stderr ---------------------------------------------------------------- */

static void shut(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static void feed(struct session *s)
{
    const struct proc_request *request = s->request;

    while (s->fed < request->input_length) {
        ssize_t n = write(s->input, request->input + s->fed, request->input_length - s->fed);
        if (n > 0)
            s->fed += (size_t)n;
        else if (errno == EAGAIN)
            return;
        else if (errno != EINTR)
            break; /* EPIPE: it has read as much as it wanted, which is its own affair */
    }
    shut(&s->input);
}

/* Up to a chunk. 1: read; 0: nothing there now; the end shuts *fd. */
static int read_chunk(struct session *s, int *fd, size_t *length)
{
    ssize_t n;

    while ((n = read(*fd, s->chunk, sizeof(s->chunk))) < 0 && errno == EINTR)
        ;
    if (n > 0) {
        *length = (size_t)n;
        return 1;
    }
    if (n == 0 || errno != EAGAIN)
        shut(fd);
    return 0;
}

/* Returns 1 when something was read, 0 when not, -1 when it is too much. */
static int take_output(struct session *s, struct err *err)
{
    size_t length;

    if (read_chunk(s, &s->output, &length) == 0)
        return 0;
    buf_add(&s->collected, s->chunk, length);
    if (s->collected.too_long)
        return err_set(err, s->kind, "'%s' put out more than %zu bytes", s->request->argv[0],
                       s->collected.max);
    if (s->collected.no_memory)
        return err_nomem(err);
    return 1;
}

/* Keep the last max bytes. */
static void add_to_tail(struct buf *tail, const char *bytes, size_t length)
{
    if (length > tail->max) {
        bytes += length - tail->max;
        length = tail->max;
    }
    size_t kept = tail->max - length;
    if (tail->len > kept) {
        memmove(tail->data, tail->data + tail->len - kept, kept);
        mem_wipe(tail->data + kept, tail->len - kept);
        tail->len = kept;
    }
    buf_add(tail, bytes, length);
}

static void log_stderr(struct session *s)
{
    if (s->line.len > 0)
        log_line(LOG_INFO, buf_text(&s->line), "from", s->request->what, NULL);
    buf_clear(&s->line);
}

static void add_to_lines(struct session *s, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        char byte = bytes[i];
        if (byte == '\n' || s->line.len == LINE_BYTES)
            log_stderr(s);
        if (byte == '\0')
            byte = '?'; /* a NUL would cut the line short */
        if (byte != '\n')
            buf_addc(&s->line, byte);
    }
}

static int take_errors(struct session *s)
{
    size_t length;

    if (read_chunk(s, &s->errors, &length) == 0)
        return 0;
    if (s->request->error_output)
        add_to_tail(s->request->error_output, s->chunk, length);
    if (s->request->show_stderr)
        add_to_lines(s, s->chunk, length);
    return 1;
}

/* ---- the loop ----------------------------------------------------------------------------- */

static int poll_timeout(const struct session *s)
{
    int64_t left = clock_left_ms(s->request->deadline_ms);

    if (s->pidfd < 0)
        left = clock_earlier(left, LOOK_AGAIN_MS);
    return left > INT_MAX ? INT_MAX : (int)left;
}

static bool has_ended(const struct session *s, short pidfd_events)
{
    siginfo_t info = {0};

    if (s->pidfd >= 0)
        return pidfd_events != 0;
    return waitid(P_PID, (id_t)s->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
           info.si_pid == s->pid;
}

static int out_of_time(const struct session *s, struct err *err)
{
    AUTO_BUF after = BUF_INIT(DURATION_BYTES);

    str_add_duration(&after, clock_now_ms() - s->started_ms);
    return err_set(err, s->kind, "'%s' ran out of time after %s and was killed",
                   s->request->argv[0], buf_text(&after));
}

/* Until the leader has ended (0), or something is wrong (-1). */
static int pump(struct session *s, struct proc_result *result, struct err *err)
{
    for (;;) {
        struct pollfd fds[] = {
            {.fd = s->pidfd, .events = POLLIN},  {.fd = s->input, .events = POLLOUT},
            {.fd = s->output, .events = POLLIN}, {.fd = s->errors, .events = POLLIN},
            {.fd = stop_fd(), .events = POLLIN},
        };
        if (stop_requested())
            return stop_error(err);
        if (poll(fds, ARRAY_LEN(fds), poll_timeout(s)) < 0) {
            if (errno != EINTR)
                return err_errno(err, ERR_RESOURCE, "wait for '%s'", s->request->argv[0]);
            continue;
        }
        if (fds[1].revents)
            feed(s);
        if (fds[2].revents && take_output(s, err) < 0)
            return -1;
        if (fds[3].revents)
            (void)take_errors(s);
        if (has_ended(s, fds[0].revents))
            return 0;
        if (clock_passed(s->request->deadline_ms)) {
            result->timed_out = true;
            return out_of_time(s, err);
        }
    }
}

/* What was still in the pipes. Bounded: a process that escaped from the group may go on writing. */
static int drain(struct session *s, struct err *err)
{
    for (int i = 0; i < DRAIN_CHUNKS_MAX && s->errors >= 0 && take_errors(s) == 1; i++)
        ;
    int more = 1;
    for (int i = 0; i < DRAIN_CHUNKS_MAX && s->output >= 0 && more == 1; i++)
        more = take_output(s, err);
    return more < 0 ? -1 : 0;
}

/* The group is killed before its leader is reaped: until then its number cannot be another's. */
static int end(struct session *s, struct proc_result *result, struct err *err)
{
    siginfo_t info = {0};

    (void)kill(-s->pid, SIGKILL); /* ESRCH and EPERM: nothing is left that is ours to kill */
    while (waitid(P_PID, (id_t)s->pid, &info, WEXITED) != 0)
        if (errno != EINTR)
            return err_errno(err, s->kind, "wait for '%s'", s->request->argv[0]);
    result->signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
    result->exit_code = info.si_code == CLD_EXITED ? info.si_status : SIGNAL_BASE + info.si_status;
    return 0;
}

/* ---- start and finish ---------------------------------------------------------------------- */

/* A pipe: *ours non-blocking, *theirs not. */
static int make_pipe(int *ours, int *theirs, bool we_write, struct err *err)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_errno(err, ERR_RESOURCE, "make a pipe");
    *ours = ends[we_write ? 1 : 0];
    *theirs = ends[we_write ? 0 : 1];
    if (fcntl(*ours, F_SETFL, O_NONBLOCK) != 0)
        return err_errno(err, ERR_RESOURCE, "make a pipe non-blocking");
    return 0;
}

static int make_pipes(struct session *s, int child[static 3], struct err *err)
{
    const struct proc_request *request = s->request;

    if (request->input) {
        if (make_pipe(&s->input, &child[0], true, err) != 0)
            return -1;
    } else if ((child[0] = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0) {
        return err_errno(err, ERR_RESOURCE, "open '/dev/null'");
    }
    if (request->output && make_pipe(&s->output, &child[1], false, err) != 0)
        return -1;
    if ((request->error_output || request->show_stderr) &&
        make_pipe(&s->errors, &child[2], false, err) != 0)
        return -1;
    return 0;
}

static int start(struct session *s, struct err *err)
{
    const struct proc_request *request = s->request;
    AUTO_FREE char *file = NULL;

    if (stop_requested())
        return stop_error(err);
    if (proc_find(request->argv[0], request->environment, request->folder, s->kind, &file, err))
        return -1;
    int child[3] = {-1, -1, -1};
    int result = make_pipes(s, child, err);
    AUTO_FD input = child[0];
    AUTO_FD output = child[1];
    AUTO_FD errors = child[2];
    if (result != 0)
        return -1;
    int its_stderr = errors >= 0 ? errors : STDERR_FILENO;
    struct proc_plan plan = {
        .file = file,
        .argv = request->argv,
        .environment = request->environment,
        .folder = request->folder,
        .fds = {input, output >= 0 ? output : its_stderr, its_stderr},
        .as = request->as,
    };
    if (proc_start(&plan, s->kind, &s->pid, err) != 0)
        return -1;
    s->pidfd = (int)syscall(SYS_pidfd_open, s->pid, 0); /* close-on-exec; -1: see LOOK_AGAIN_MS */
    return 0;
}

static void session_release(struct session *s)
{
    shut(&s->pidfd);
    shut(&s->input);
    shut(&s->output);
    shut(&s->errors);
    buf_release(&s->collected);
    buf_release(&s->line);
    mem_wipe(s->chunk, sizeof(s->chunk)); /* a source's command puts out secrets */
}

static int run(struct session *s, struct proc_result *result, struct err *err)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;

    if (start(s, err) != 0)
        return -1;
    /* A command that does not read its stdin must not be our end. Not before the start: what is
     * ignored stays so in the child. */
    (void)sigaction(SIGPIPE, &ignore, &before); /* cannot fail: a valid signal */
    int pumped = pump(s, result, err);
    (void)sigaction(SIGPIPE, &before, NULL);
    /* After an error the text of that is kept, so that the child's end may not set another. */
    struct err late = ERR_INIT;
    int ended = end(s, result, pumped == 0 ? err : &late);
    int drained = drain(s, pumped == 0 && ended == 0 ? err : &late);
    log_stderr(s);
    if (pumped != 0 || ended != 0 || drained != 0)
        return -1;
    if (s->request->output)
        buf_move(s->request->output, &s->collected);
    return 0;
}

int proc_run(const struct proc_request *request, enum err_kind kind, struct proc_result *result,
             struct err *err)
{
    struct proc_result ended = {0};
    CLEANUP(session_release)
    struct session s = {
        .request = request,
        .kind = kind,
        .started_ms = clock_now_ms(),
        .pidfd = -1,
        .input = -1,
        .output = -1,
        .errors = -1,
        .collected = BUF_INIT(request->output ? request->output->max : 0),
        .line = BUF_INIT(LINE_BYTES),
    };
    int done = run(&s, &ended, err);
    if (done != 0 && !ended.timed_out)
        return err_wrap(err, "%s", request->what);
    *result = ended;
    return done == 0 ? 0 : err_wrap(err, "%s", request->what);
}

void proc_describe(const struct proc_result *result, struct buf *out)
{
    const char *name = result->signal ? sigabbrev_np(result->signal) : NULL;

    if (result->timed_out)
        buf_adds(out, "ran out of time");
    else if (name)
        buf_addf(out, "was killed by SIG%s", name);
    else if (result->signal)
        buf_addf(out, "was killed by signal %d", result->signal);
    else
        buf_addf(out, "exited with %d", result->exit_code);
}
