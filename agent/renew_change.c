/* agent/renew_change.c: new values in place of those that end, or that may have changed: made, checked and
 * tried, or taken back. A child's work. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "agent/files.h"
#include "agent/mask.h"
#include "agent/renew_parts.h"
#include "agent/stale.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "bootstrap/db.h"

enum { LOGIN_AGAIN_MS = 100, LOGIN_AGAIN_MAX_MS = 1000 };

/* ---- what is not asked again --------------------------------------------------------------------- */

/* Whether the answer for READ is used once more. */
static bool stays(const struct renew *r, const struct renew_read *read)
{
    bool is_lent = renew_is_lease(&read->read) || renew_is_static(&read->read);

    if (read->replace || (renew_is_lease(&read->read) && r->plan.replace_token))
        return false;
    return is_lent || !r->plan.ask_again;
}

/* READ moves into the set, where it is not asked again. */
static int keep(struct renew *r, struct renew_read *read, struct err *err)
{
    if (!stays(r, read))
        return 0;
    return source_adopt(r->job->sources, &read->read, err);
}

/* A value with nothing in it that Vault or the environment said stays as it is, unless all is asked. */
static bool keeps_value(const struct renew *r, const struct contract_variable *variable)
{
    if (r->plan.ask_again)
        return false;
    for (size_t i = 0; i < variable->part_count; i++)
        if (variable->parts[i].ref.kind == REF_VAULT || variable->parts[i].ref.kind == REF_ENV)
            return false;
    return true;
}

/* What is kept was registered by whoever made it: without run.refresh that was the start (age 0). */
bool renew_hands_over_all(const struct renew *r)
{
    const struct contract *contract = r->job->contract;

    if (!contract || contract->run.refresh_ms == 0)
        return true;
    for (size_t i = 0; i < contract->variable_count; i++)
        if (contract->variables[i].secret && keeps_value(r, &contract->variables[i]))
            return false;
    return true;
}

/* Empty the values that are made anew; what they were goes into BEFORE. */
static void clear_values(struct renew *r, struct contract_value *before)
{
    struct job *job = r->job;

    for (size_t i = 0; i < job->contract->variable_count; i++) {
        before[i] = job->values[i];
        if (!keeps_value(r, &job->contract->variables[i]))
            job->values[i] = (struct contract_value){0};
    }
}

/* ---- whether there can be something new ------------------------------------------------------------ */

static bool asks_vault_alone(const struct contract *contract)
{
    for (size_t i = 0; i < contract->variable_count; i++)
        for (size_t k = 0; k < contract->variables[i].part_count; k++) {
            enum ref_kind kind = contract->variables[i].parts[k].ref.kind;
            if (kind != REF_VAULT && kind != REF_NONE)
                return false;
        }
    return true;
}

static bool replaces_something(const struct renew *r)
{
    for (size_t i = 0; i < r->held.read_count; i++)
        if (r->held.reads[i].replace)
            return true;
    return r->plan.replace_token;
}

/* Whether every secret of KV that was read has still the version that it had. Where a policy does not
 * allow to look at that, it is not known, and the data are read. */
static bool has_same_versions(struct renew *r, struct vault *vault)
{
    AUTO_FREE struct vault_outline *outlines = mem_new(r->held.read_count, sizeof(*outlines));
    struct err err = ERR_INIT;
    size_t count = 0;
    bool same = true;

    if (!outlines)
        return false;
    for (size_t i = 0; i < r->held.read_count; i++) {
        const struct vault_read *read = &r->held.reads[i].read;
        if (read->version > 0)
            outlines[count++].path = read->path;
        else if (!renew_is_lease(read) && !renew_is_static(read))
            return false; /* KV version 1 has none */
    }
    if (vault_outline_all(vault, outlines, count, r->plan.deadline_ms, &err) != 0)
        same = false;
    for (size_t i = 0, k = 0; i < r->held.read_count; i++) {
        const struct vault_read *read = &r->held.reads[i].read;
        if (read->version == 0)
            continue;
        same = same && outlines[k].state == VAULT_OUTLINE_THERE &&
               outlines[k].version == read->version;
        vault_outline_release(&outlines[k++]);
    }
    return same;
}

/* ---- a login ---------------------------------------------------------------------------------------- */

static bool is_database_url(const struct secret *value)
{
    static const char scheme[] = "postgres";

    return secret_length(value) >= sizeof scheme &&
           strncmp(secret_reveal(value), scheme, sizeof scheme - 1) == 0;
}

