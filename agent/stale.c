#include "agent/stale.h"

#include "agent/mask.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "vault/stale.h"

enum {
    ORIGIN_BYTES = 64 * 1024,
    AGE_BYTES = 64,
    MS_PER_S = 1000,
};

/* What is kept about one value between its fetch and its check. */
struct fresh {
    const char *origin; /* its references, in the job's arena; NULL: nothing is to be kept */
    int64_t expires_s;  /* the end of its lease, Unix time; 0: none */
};

struct stale_copies {
    struct fresh *fresh; /* parallel to the job's values */
    struct stale *store; /* NULL: not open */
};

void stale_copies_free(struct stale_copies *copies)
{
    if (!copies)
        return;
    stale_free(copies->store);
    free(copies->fresh);
    free(copies);
}

static int copies_of(struct job *job, struct stale_copies **out, struct err *err)
{
    if (!job->copies) {
        struct stale_copies *copies = mem_new(1, sizeof *copies);
        if (!copies)
            return err_nomem(err);
        copies->fresh = mem_new(job->contract->variable_count + 1, sizeof *copies->fresh);
        if (!copies->fresh) {
            free(copies);
            return err_nomem(err);
        }
        job->copies = copies;
    }
    *out = job->copies;
    return 0;
}

static int open_store(const struct job *job, bool make, struct stale_copies *copies,
                      struct err *err)
{
    const struct contract *contract = job->contract;

    if (copies->store)
        return 0;
    if (!contract->stale_dir || !contract->stale_key_file) /* the contract's check refuses that */
        return err_set(err, ERR_DEFECT, "there is no run.stale");
    AUTO_FREE char *folder = file_join(contract->folder, contract->stale_dir);
    AUTO_FREE char *key_file = file_join(contract->folder, contract->stale_key_file);
    if (!folder || !key_file)
        return err_nomem(err);
    return stale_open(folder, key_file, make, &copies->store, err);
}

/* ---- what a copy is of ----------------------------------------------------------------------- */

/* The references of VARIABLE as they were asked for, in the job's arena. */
static const char *origin_of(struct job *job, const struct contract_variable *variable,
                             const struct source_request *requests)
{
    AUTO_BUF text = BUF_INIT(ORIGIN_BYTES);

    for (size_t i = 0; i < variable->part_count; i++) {
        buf_addf(&text, "%s=", variable->parts[i].name ? variable->parts[i].name : "");
        ref_describe(&requests[i].ref, &text);
        buf_addc(&text, '\n');
    }
    return text.no_memory || text.too_long ? NULL
                                           : arena_dup_n(&job->arena, buf_text(&text), text.len);
}

static struct stale_subject subject_of(const struct job *job, size_t index, const char *origin)
{
    return (struct stale_subject){.project = job->contract->project,
                                  .profile = job->contract->profile,
                                  .variable = job->contract->variables[index].name,
                                  .origin = origin};
}

/* ---- using one ------------------------------------------------------------------------------- */

/* The first request that could not be reached; NULL when none failed, or one for another reason:
 * what was refused, or is not there, is not asked of a copy. */
static const struct source_request *unreachable(const struct contract_variable *variable,
                                                const struct source_request *requests)
{
    const struct source_request *first = NULL;

    for (size_t i = 0; i < variable->part_count; i++) {
        if (requests[i].state != SOURCE_FAILED)
            continue;
        if (requests[i].err.kind != ERR_SOURCE_DOWN)
            return NULL;
        first = first ? first : &requests[i];
    }
    return first;
}

static void say_stale(const struct contract_variable *variable, int64_t age_s, const char *reason)
{
    AUTO_BUF age = BUF_INIT(AGE_BYTES);

    str_add_duration(&age, age_s * MS_PER_S);
    log_line(LOG_WARN, "a source could not be reached: the last known value is used", "variable",
             variable->name, "age", buf_text(&age), "reason", reason, NULL);
}

static int get_copy(struct job *job, size_t index, const char *origin, struct secret *out,
                    int64_t *age_s, struct err *err)
{
    const struct stale_subject subject = subject_of(job, index, origin);
    int64_t most_s = job->contract->variables[index].stale_ok_ms / MS_PER_S;
    struct stale_copies *copies;

    if (copies_of(job, &copies, err) != 0 || open_store(job, false, copies, err) != 0)
        return -1;
    return stale_get(copies->store, &subject, clock_unix_seconds(), most_s, out, age_s, err);
}

