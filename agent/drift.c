/* agent/drift.c: what Vault has for the selected profile, held against its sources. */
#include "agent/drift.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

enum {
    NAMES_SHOWN_BYTES = 512, /* of the fields that are there */
    AGE_BYTES = 64,
    MS_PER_S = 1000,
};

/* The outlines of every path that the profile's sources name, each path once. */
struct outlines {
    struct vault_outline *list;
    size_t count;
};

static void outlines_release(struct outlines *outlines)
{
    for (size_t i = 0; i < outlines->count; i++)
        vault_outline_release(&outlines->list[i]);
    free(outlines->list);
}

static struct vault_outline *find_outline(const struct outlines *outlines, const char *path)
{
    for (size_t i = 0; i < outlines->count; i++)
        if (str_eq(outlines->list[i].path, path))
            return &outlines->list[i];
    return NULL;
}

static int collect_paths(const struct contract *contract, struct outlines *out, struct err *err)
{
    size_t most = 0;

    for (size_t i = 0; i < contract->variable_count; i++)
        most += contract->variables[i].part_count;
    out->list = mem_new(most + 1, sizeof(*out->list));
    if (!out->list)
        return err_nomem(err);
    for (size_t i = 0; i < contract->variable_count; i++) {
        const struct contract_variable *variable = &contract->variables[i];
        for (size_t part = 0; part < variable->part_count; part++) {
            const struct ref *ref = &variable->parts[part].ref;
            if (ref->kind == REF_VAULT && !find_outline(out, ref->path))
                out->list[out->count++].path = ref->path;
        }
    }
    return 0;
}

/* ---- findings ------------------------------------------------------------------------------- */

static void add(struct job *job, const struct contract_variable *variable,
                enum finding_severity severity, const char *rule, const char *message,
                const char *hint)
{
    const struct finding finding = {
        .severity = severity,
        .variable = variable->name,
        .rule = rule,
        .message = message,
        .hint = hint && *hint ? hint : NULL,
        .file = variable->position.file,
        .pointer = variable->position.pointer,
        .line = variable->position.line,
        .column = variable->position.column,
    };

    findings_add(&job->findings, &finding);
}

/* The source of VARIABLE lacks something: an error where it is required. */
static void add_missing(struct job *job, const struct contract_variable *variable,
                        const struct buf *message, const char *hint)
{
    struct drift_need need = drift_need(job->contract, variable);

    add(job, variable, need.required ? FINDING_ERROR : FINDING_WARNING,
        need.required ? "required" : "drift", buf_text(message), hint);
}

static void check_field(struct job *job, const struct contract_variable *variable,
                        const struct ref *ref, const struct vault_outline *outline)
{
    AUTO_BUF message = BUF_INIT(ERR_TEXT_BYTES);
    AUTO_BUF hint = BUF_INIT(ERR_HINT_BYTES);

    for (size_t i = 0; i < outline->name_count; i++) {
        if (!str_eq(outline->names[i].name, ref->field))
            continue;
        if (!outline->names[i].text)
            return;
        buf_addf(&message, "the field '%s' of '%s' is an %s, not a value", ref->field, ref->path,
                 outline->names[i].text);
        add(job, variable, FINDING_ERROR, "required", buf_text(&message),
            "Name a field that has a text, or write it as one.");
        return;
    }
    buf_addf(&message, "Vault has no field '%s' at '%s'", ref->field, ref->path);
    for (size_t i = 0; i < outline->name_count && hint.len < NAMES_SHOWN_BYTES; i++)
        buf_addf(&hint, "%s'%s'", i == 0 ? "It has: " : ", ", outline->names[i].name);
    buf_adds(&hint, outline->name_count == 0 ? "It has no fields." : ".");
    add_missing(job, variable, &message, buf_text(&hint));
}

static void check_presence(struct job *job, const struct contract_variable *variable,
                           const struct ref *ref, const struct vault_outline *outline)
{
    AUTO_BUF message = BUF_INIT(ERR_TEXT_BYTES + ERR_HINT_BYTES);

    switch (outline->state) {
    case VAULT_OUTLINE_UNKNOWN:
        buf_addf(&message, "could not be looked at: %s", outline->err.text);
        add(job, variable, outline->err.kind == ERR_SOURCE_DOWN ? FINDING_ERROR : FINDING_WARNING,
            "source", buf_text(&message), outline->err.hint);
        return;
    case VAULT_OUTLINE_MISSING:
        buf_addf(&message, "Vault has nothing at '%s'", ref->path);
        add_missing(job, variable, &message,
                    "Write the secret there, or mend the path in the variable's 'source'.");
        return;
    case VAULT_OUTLINE_DELETED:
    case VAULT_OUTLINE_DESTROYED:
        buf_addf(&message, "version %u of '%s' was %s", outline->version, ref->path,
                 outline->state == VAULT_OUTLINE_DELETED ? "deleted" : "destroyed");
        add_missing(job, variable, &message,
                    outline->state == VAULT_OUTLINE_DELETED
                        ? "Undelete that version, or write the secret again."
                        : "Write the secret again.");
        return;
    case VAULT_OUTLINE_THERE:
    default:
        if (outline->names_known)
            check_field(job, variable, ref, outline);
    }
}