static int log_in(const struct db_target *target, int64_t deadline_ms, struct err *err)
{
    struct backoff pause = {.base_ms = LOGIN_AGAIN_MS, .cap_ms = LOGIN_AGAIN_MAX_MS};
    int64_t deadline = clock_earlier(clock_in_ms(RENEW_LOGIN_MS), deadline_ms);
    struct err refused = ERR_INIT;
    AUTO_DB db = NULL;

    /* A login that was made a moment ago may be on its way to a replica. */
    while (db_connect(target, deadline, &db, err) != 0) {
        if (err->kind == ERR_DB_REFUSED)
            refused = *err;
        if (backoff_wait(&pause, 0, deadline))
            continue;
        /* For the last one there may be milliseconds: no answer to it takes back what was answered. */
        if (refused.kind != ERR_NONE)
            *err = refused;
        return -1;
    }
    return 0;
}

static int try_value(const struct contract_variable *variable, const struct secret *value,
                     int64_t deadline_ms, struct err *err)
{
    struct db_target target = {0};
    struct err no_target = ERR_INIT;

    if (db_target_parse(value, variable->name, &target, &no_target) != 0)
        return 0; /* nothing that libpq could be given; the contract's check has its own view */
    int result = log_in(&target, deadline_ms, err);
    db_target_release(&target);
    return result != 0 ? err_wrap(err, "'%s': the new login was tried", variable->name) : 0;
}

/* What the application has is over: untried ones can't be worse. */
static bool has_ended(const struct renew *r)
{
    for (size_t i = 0; i < r->held.read_count; i++)
        if (r->held.reads[i].replace && clock_passed(r->held.reads[i].schedule.expires_ms))
            return true;
    return false;
}

static int try_logins(const struct renew *r, const struct contract_value *before, struct err *err)
{
    const struct contract *contract = r->job->contract;

    for (size_t i = 0; i < contract->variable_count; i++) {
        const struct secret *value = &r->job->values[i].bytes;
        if (!secret_is_set(value) || !is_database_url(value) ||
            secret_equal(value, &before[i].bytes) ||
            try_value(&contract->variables[i], value, r->plan.deadline_ms, err) == 0)
            continue;
        if (err->kind != ERR_DB_DOWN || !has_ended(r))
            return -1;
        log_line(LOG_ERROR, "new credentials are handed over untried: the old ones have ended",
                 "reason", err->text, NULL);
        err_clear(err);
    }
    return 0;
}

/* ---- all of it -------------------------------------------------------------------------------------- */

/* A last known value is none that is new. */
static int refuse_stale(const struct job *job, struct err *err)
{
    for (size_t i = 0; i < job->contract->variable_count; i++)
        if (job->values[i].stale)
            return err_set(err, ERR_SOURCE_DOWN, "'%s' has its last known value only",
                           job->contract->variables[i].name);
    return 0;
}

/* The answer to what HELD has, asked once more; NULL: it was not. */
static const struct vault_read *asked_again(const struct vault_read *held,
                                            const struct vault_read *const *reads, size_t count)
{
    for (size_t i = 0; held->version > 0 && i < count; i++)
        if (str_eq(reads[i]->path, held->path))
            return reads[i];
    return NULL;
}

/* Versions of a secret grow. A lower one is an older answer: of a node that lags, or of whatever stands
 * in between and answers from memory. Only a secret that was removed and made again begins anew, and was
 * written later. */
static int refuse_older(const struct renew *r, struct err *err)
{
    size_t count = r->job->sources ? source_reads(r->job->sources, NULL, 0) : 0;
    AUTO_FREE const struct vault_read **reads = mem_new(count + 1, sizeof(*reads));

    if (!reads)
        return err_nomem(err);
    if (count > 0)
        (void)source_reads(r->job->sources, reads, count);
    for (size_t i = 0; i < r->held.read_count; i++) {
        const struct vault_read *held = &r->held.reads[i].read;
        const struct vault_read *now = asked_again(held, reads, count);
        if (!now || now->version == 0 || now->version >= held->version ||
            now->written_at_ns > held->written_at_ns)
            continue;
        err_set(
            err, ERR_SOURCE_DOWN,
            "'%s' was answered with version %u, and version %u was read before: an older answer",
            held->path, now->version, held->version);
        return err_hint(err, "A node that lags behind, or a cache in between, answers so.");
    }
    return 0;
}

static int resolve_and_check(struct renew *r, struct err *err)
{
    struct job *job = r->job;
    AUTO_FREE struct contract_value *before = mem_new(job->contract->variable_count,
                                                      sizeof(*before));

    if (!before)
        return err_nomem(err);
    clear_values(r, before);
    if (job_resolve(job, NULL, err) != 0 || files_resolve(job, err) != 0 ||
        refuse_stale(job, err) != 0 || refuse_older(r, err) != 0)
        return -1;
    if (job_check(job, err) != 0) {
        /* Where nothing was made for it, whoever takes the change refuses it. */
        bool refused_there = err->kind == ERR_VIOLATION && !replaces_something(r);
        return refused_there ? 0 : -1;
    }
    if (try_logins(r, before, err) != 0)
        return -1;
    stale_refresh(job, true);
    return 0;
}