int stale_use(struct job *job, size_t index, const struct source_request *requests,
              const char **why, struct err *err)
{
    const struct contract_variable *variable = &job->contract->variables[index];
    const struct source_request *failed = unreachable(variable, requests);
    struct contract_value *value = &job->values[index];
    AUTO_SECRET copy = SECRET_INIT;
    struct err reason = ERR_INIT;
    int64_t age_s = 0;

    *why = NULL;
    if (!failed || variable->stale_ok_ms <= 0)
        return 0;
    const char *origin = origin_of(job, variable, requests);
    if (!origin)
        return err_nomem(err);
    if (get_copy(job, index, origin, &copy, &age_s, &reason) != 0) {
        *why = arena_dup(&job->arena, reason.text);
        return *why ? 0 : err_nomem(err);
    }
    if (variable->secret && mask_value(&copy, NULL, 0, err) != 0)
        return -1;
    *value = (struct contract_value){.bytes = copy,
                                     .origin = VALUE_SOURCE,
                                     .stale = true,
                                     .stale_age_s = age_s,
                                     .resolved = true};
    copy = SECRET_INIT;
    job->has_unchecked = true;
    say_stale(variable, age_s, failed->err.text);
    return 1;
}

/* ---- keeping one ----------------------------------------------------------------------------- */

static bool comes_from_afar(const struct contract_variable *variable,
                            const struct source_request *requests)
{
    for (size_t i = 0; i < variable->part_count; i++)
        if (requests[i].ref.kind == REF_VAULT || requests[i].ref.kind == REF_COMMAND)
            return true;
    return false;
}

/* When the first of its leases ends; 0 where there is none. */
static int64_t end_of(const struct contract_variable *variable,
                      const struct source_request *requests)
{
    int64_t left_ms = CLOCK_NEVER;

    for (size_t i = 0; i < variable->part_count; i++)
        if (requests[i].lease)
            left_ms = clock_earlier(left_ms, clock_left_ms(requests[i].lease->expires_ms));
    return left_ms == CLOCK_NEVER ? 0 : clock_unix_seconds() + left_ms / MS_PER_S;
}

int stale_note(struct job *job, size_t index, const struct source_request *requests,
               struct err *err)
{
    const struct contract_variable *variable = &job->contract->variables[index];
    const struct contract_value *value = &job->values[index];
    struct stale_copies *copies;

    if (variable->stale_ok_ms <= 0 || !secret_is_set(&value->bytes) ||
        value->origin == VALUE_DEFAULT || !comes_from_afar(variable, requests))
        return 0;
    if (copies_of(job, &copies, err) != 0)
        return -1;
    const char *origin = origin_of(job, variable, requests);
    if (!origin)
        return err_nomem(err);
    copies->fresh[index] = (struct fresh){origin, end_of(variable, requests)};
    return 0;
}

static void say_not_kept(const char *variable, const struct err *err)
{
    log_line(LOG_WARN, "the last known value could not be kept for a start without its source",
             "variable", variable, "reason", err->text, "hint", *err->hint ? err->hint : NULL,
             NULL);
}

void stale_refresh(struct job *job, bool leases_live)
{
    struct stale_copies *copies = job->copies;
    int64_t now_s = clock_unix_seconds();

    for (size_t i = 0; copies && i < job->contract->variable_count; i++) {
        struct fresh fresh = copies->fresh[i];
        const char *variable = job->contract->variables[i].name;
        struct err err = ERR_INIT;
        if (!fresh.origin || (fresh.expires_s != 0 && !leases_live))
            continue;
        copies->fresh[i] = (struct fresh){0};
        if (open_store(job, true, copies, &err) != 0) {
            say_not_kept(variable, &err); /* and of the others the same would be said */
            return;
        }
        const struct stale_subject subject = subject_of(job, i, fresh.origin);
        if (stale_keep(copies->store, &subject, &job->values[i].bytes, now_s, fresh.expires_s,
                       &err) != 0)
            say_not_kept(variable, &err);
    }
}