/* Whether a rotation writes PART of VARIABLE: of a composed value the login, not the host beside it,
 * which may be as young or as old as it likes. */
static bool is_replaced(const struct contract_variable *variable, size_t part)
{
    bool has_login = false;

    for (size_t i = 0; i < variable->part_count; i++)
        has_login = has_login || str_eq(variable->parts[i].name, "user") ||
                    str_eq(variable->parts[i].name, "password");
    return !has_login || str_eq(variable->parts[part].name, "user") ||
           str_eq(variable->parts[part].name, "password");
}

/* When the newest of VARIABLE's parts was written: Unix seconds, 0 where it is not known. What
 * agent noted of its own rotation counts before a version's age. */
static int64_t written_at(const struct contract_variable *variable, const struct outlines *outlines)
{
    int64_t newest = 0;

    for (size_t i = 0; i < variable->part_count; i++) {
        const struct ref *ref = &variable->parts[i].ref;
        const struct vault_outline *outline = ref->kind == REF_VAULT
                                                  ? find_outline(outlines, ref->path)
                                                  : NULL;
        if (!outline || outline->state != VAULT_OUTLINE_THERE || !is_replaced(variable, i))
            continue;
        int64_t at = vault_outline_rotated_at(outline, variable->name);
        at = at > 0 ? at : outline->written_at;
        newest = at > newest ? at : newest;
    }
    return newest;
}

static void check_age(struct job *job, const struct contract_variable *variable,
                      const struct outlines *outlines)
{
    int64_t every_ms = drift_need(job->contract, variable).every_ms;
    int64_t written_s = written_at(variable, outlines);
    AUTO_BUF message = BUF_INIT(ERR_TEXT_BYTES);
    char when[CLOCK_RFC3339_BYTES];

    if (every_ms == 0 || written_s == 0)
        return;
    int64_t age_s = clock_unix_seconds() - written_s;
    if (age_s * MS_PER_S <= every_ms)
        return;
    clock_rfc3339(written_s, when);
    buf_addf(&message, "was last replaced at %s, and is to be replaced every ", when);
    str_add_duration(&message, every_ms);
    add(job, variable, FINDING_ERROR, "expired", buf_text(&message),
        "Rotate it; what stands in rotate.every is its period.");
}

/* ---- Vault ---------------------------------------------------------------------------------- */

static int ask(struct job *job, struct outlines *outlines, struct err *err)
{
    struct vault *vault = NULL;
    struct err revoked = ERR_INIT;

    if (job_sources(job, err) != 0 || vault_open(&job->vault, &vault, err) != 0)
        return -1;
    int result = vault_outline_all(vault, outlines->list, outlines->count, job->call->deadline_ms,
                                   err);
    if (vault_revoke_own_token(vault, &revoked) != 0)
        log_line(LOG_WARN, "the token of this log-in could not be revoked; it ends by itself",
                 "reason", revoked.text, NULL);
    vault_free(vault);
    return result;
}

static int look_at_vault(struct job *job, struct err *err)
{
    CLEANUP(outlines_release) struct outlines outlines = {0};

    if (collect_paths(job->contract, &outlines, err) != 0)
        return -1;
    if (outlines.count == 0)
        return 0;
    if (ask(job, &outlines, err) != 0)
        return -1;
    for (size_t i = 0; i < job->contract->variable_count; i++) {
        const struct contract_variable *variable = &job->contract->variables[i];
        for (size_t part = 0; part < variable->part_count; part++) {
            const struct ref *ref = &variable->parts[part].ref;
            const struct vault_outline *outline = ref->kind == REF_VAULT
                                                      ? find_outline(&outlines, ref->path)
                                                      : NULL;
            if (outline)
                check_presence(job, variable, ref, outline);
        }
        check_age(job, variable, &outlines);
    }
    for (size_t i = 0; i < outlines.count; i++)
        if (outlines.list[i].err.kind == ERR_SOURCE_DOWN) {
            *err = outlines.list[i].err;
            return -1;
        }
    return 0;
}

int drift_check(struct job *job, const char *const *folders, bool ask_vault,
                struct drift_counts *counts, struct err *err)
{
    struct err down = ERR_INIT;

    if ((ask_vault ? job_load(job, err) : job_open(job, err)) != 0)
        return -1;
    if (ask_vault && look_at_vault(job, &down) != 0 && down.kind == ERR_RESOURCE)
        return err_wrap(memcpy(err, &down, sizeof(*err)), "look at Vault");
    if (drift_look(job->contract, folders, &job->findings, counts, err) != 0)
        return -1;
    if (down.kind != ERR_NONE) { /* the files are looked at all the same */
        *err = down;
        return -1;
    }
    return job_refuse_problems(job, ERR_VIOLATION, "contract and use have drifted apart", err);
}
