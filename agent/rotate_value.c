/* rotate_value.c: what the application gets for a variable, and what it would get. */
#include "agent/mask.h"
#include "agent/rotate.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "vault/engine.h"

/* One variable's value on its way: what its parts ask for, and what they get. */
struct composing {
    struct rotate_job *r;
    const struct contract_variable *variable;
    const struct rotate_place *place; /* NULL: nothing of it is given */
    const struct document *fields;
    struct source_request *requests; /* parallel to the parts */
    const struct secret **parts;
};

static void composing_release(struct composing *c)
{
    for (size_t i = 0; c->requests && i < c->variable->part_count; i++)
        secret_release(&c->requests[i].value);
    free(c->requests);
    free(c->parts);
}

/* Whether PATH makes log-ins: of those a rotation tries one that it was given. */
static bool is_engines(const char *path)
{
    CLEANUP(vault_login_release) struct vault_login login = {0};
    struct err ignored = ERR_INIT; /* then it is a path of KV */

    return vault_login_of(path, &login, &ignored) == 0;
}

/* What REF has among the fields that are given; NULL: it is asked for. */
static const struct secret *given(const struct composing *c, const struct ref *ref)
{
    if (!c->place)
        return NULL;
    if (c->place->kind == ROTATE_IN_KV && ref->kind == REF_VAULT &&
        str_eq(ref->path, c->place->path))
        return document_get(c->fields, NULL, ref->field);
    if (c->place->kind == ROTATE_IN_SEALED && ref->kind == REF_SEALED)
        return document_get(c->fields, NULL, ref->path);
    if (c->place->kind == ROTATE_NOWHERE && ref->kind == REF_VAULT && is_engines(ref->path))
        return document_get(c->fields, NULL, ref->field);
    return NULL;
}

/* The environment's value, or what it refers to. */
static int ask_environment(const struct composing *c, const struct ref *ref,
                           struct source_request *out, struct err *err)
{
    const char *name = ref->path ? ref->path : c->variable->name;
    const char *text = job_environment(c->r->job, c->variable, name);

    out->ref = (struct ref){.kind = REF_NONE};
    if (text && ref_is_inline(text)) {
        if (ref_parse(&c->r->job->arena, text, &out->ref, err) != 0)
            return err_wrap(err, "environment variable '%s'", name);
    } else if (text) {
        out->ref = (struct ref){.kind = REF_ENV, .path = name};
    }
    return 0;
}

static int collect(struct composing *c, struct err *err)
{
    for (size_t i = 0; i < c->variable->part_count; i++) {
        const struct ref *ref = &c->variable->parts[i].ref;
        struct source_request *request = &c->requests[i];
        *request = (struct source_request){.ref = *ref, .variable = c->variable->name};
        if (given(c, ref))
            request->ref.kind = REF_NONE;
        else if (ref->kind == REF_ENV && ask_environment(c, ref, request, err) != 0)
            return -1;
    }
    return 0;
}

/* All of the parts, each from where it is. */
static int ask(struct composing *c, struct err *err)
{
    struct job *job = c->r->job;
    size_t count = c->variable->part_count;

    if (job_sources(job, err) != 0 ||
        source_forget(job->sources, job->call->deadline_ms, err) != 0 ||
        source_resolve(job->sources, c->requests, count, job->call->deadline_ms, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        const struct secret *here = given(c, &c->variable->parts[i].ref);
        c->parts[i] = here                                 ? here
                      : c->requests[i].state == SOURCE_SET ? &c->requests[i].value
                                                           : NULL;
    }
    return 0;
}

static const char *why_absent(const struct composing *c)
{
    for (size_t i = 0; i < c->variable->part_count; i++)
        if (!c->parts[i] && *c->requests[i].err.text)
            return c->requests[i].err.text;
    return NULL;
}

static int begin(struct composing *c, struct rotate_job *r, const char *name, struct err *err)
{
    *c = (struct composing){.r = r, .variable = contract_find(r->job->contract, name)};
    if (!c->variable)
        return err_set(err, ERR_CONTRACT, "there is no variable '%s' in '%s'", name,
                       r->job->contract->path);
    c->requests = mem_new(c->variable->part_count + 1, sizeof(*c->requests));
    c->parts = mem_new(c->variable->part_count + 1, sizeof(void *));
    return c->requests && c->parts ? 0 : err_nomem(err);
}

/* The first error among FINDINGS. */
static const struct finding *first_of(const struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++)
        if (findings->list[i].severity == FINDING_ERROR)
            return &findings->list[i];
    return NULL;
}

