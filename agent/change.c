#include "agent/change.h"

#include <string.h>
#include <unistd.h>

#include "agent/files.h"
#include "agent/start.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

extern char **environ;

/* ---- what is new ------------------------------------------------------------------------------ */

static bool differs(const struct contract_value *fresh, const struct contract_value *now)
{
    return fresh->resolved && !secret_equal(&fresh->bytes, &now->bytes);
}

static void say_refused(struct change *c, const struct findings *findings)
{
    c->beside->facts.change_failures++;
    if (c->refused_ms != 0 && clock_now_ms() - c->refused_ms < CHANGE_SAY_AGAIN_MS)
        return;
    c->refused_ms = clock_now_ms();
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->list[i];
        if (finding->severity == FINDING_ERROR)
            log_line(LOG_ERROR, "a change breaks the contract; the application keeps what it has",
                     "variable", finding->variable, "rule", finding->rule, "problem",
                     finding->message, NULL);
    }
}

/* Whether VALUES are such that the application could start with them; else it is said. */
static int check(struct change *c, const struct contract_value *values, struct err *err)
{
    AUTO_FINDINGS findings = FINDINGS_INIT;

    if (contract_check(c->job->contract, values, &findings, err) != 0)
        return -1;
    if (findings.errors == 0)
        return 0;
    say_refused(c, &findings);
    return err_set(err, ERR_VIOLATION, "the change was refused");
}

/* Those that differ, over those that there are. */
static void lay_over(const struct change *c, const struct contract_value *fresh,
                     struct contract_value *values)
{
    for (size_t i = 0; i < c->job->contract->variable_count; i++)
        values[i] = differs(&fresh[i], &c->job->values[i]) ? fresh[i] : c->job->values[i];
}

/* Where output passes through us what was registered is hidden from now on. Else nothing that is said here has
 * a value in it: who fetched them has made its errors harmless. */
static int hide(struct change *c, struct err *err)
{
    return c->beside->redaction ? redaction_renew(c->beside->redaction, c->is_whole, err) : 0;
}

/* ---- to the application ------------------------------------------------------------------------- */

static void run_hook(struct change *c);

static void on_hook_end(void *owner, const struct proc_result *result)
{
    struct change *c = owner;
    AUTO_BUF text = BUF_INIT(256);

    c->hook_runs = false;
    proc_describe(result, &text);
    if (result->exit_code != 0)
        log_line(LOG_WARN, "the command of on_change failed", "end", buf_text(&text), NULL);
    if (c->hook_again)
        run_hook(c);
}

static void run_hook(struct change *c)
{
    const struct proc_request request = {.argv = c->job->contract->run.change_hook,
                                         .environment = c->environment,
                                         .folder = c->job->contract->folder,
                                         .what = "on_change"};
    struct proc_child child = PROC_CHILD_INIT;
    struct err err = ERR_INIT;

    if (c->hook_runs && !c->hook_again)
        log_line(LOG_WARN, "the command of on_change still runs: it is run again when it has ended",
                 NULL);
    c->hook_again = c->hook_runs;
    if (c->hook_runs)
        return; /* once more when it has ended: it may have read what was before */
    if (proc_spawn(&request, STDERR_FILENO, STDERR_FILENO, ERR_DB_COMMAND, &child, &err) != 0 ||
        supervise_child(c->supervisor, child.pid, on_hook_end, c, &err) != 0) {
        log_line(LOG_WARN, "the command of on_change failed", "reason", err.text, NULL);
        proc_stop(&child, 0, 0, NULL);
        return;
    }
    auto_close(&child.pidfd); /* the supervisor sees its end */
    c->hook_runs = true;
}

static const struct contract_run *run_of(const struct change *c)
{
    return c->job->contract ? &c->job->contract->run : &contract_run_default;
}

static void act(struct change *c)
{
    const struct contract_run *run = run_of(c);

    switch (run->on_change) {
    case CONTRACT_CHANGE_RESTART:
        supervise_restart(c->supervisor, "a value has changed", c->by_ms);
        break;
    case CONTRACT_CHANGE_SIGNAL:
        (void)supervise_signal(c->supervisor, run->change_signal); /* else its start has it */
        break;
    case CONTRACT_CHANGE_HOOK:
        run_hook(c);
        break;
    case CONTRACT_CHANGE_NONE:
        break;
    }
}

static int set_entries(struct change *c, struct err *err)
{
    for (size_t i = 0; i < c->entry_count; i++)
        if (environment_set(&c->job->environment, c->entries[i].name, &c->entries[i].value, err) !=
            0)
            return -1;
    return 0;
}

/* What the next start gets, made from our own environment as at the first. */
static int renew_environment(struct change *c, struct err *err)
{
    struct environment before = c->job->environment;
    const char **list = NULL;

    c->job->environment = ENVIRONMENT_INIT;
    if (environment_index(&c->job->environment, (const char *const *)environ, err) == 0 &&
        set_entries(c, err) == 0 && start_environment(c->job, err) == 0) {
        beside_environment(c->job);
        list = environment_list(&c->job->environment, err);
    }
    if (!list) {
        environment_release(&c->job->environment);
        c->job->environment = before;
        return -1;
    }
    supervise_environment(c->supervisor, list);
    environment_release(&before);
    free(c->environment);
    c->environment = list;
    return 0;
}

static void deliver(void *owner);