/* Without a contract: the references of the environment, once more. */
static int resolve_inlines(struct renew *r, struct err *err)
{
    return r->prepare(r->job, err) != 0 ? -1 : refuse_older(r, err);
}

static bool was_there(const struct renew *r, const char *lease_id)
{
    for (size_t i = 0; i < r->held.read_count; i++)
        if (r->lease_ids[i] && str_eq(r->lease_ids[i], lease_id))
            return true;
    return false;
}

/* Whoever makes new ones and can't use them ends them. True: there were some. */
static bool take_back(struct renew *r, struct vault *vault, bool has_new_token)
{
    size_t count = source_leases(r->job->sources, NULL, 0);
    AUTO_FREE struct source_lease *leases = mem_new(count, sizeof(*leases));
    struct err err = ERR_INIT;
    bool made = has_new_token;

    (void)source_leases(r->job->sources, leases, leases ? count : 0);
    for (size_t i = 0; leases && i < count; i++) {
        if (!leases[i].lease->id || was_there(r, leases[i].lease->id))
            continue;
        made = true;
        if (!has_new_token)
            (void)vault_lease_revoke_quietly(vault, leases[i].lease->id);
    }
    if (has_new_token && vault_revoke_own_token(vault, &err) != 0)
        log_line(LOG_DEBUG, "a token that is not used ends by itself", "reason", err.text, NULL);
    return made;
}

/* Nothing was sent, or the server itself said no: there is nothing new. */
static bool is_certain(const struct err *err)
{
    return err->http_status != 0 || err->sys_errno == ECONNREFUSED;
}

/* A token that we were given is read again where it lies: somebody may have put another there. */
static int look_for_another(struct renew *r, struct vault *vault, struct err *err)
{
    struct vault_session now = {0};
    struct vault_term term;

    if (vault_token_term(vault, r->plan.deadline_ms, &term, err) != 0 ||
        vault_session_get(vault, &now, err) != 0)
        return -1;
    bool same = secret_equal(&now.token, &r->held.session.token);
    vault_session_release(&now);
    if (!same)
        return 0;
    (void)err_set(err, ERR_SOURCE_DENIED,
                  "the token that we were given ends, and there is no other");
    return err_hint(err,
                    "Give agent a way to log in (vault.auth), or put a new one into its file.");
}

static int replace_token(struct renew *r, struct vault *vault, bool *has_new_token, struct err *err)
{
    if (!r->held.session.logged_in)
        return look_for_another(r, vault, err);
    if (vault_log_in_again(vault, r->plan.deadline_ms, err) != 0)
        return -1;
    *has_new_token = true;
    return 0;
}

static int begin(struct renew *r, struct vault **vault, bool *has_new_token, struct err *err)
{
    struct job *job = r->job;

    renew_begin_work(r);
    job->environment = ENVIRONMENT_INIT; /* the parent's points at what is wiped here */
    job->findings = FINDINGS_INIT;
    if ((job->contract && /* without one, whoever prepares does that */
         environment_index(&job->environment, (const char *const *)environ, err) != 0) ||
        renew_open_vault(r, vault, err) != 0 ||
        (r->plan.replace_token && replace_token(r, *vault, has_new_token, err) != 0))
        return -1;
    for (size_t i = 0; i < r->held.read_count; i++)
        if (keep(r, &r->held.reads[i], err) != 0)
            return -1;
    return 0;
}

/* HEAD is written once it is known; WORK's answer comes behind it. */
static int answer_with(const struct renew_change_head *head, const struct renew *r,
                       struct buf *answer, struct err *err)
{
    wire_put_struct(answer, head, sizeof *head);
    return head->is_same ? 0 : renew_hand_put(r, answer, err);
}

int renew_work_change(void *context, struct buf *answer, struct err *err)
{
    struct renew *r = context;
    struct renew_change_head head = {0};
    struct vault *vault = NULL;
    bool has_new_token = false, replaces = replaces_something(r);

    if (renew_heed_signals(err) != 0)
        return -1;
    if (r->plan.ask_again && !replaces && r->job->contract && asks_vault_alone(r->job->contract)) {
        renew_begin_work(r);
        if (renew_open_vault(r, &vault, err) != 0)
            return -1;
        head.is_same = vault && has_same_versions(r, vault);
        if (head.is_same)
            return answer_with(&head, r, answer, err);
    }
    int result = begin(r, &vault, &has_new_token, err);
    if (result == 0)
        result = r->job->contract ? resolve_and_check(r, err) : resolve_inlines(r, err);
    result = renew_heed_no_more(result, err);
    if (result == 0)
        return answer_with(&head, r, answer, err);
    if (r->job->findings.errors > 0)
        job_say_findings(r->job);
    head.made = replaces && !is_certain(err);
    if (vault && take_back(r, vault, has_new_token))
        head.made = true;
    wire_put_struct(answer, &head, sizeof head);
    return -1;
}
