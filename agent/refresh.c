#include "agent/refresh.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "agent/files.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

enum {
    FIRST_BYTES = 16 * 1024,
    CHILD_FAILED = 1,
    NOT_RESOLVED = 0,
    NO_VALUE = 1,
    A_VALUE = 2,
};

extern char **environ;

/* One variable's, in the pipe; the value's bytes follow. */
struct record {
    uint32_t state, length;
};

/* ---- the child ---------------------------------------------------------------------------------- */

/* The values as at the start, from sources that are asked anew. */
static int ask_again(struct job *job, struct err *err)
{
    size_t count = job->contract->variable_count;

    job->environment = ENVIRONMENT_INIT; /* the parent's goes with the process */
    job->findings = FINDINGS_INIT;
    memset(job->values, 0, count * sizeof *job->values);
    if (environment_index(&job->environment, (const char *const *)environ, err) != 0 ||
        (job->sources && source_forget(job->sources, job->call->deadline_ms, err) != 0) ||
        job_resolve(job, NULL, err) != 0 || files_resolve(job, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (job->values[i].stale)
            return err_set(err, ERR_SOURCE_DOWN, "'%s' has its last known value only",
                           job->contract->variables[i].name);
    return 0;
}

static int send_values(const struct job *job, int fd, struct err *err)
{
    for (size_t i = 0; i < job->contract->variable_count; i++) {
        const struct contract_value *value = &job->values[i];
        bool is_set = value->resolved && secret_is_set(&value->bytes);
        struct record record = {.state = is_set            ? A_VALUE
                                         : value->resolved ? NO_VALUE
                                                           : NOT_RESOLVED,
                                .length = is_set ? (uint32_t)secret_length(&value->bytes) : 0};
        if (file_write_all(fd, "the pipe", &record, sizeof record, err) != 0 ||
            (is_set &&
             file_write_all(fd, "the pipe", secret_reveal(&value->bytes), record.length, err) != 0))
            return -1;
    }
    return 0;
}

static void end_connections(struct job *job, int64_t token_expired_ms)
{
    struct vault_identity identity;
    struct vault *vault = job->sources ? source_vault(job->sources) : NULL;
    struct err err = ERR_INIT;

    if (!vault)
        return;
    /* A token that was made here goes with us; the one that was there is the parent's. */
    vault_identity(vault, &identity);
    if (identity.logged_in && identity.expires_ms != token_expired_ms &&
        vault_revoke_own_token(vault, &err) != 0)
        log_line(LOG_DEBUG, "a token of a refresh ends by itself", "reason", err.text, NULL);
    source_set_free(job->sources); /* ends what TLS keeps with the server, properly */
}

static int work(struct job *job, int fd)
{
    struct invocation call = *job->call;
    struct vault_identity before = {.expires_ms = CLOCK_NEVER};
    struct err err = ERR_INIT;

    call.deadline_ms = clock_in_ms(REFRESH_MS);
    job->call = &call;
    if (job->sources && source_vault(job->sources))
        vault_identity(source_vault(job->sources), &before);
    int result = ask_again(job, &err);
    if (result == 0)
        result = send_values(job, fd, &err);
    if (result != 0)
        log_line(LOG_WARN, "sources could not be asked again; what there is stays", "reason",
                 err.text, NULL);
    end_connections(job, before.expires_ms);
    return result == 0 ? 0 : CHILD_FAILED;
}

/* ---- what it sends ------------------------------------------------------------------------------ */

static int make_room(struct refresh *r, struct err *err)
{
    if (r->length < r->capacity)
        return 0;
    size_t capacity = r->capacity ? r->capacity * 2 : FIRST_BYTES;
    char *bytes = secret_table_new(capacity, err);
    if (!bytes)
        return -1;
    if (r->length > 0)
        memcpy(bytes, r->bytes, r->length);
    secret_table_free(r->bytes, r->capacity);
    r->bytes = bytes;
    r->capacity = capacity;
    return 0;
}

static void end_pipe(struct refresh *r)
{
    if (r->pipe < 0)
        return;
    supervise_unwatch(r->change->supervisor, r->pipe);
    (void)close(TAKE_FD(r->pipe)); /* read to its end, or given up */
}

static void on_pipe(void *owner, int fd, uint32_t events)
{
    struct refresh *r = owner;
    struct err err = ERR_INIT;

    (void)events;
    for (;;) {
        if (make_room(r, &err) != 0) {
            log_line(LOG_ERROR, "a refresh was given up", "reason", err.text, NULL);
            r->length = 0;
            break;
        }
        ssize_t n = read(fd, r->bytes + r->length, r->capacity - r->length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0)
            break;
        r->length += (size_t)n;
    }
    end_pipe(r);
}

/* The next variable's value out of what came, from *AT. -1: it is not whole. */
static int read_value(const struct refresh *r, size_t *at, struct contract_value *out,
                      struct err *err)
{
    struct record record;

    if (r->length - *at < sizeof record)
        return err_set(err, ERR_DEFECT, "a refresh sent too little");
    memcpy(&record, r->bytes + *at, sizeof record);
    *at += sizeof record;
    if (record.length > r->length - *at)
        return err_set(err, ERR_DEFECT, "a refresh sent too little");
    out->resolved = record.state != NOT_RESOLVED;
    out->origin = record.state == A_VALUE ? VALUE_SOURCE : VALUE_NONE;
    if (record.state == A_VALUE && secret_set(&out->bytes, r->bytes + *at, record.length, err) != 0)
        return -1;
    *at += record.length;
    return 0;
}

static void take_values(struct refresh *r)
{
    struct job *job = r->change->job;
    size_t count = job->contract->variable_count, at = 0;
    AUTO_FREE struct contract_value *fresh = mem_new(count, sizeof *fresh);
    struct err err = ERR_INIT;

    if (!fresh) {
        (void)err_nomem(&err);
        log_err(&err, err_exit_code(err.kind));
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (read_value(r, &at, &fresh[i], &err) == 0)
            continue;
        log_err(&err, err_exit_code(err.kind));
        for (size_t k = 0; k < i; k++)
            secret_release(&fresh[k].bytes);
        return;
    }
    r->change->beside->facts.last_success_s = clock_unix_seconds();
    change_take(r->change, fresh);
}

/* ---- turns -------------------------------------------------------------------------------------- */

static void set_next(struct refresh *r)
{
    supervise_timer(r->change->supervisor, &r->timer,
                    clock_in_ms(r->change->job->contract->run.refresh_ms));
}

static void on_child_end(void *owner, const struct proc_result *result)
{
    struct refresh *r = owner;
    struct status_facts *facts = &r->change->beside->facts;

    r->child = 0;
    facts->refreshes++;
    if (r->pipe >= 0)
        on_pipe(r, r->pipe, EPOLLIN); /* what it wrote last */
    end_pipe(r);
    if (result->exit_code == 0)
        take_values(r);
    else
        facts->refresh_failures++;
    secret_table_free(r->bytes, r->capacity);
    r->bytes = NULL;
    r->length = r->capacity = 0;
    set_next(r);
}

static int start_child(struct refresh *r, struct err *err)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_errno(err, ERR_RESOURCE, "make a pipe");
    r->pipe = ends[0];
    AUTO_FD write_end = ends[1];
    if (fcntl(r->pipe, F_SETFL, O_NONBLOCK) != 0 ||
        supervise_watch(r->change->supervisor, r->pipe, EPOLLIN, on_pipe, r, err) != 0)
        return err->kind ? -1 : err_errno(err, ERR_RESOURCE, "set a pipe up");
    r->child = secret_fork();
    if (r->child < 0) {
        r->child = 0;
        return err_errno(err, ERR_RESOURCE, "start a process");
    }
    if (r->child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody is left who would read */
        _exit(work(r->change->job, write_end));
    }
    return supervise_child(r->change->supervisor, r->child, on_child_end, r, err);
}

static void on_time(void *owner)
{
    struct refresh *r = owner;
    struct err err = ERR_INIT;

    if (r->child > 0) {
        log_line(LOG_WARN, "a refresh took too long and is ended", NULL);
        (void)kill(r->child, SIGKILL); /* ours, and not reaped yet */
        return;
    }
    if (start_child(r, &err) == 0) {
        supervise_timer(r->change->supervisor, &r->timer, clock_in_ms(REFRESH_KILL_MS));
        return;
    }
    log_line(LOG_WARN, "sources could not be asked again; what there is stays", "reason", err.text,
             NULL);
    end_pipe(r);
    if (r->child == 0)
        set_next(r);
}

void refresh_start(struct refresh *r, struct change *change)
{
    *r = (struct refresh){.change = change, .pipe = -1};
    r->timer = (struct supervise_timer){.callback = on_time, .owner = r};
    if (change->job->contract && change->job->contract->run.refresh_ms > 0)
        set_next(r);
}

void refresh_stop(struct refresh *r)
{
    supervise_timer(r->change->supervisor, &r->timer, CLOCK_NEVER);
    if (r->child > 0)
        (void)kill(r->child, SIGKILL); /* it is reaped by who reaps us, or by us */
    end_pipe(r);
    secret_table_free(r->bytes, r->capacity);
    r->bytes = NULL;
}
