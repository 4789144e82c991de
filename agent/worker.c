/* agent/worker.c: see agent/worker.h.
 *
 * To the child: the length of all, then each secret as agent/worker_wire.h has them. From the child: the
 * length of all, then whether it worked, the error where it did not, and the answer. */
#include "agent/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/worker_child.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/redact.h"

enum {
    HOW_BYTES = 128,
    ALONE_MS = 250, /* behind the deadline of one that is waited for outside of the loop */
};

/* ---- the child's side ------------------------------------------------------------------------- */

static int read_whole(int fd, void *bytes, size_t length)
{
    char *to = bytes;

    while (length > 0) {
        ssize_t got = read(fd, to, length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return -1; /* the parent is gone, and so are we at once */
        to += got;
        length -= (size_t)got;
    }
    return 0;
}

static int take_secrets(const struct worker_task *task, int fd, struct err *err)
{
    uint64_t length;

    if (read_whole(fd, &length, sizeof length) != 0)
        return err_set(err, ERR_RESOURCE, "what the worker needs did not come");
    if (length == 0)
        return 0;
    char *table = secret_table_new(length, err);
    if (!table)
        return -1;
    struct wire wire = {.at = table, .left = length};
    int result = read_whole(fd, table, length);
    for (size_t i = 0; i < task->secret_count && result == 0; i++)
        wire_secret(&wire, task->secrets[i]);
    secret_table_free(table, length);
    return result == 0 ? wire_check(&wire, err)
                       : err_set(err, ERR_RESOURCE, "what the worker needs was cut");
}

static void hide(char *text, size_t room)
{
    AUTO_BUF hidden = BUF_INIT(2 * (ERR_TEXT_BYTES + ERR_HINT_BYTES));

    redact_add(&hidden, text, strlen(text));
    if (hidden.no_memory || hidden.too_long || hidden.len >= room)
        text[0] = '\0';
    else
        memcpy(text, buf_text(&hidden), hidden.len + 1);
}

/* The parent does not know what to hide. The pointer in an error is at a text of the program. */
static void put_result(int result, struct err *err, struct buf *out)
{
    wire_put_number(out, result == 0);
    if (result == 0)
        return;
    hide(err->text, sizeof err->text);
    hide(err->hint, sizeof err->hint);
    wire_put_struct(out, err, sizeof *err);
}

static int answer(int fd, int result, struct err *err, const struct buf *body)
{
    AUTO_BUF head = BUF_INIT(sizeof *err + 2 * sizeof(uint64_t));
    struct err unsent = ERR_INIT;
    size_t body_length = body->len;

    if (result == 0)
        result = buf_check(body, ERR_RESOURCE, "what a worker hands back", err);
    if (result != 0 && (body->no_memory || body->too_long))
        body_length = 0;
    put_result(result, err, &head);
    uint64_t length = head.len + body_length;
    if (buf_check(&head, ERR_RESOURCE, "a worker's answer", &unsent) != 0 ||
        file_write_all(fd, "the parent", (const char *)&length, sizeof length, &unsent) != 0 ||
        file_write_all(fd, "the parent", buf_text(&head), head.len, &unsent) != 0)
        return -1;
    return file_write_all(fd, "the parent", buf_text(body), body_length, &unsent);
}

NORETURN static void work(const struct worker_task *task, int input, int output, pid_t parent)
{
    AUTO_BUF body = BUF_INIT(WIRE_MAX_BYTES - sizeof(struct err) - 2 * sizeof(uint64_t));
    struct err err = ERR_INIT;

    worker_settle_in(input, output, parent);
    int result = take_secrets(task, input, &err);
    if (result == 0)
        result = task->work(task->context, &body, &err);
    _exit(answer(output, result, &err, &body) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* ---- starting it ------------------------------------------------------------------------------ */

static void close_end(int *fd)
{
    auto_close(fd);
    *fd = -1;
}

/* What is sent, in the slab: its length and the secrets. */
static int pack(struct worker *w, const struct worker_task *task, struct err *err)
{
    uint64_t length = 0;

    for (size_t i = 0; i < task->secret_count; i++)
        length += wire_secret_bytes(task->secrets[i]);
    w->sent = secret_table_new(length + sizeof length, err);
    if (!w->sent)
        return -1;
    w->sent_length = length + sizeof length;
    memcpy(w->sent, &length, sizeof length);
    char *to = w->sent + sizeof length;
    for (size_t i = 0; i < task->secret_count; i++)
        to = wire_write_secret(to, task->secrets[i]);
    return 0;
}

static int launch(struct worker *w, const struct worker_task *task, struct err *err)
{
    int down[2], up[2];
    pid_t parent = getpid();

    if (pipe2(down, O_CLOEXEC) != 0)
        return err_errno(err, ERR_RESOURCE, "make a pipe to a worker");
    if (pipe2(up, O_CLOEXEC) != 0) {
        (void)err_errno(err, ERR_RESOURCE, "make a pipe from a worker");
        close_end(&down[0]);
        close_end(&down[1]);
        return -1;
    }
    w->pid = fork();
    if (w->pid == 0) {
        close_end(&down[1]);
        close_end(&up[0]);
        work(task, down[0], up[1], parent);
    }
    int reason = errno;
    close_end(&down[0]);
    close_end(&up[1]);
    w->input = down[1];
    w->output = up[0];
    if (w->pid > 0) {
        (void)fcntl(w->input, F_SETFL, O_NONBLOCK); /* can't fail: it is open */
        (void)fcntl(w->output, F_SETFL, O_NONBLOCK);
        return 0;
    }
    w->pid = 0;
    errno = reason;
    return err_errno(err, ERR_RESOURCE, "start a process to %s", task->what);
}

/* ---- what passes ------------------------------------------------------------------------------ */

static void stop_sending(struct worker *w)
{
    if (w->supervisor)
        supervise_unwatch(w->supervisor, w->input);
    close_end(&w->input);
    secret_table_free(w->sent, w->sent_length);
    w->sent = NULL;
}

static void send_more(struct worker *w)
{
    while (w->sent_so_far < w->sent_length) {
        ssize_t sent = write(w->input, w->sent + w->sent_so_far, w->sent_length - w->sent_so_far);
        if (sent < 0 && errno == EAGAIN)
            return;
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            break; /* it has ended: how will be seen */
        w->sent_so_far += (size_t)sent;
    }
    stop_sending(w);
}

/* Where to read to next, and how much; 0: there is no more to come. -1: it can't be taken. */
static ssize_t place_of_answer(struct worker *w, char **to)
{
    if (w->header_so_far < sizeof w->answer_length) {
        *to = (char *)&w->answer_length + w->header_so_far;
        return (ssize_t)(sizeof w->answer_length - w->header_so_far);
    }
    if (!w->answer && w->answer_length > 0) {
        w->answer = secret_table_new(w->answer_length, &w->trouble);
        if (!w->answer)
            return -1;
    }
    *to = w->answer + w->answer_so_far;
    return (ssize_t)(w->answer_length - w->answer_so_far);
}

static void count_in(struct worker *w, size_t length)
{
    if (w->header_so_far < sizeof w->answer_length)
        w->header_so_far += length;
    else
        w->answer_so_far += length;
}

static void stop_receiving(struct worker *w)
{
    if (w->supervisor)
        supervise_unwatch(w->supervisor, w->output);
    close_end(&w->output);
}

/* As much as is there. */
static void receive(struct worker *w)
{
    char *to, beyond;

    while (w->output >= 0) {
        ssize_t room = place_of_answer(w, &to);
        ssize_t got = room < 0    ? 0
                      : room == 0 ? read(w->output, &beyond, sizeof beyond)
                                  : read(w->output, to, (size_t)room);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return;
        if (got > 0 && room == 0)
            (void)err_set(&w->trouble, ERR_DEFECT, "more came than it said");
        if (got <= 0 || room == 0) {
            stop_receiving(w);
            return;
        }
        count_in(w, (size_t)got);
    }
}

static void on_room(void *owner, int fd, uint32_t events)
{
    (void)fd, (void)events;
    send_more(owner);
}

static void on_bytes(void *owner, int fd, uint32_t events)
{
    (void)fd, (void)events;
    receive(owner);
}

/* ---- its end ---------------------------------------------------------------------------------- */

static bool is_whole(const struct worker *w)
{
    return w->header_so_far == sizeof w->answer_length && w->answer_length > 0 &&
           w->answer_so_far == w->answer_length && w->trouble.kind == ERR_NONE;
}

static void say_how_it_ended(const struct worker *w, const struct proc_result *result,
                             struct err *err)
{
    AUTO_BUF how = BUF_INIT(HOW_BYTES);

    proc_describe(result, &how);
    if (w->ran_out_of_time)
        (void)err_set(err, ERR_SOURCE_DOWN, "the process to %s did not end in time and was killed",
                      w->what);
    else if (w->trouble.kind != ERR_NONE)
        (void)err_set(err, w->trouble.kind, "the process to %s: its answer can't be taken: %s",
                      w->what, w->trouble.text);
    else
        (void)err_set(err, ERR_RESOURCE, "the process to %s ended without an answer: it %s",
                      w->what, buf_text(&how));
    if (result->signal == SIGKILL && !w->ran_out_of_time)
        (void)err_hint(err, "The kernel kills like this when memory runs out: look at its log.");
}

/* The answer's first part: what became of it. -1: ERR says what. */
static int verdict(const struct worker *w, const struct proc_result *result, struct wire *wire,
                   struct err *err)
{
    *wire = (struct wire){.at = w->answer, .left = (size_t)w->answer_length};
    if (!is_whole(w)) {
        wire->left = 0;
        say_how_it_ended(w, result, err);
        return -1;
    }
    if (wire_number(wire) == 1 && !wire->failed)
        return 0;
    wire_struct(wire, err, sizeof *err);
    if (wire->failed || err->kind <= ERR_NONE || err->kind >= ERR_KIND_COUNT)
        (void)err_set(err, ERR_DEFECT, "the process to %s answered what is none", w->what);
    return -1;
}

static void forget(struct worker *w)
{
    if (w->supervisor)
        supervise_timer(w->supervisor, &w->deadline, CLOCK_NEVER);
    stop_sending(w);
    stop_receiving(w);
    if (w->answer)
        secret_table_free(w->answer, (size_t)w->answer_length);
    *w = WORKER_INIT;
}

static void hand_over(struct worker *w, struct wire *wire, const struct err *err)
{
    struct worker ended = *w; /* DONE may start the next one */

    w->answer = NULL;
    forget(w);
    ended.done(ended.owner, wire, err);
    if (ended.answer)
        secret_table_free(ended.answer, (size_t)ended.answer_length);
}

static void on_end(void *owner, const struct proc_result *result)
{
    struct worker *w = owner;
    struct err err = ERR_INIT;
    struct wire wire;

    receive(w); /* what is left in the pipe */
    int failed = verdict(w, result, &wire, &err);
    hand_over(w, &wire, failed ? &err : NULL);
}

static void on_deadline(void *owner)
{
    struct worker *w = owner;

    w->ran_out_of_time = true;
    (void)kill(w->pid, SIGKILL); /* it is ours, and not reaped yet */
}

/* ---- in the loop ------------------------------------------------------------------------------ */

static int64_t killed_at(int64_t deadline_ms)
{
    return deadline_ms > CLOCK_NEVER - WORKER_SLACK_MS ? CLOCK_NEVER
                                                       : deadline_ms + WORKER_SLACK_MS;
}

static void begin(struct worker *w, struct supervisor *s, const struct worker_task *task)
{
    *w = WORKER_INIT;
    w->supervisor = s;
    w->done = task->done;
    w->owner = task->owner;
    w->what = task->what;
}

int worker_start(struct worker *w, struct supervisor *s, const struct worker_task *task,
                 struct err *err)
{
    begin(w, s, task);
    if (pack(w, task, err) != 0 || launch(w, task, err) != 0) {
        forget(w);
        return -1;
    }
    if (supervise_child(s, w->pid, on_end, w, err) != 0) {
        (void)kill(w->pid, SIGKILL); /* it is reaped as an orphan */
        forget(w);
        return -1;
    }
    if (supervise_watch(s, w->input, EPOLLOUT, on_room, w, err) != 0 ||
        supervise_watch(s, w->output, EPOLLIN, on_bytes, w, err) != 0) {
        (void)kill(w->pid, SIGKILL);
        w->trouble = *err; /* its end, which is seen, says so */
        return 0;
    }
    w->deadline = (struct supervise_timer){.callback = on_deadline, .owner = w};
    supervise_timer(s, &w->deadline, killed_at(task->deadline_ms));
    return 0;
}

/* ---- outside of the loop ---------------------------------------------------------------------- */

/* Until the child has ended, or UNTIL_MS. Its end of the pipe closes with it. */
static void wait_outside(struct worker *w, int64_t until_ms)
{
    while (w->output >= 0 && !clock_passed(until_ms)) {
        struct pollfd both[] = {{.fd = w->output, .events = POLLIN},
                                {.fd = w->input, .events = POLLOUT}};
        int64_t left = clock_left_ms(until_ms);
        if (poll(both, ARRAY_LEN(both), left > INT32_MAX ? INT32_MAX : (int)left) < 0 &&
            errno != EINTR)
            return;
        if (w->input >= 0 && both[1].revents)
            send_more(w);
        if (both[0].revents)
            receive(w);
    }
}

static struct proc_result reap(pid_t pid)
{
    struct proc_result result = {.exit_code = EXIT_FAILURE};
    siginfo_t info = {0};

    while (waitid(P_PID, (id_t)pid, &info, WEXITED) != 0)
        if (errno != EINTR)
            return result; /* somebody else's waiting got it */
    bool exited = info.si_code == CLD_EXITED;
    result.signal = exited ? 0 : info.si_status;
    result.exit_code = info.si_status;
    return result;
}

void worker_stop(struct worker *w)
{
    struct err err = ERR_INIT;
    struct wire wire;

    if (!worker_works(w))
        return;
    (void)kill(w->pid, SIGTERM);
    wait_outside(w, clock_in_ms(WORKER_STOP_MS));
    (void)kill(w->pid, SIGKILL);
    struct proc_result result = reap(w->pid);
    if (verdict(w, &result, &wire, &err) == 0)
        hand_over(w, &wire, NULL);
    else
        forget(w);
}

int worker_do(const struct worker_task *task, struct err *err)
{
    struct worker w;
    struct wire wire;

    begin(&w, NULL, task);
    if (pack(&w, task, err) != 0 || launch(&w, task, err) != 0) {
        forget(&w);
        return -1;
    }
    int64_t until = task->deadline_ms == CLOCK_NEVER ? CLOCK_NEVER : task->deadline_ms + ALONE_MS;
    wait_outside(&w, until);
    w.ran_out_of_time = w.output >= 0;
    if (w.ran_out_of_time)
        (void)kill(w.pid, SIGKILL);
    struct proc_result result = reap(w.pid);
    int failed = verdict(&w, &result, &wire, err);
    forget(&w);
    return failed;
}