static void deliver_later(struct change *c, const struct err *err)
{
    int64_t now = clock_now_ms();

    c->beside->facts.change_failures++;
    supervise_timer(c->supervisor, &c->timer, now + backoff_next_ms(&c->retry));
    if (c->undelivered_ms != 0 && now - c->undelivered_ms < CHANGE_SAY_UNDELIVERED_MS)
        return;
    c->undelivered_ms = now;
    log_line(LOG_ERROR, "a change could not be brought to the application, and is tried again",
             "reason", err->text, "hint", *err->hint ? err->hint : NULL, NULL);
}

static void deliver(void *owner)
{
    struct change *c = owner;
    struct err err = ERR_INIT;

    if (files_write(c->job, NULL, &err) != 0 || renew_environment(c, &err) != 0) {
        deliver_later(c, &err);
        return;
    }
    c->retry = (struct backoff){.base_ms = CHANGE_RETRY_MS, .cap_ms = CHANGE_RETRY_MAX_MS};
    c->undelivered_ms = 0;
    redaction_delivered(c->beside->redaction);
    c->beside->facts.changes++;
    log_line(LOG_INFO, "a value has changed", NULL);
    act(c);
}

/* ---- the whole ---------------------------------------------------------------------------------- */

void change_init(struct change *c, struct job *job, struct supervisor *s, struct beside *beside)
{
    *c = (struct change){.job = job, .supervisor = s, .beside = beside, .by_ms = CLOCK_NEVER};
    c->timer = (struct supervise_timer){.callback = deliver, .owner = c};
    c->retry = (struct backoff){.base_ms = CHANGE_RETRY_MS, .cap_ms = CHANGE_RETRY_MAX_MS};
}

static void deliver_soon(struct change *c)
{
    int64_t splay_ms = clock_random((uint32_t)run_of(c)->splay_ms + 1);
    int64_t due = clock_earlier(clock_in_ms(splay_ms), c->by_ms);

    if (!c->timer.is_set || due < c->timer.due_ms)
        supervise_timer(c->supervisor, &c->timer, due);
}

void change_begin(struct change *c, int64_t by_ms, bool is_whole)
{
    c->is_whole = is_whole;
    c->by_ms = change_is_pending(c) ? clock_earlier(c->by_ms, by_ms) : by_ms;
}

bool change_is_pending(const struct change *c)
{
    return c->timer.is_set;
}

static void adopt(struct change *c, struct contract_value *values, struct contract_value *fresh)
{
    for (size_t i = 0; i < c->job->contract->variable_count; i++) {
        if (!differs(&fresh[i], &c->job->values[i]))
            continue;
        fresh[i].bytes = SECRET_INIT; /* it is in VALUES */
        secret_release(&c->job->values[i].bytes);
    }
    free(c->job->values);
    c->job->values = values;
    deliver_soon(c);
}

static bool has_changed(const struct change *c, const struct contract_value *fresh)
{
    for (size_t i = 0; i < c->job->contract->variable_count; i++)
        if (differs(&fresh[i], &c->job->values[i]))
            return true;
    return false;
}

/* 0: adopted; -1: nothing has changed but the log. */
static int take(struct change *c, struct contract_value *fresh, struct err *err)
{
    struct contract_value *values = mem_new(c->job->contract->variable_count, sizeof *values);

    if (!values)
        return err_nomem(err);
    lay_over(c, fresh, values);
    if (check(c, values, err) != 0 || hide(c, err) != 0) {
        free(values);
        return -1;
    }
    adopt(c, values, fresh);
    return 0;
}

static void say_not_taken(const struct err *err)
{
    log_line(LOG_ERROR, "a change could not be taken", "reason", err->text, "hint",
             *err->hint ? err->hint : NULL, NULL);
}

void change_take(struct change *c, struct contract_value *fresh)
{
    struct err err = ERR_INIT;

    bool refused = has_changed(c, fresh) && take(c, fresh, &err) != 0;
    if (!refused)
        c->refused_ms = 0;
    else if (err.kind != ERR_VIOLATION)
        say_not_taken(&err);
    for (size_t i = 0; i < c->job->contract->variable_count; i++)
        secret_release(&fresh[i].bytes);
}

/* ---- without a contract -------------------------------------------------------------------------- */

static void release_entries(struct change_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(TAKE_POINTER(entries[i].name));
        secret_release(&entries[i].value);
    }
}

static bool is_set_so(const struct change *c, const struct change_entry *entry)
{
    const char *now = environment_get(&c->job->environment, entry->name);
    const struct secret value = now ? secret_borrow(now, strlen(now)) : SECRET_INIT;

    return secret_equal(&value, &entry->value);
}

void change_take_environment(struct change *c, struct change_entry *entries, size_t count)
{
    struct change_entry *own = mem_new(count, sizeof *own);
    struct err err = ERR_INIT;
    bool same = true;

    for (size_t i = 0; i < count; i++)
        same = same && entries[i].name && is_set_so(c, &entries[i]);
    int result = own ? 0 : err_nomem(&err);
    if (result == 0 && !same)
        result = hide(c, &err);
    if (result != 0)
        say_not_taken(&err);
    if (same || result != 0) {
        release_entries(entries, count);
        free(own);
        return;
    }
    release_entries(c->entries, c->entry_count);
    free(c->entries);
    memcpy(own, entries, count * sizeof *own);
    memset(entries, 0, count * sizeof *own);
    c->entries = own;
    c->entry_count = count;
    deliver_soon(c);
}

void change_release(struct change *c)
{
    release_entries(c->entries, c->entry_count);
    free(c->entries);
    c->entries = NULL;
    c->entry_count = 0;
    supervise_timer(c->supervisor, &c->timer, CLOCK_NEVER);
    free(c->environment);
    c->environment = NULL;
}