static int refuse(const struct findings *findings, const char *name, struct err *err)
{
    const struct finding *first = first_of(findings);

    if (findings->no_memory)
        return err_nomem(err);
    if (!first)
        return 0;
    err_set(err, ERR_VIOLATION, "the contract refuses the value of '%s': %s", name, first->message);
    return first->hint ? err_hint(err, "%s", first->hint) : -1;
}

/* Whatever is said from now on does not show it. */
static int hide(const struct composing *c, const struct secret *value, struct err *err)
{
    return c->variable->secret ? mask_value(value, c->parts, c->variable->part_count, err) : 0;
}

/* ENVIRONMENT: a value there that is allowed to win. */
static int compose(struct composing *c, const char *environment, struct findings *findings,
                   struct contract_value *out, struct err *err)
{
    struct contract_input input = {.parts = c->parts, .environment = environment};
    struct contract_value value = {0};

    if (collect(c, err) != 0 || ask(c, err) != 0)
        return -1;
    input.absent_because = why_absent(c);
    if (contract_assemble(c->r->job->contract, c->variable, &input, &value, findings, err) != 0)
        return -1;
    if (!secret_is_set(&value.bytes)) {
        const char *why = why_absent(c);
        return err_set(err, ERR_SOURCE_MISSING, "'%s' has no value%s%s", c->variable->name,
                       why ? ": " : "", why ? why : "");
    }
    if (hide(c, &value.bytes, err) != 0) {
        secret_release(&value.bytes);
        return -1;
    }
    value.resolved = true;
    *out = value;
    return 0;
}

/* A value that the caller may keep; one that is borrowed lives as long as the environment. */
static int hand_over(struct contract_value *value, struct secret *out, struct err *err)
{
    struct secret copy = SECRET_INIT;

    if (secret_set(&copy, secret_reveal(&value->bytes), secret_length(&value->bytes), err) != 0)
        return -1;
    *out = copy;
    return 0;
}

int rotate_value_of(struct rotate_job *r, const char *variable, struct secret *out, struct err *err)
{
    CLEANUP(composing_release) struct composing c = {0};
    AUTO_FINDINGS findings = FINDINGS_INIT; /* of a value that differs: `check` says it */
    struct contract_value value = {0};

    if (begin(&c, r, variable, err) != 0)
        return -1;
    const char *own = c.variable->overridable ? job_environment(r->job, c.variable, variable)
                                              : NULL;
    if (compose(&c, own, &findings, &value, err) != 0)
        return err_wrap(err, "the value of '%s'", variable);
    int result = hand_over(&value, out, err);
    secret_release(&value.bytes);
    return result;
}

static const struct rotate_spec *spec_named(const struct rotate_job *r, const char *variable)
{
    for (size_t i = 0; i < r->count; i++)
        if (str_eq(r->specs[i].variable, variable))
            return &r->specs[i];
    return NULL;
}

/* VALUE alone against the model: what hangs on other variables is not known, and not held against it. */
static int check(const struct composing *c, const struct contract_value *value,
                 struct findings *findings, struct err *err)
{
    const struct contract *contract = c->r->job->contract;
    AUTO_FREE struct contract_value *values = mem_new(contract->variable_count + 1,
                                                      sizeof(*values));

    if (!values)
        return err_nomem(err);
    values[c->variable - contract->variables] = *value;
    if (contract_check(contract, values, findings, err) != 0)
        return -1;
    return refuse(findings, c->variable->name, err);
}

int rotate_value_with(struct rotate_job *r, const char *variable, const struct document *fields,
                      struct secret *out, struct err *err)
{
    CLEANUP(composing_release) struct composing c = {0};
    AUTO_FINDINGS findings = FINDINGS_INIT;
    struct contract_value value = {0};
    const struct rotate_spec *spec = spec_named(r, variable);

    if (begin(&c, r, variable, err) != 0)
        return -1;
    c.place = spec ? &spec->place : NULL;
    c.fields = fields;
    if (compose(&c, NULL, &findings, &value, err) != 0)
        return err_wrap(err, "the new value of '%s'", variable);
    int result = check(&c, &value, &findings, err);
    if (result == 0)
        result = hand_over(&value, out, err);
    secret_release(&value.bytes);
    return result;
}
