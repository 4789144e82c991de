/* store_kv_look.c: what is known of rotations in KV without reading a value, and what a policy has to allow.
 *
 * All secrets and all records are looked at in one flight. Only what is open is read then. */
#include "rotate/store_kv.h"

#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/str.h"

enum { AHEAD_PATHS = 12 };

/* ---- where to look ---------------------------------------------------------------------------- */

/* The outlines of all paths, each once. */
struct looks {
    struct vault_outline *outlines;
    size_t count, capacity;
    struct arena texts;
    const struct vault_outline **base, **pending; /* of each secret */
};

static void looks_release(struct looks *looks)
{
    for (size_t i = 0; i < looks->count; i++)
        vault_outline_release(&looks->outlines[i]);
    free(looks->outlines);
    free(looks->base);
    free(looks->pending);
    arena_release(&looks->texts);
}

static int want(struct looks *looks, const char *path, size_t *index, struct err *err)
{
    for (size_t i = 0; i < looks->count; i++) {
        if (str_eq(looks->outlines[i].path, path)) {
            *index = i;
            return 0;
        }
    }
    if (mem_grow(&looks->outlines, looks->count, &looks->capacity, sizeof(*looks->outlines)) != 0)
        return err_nomem(err);
    struct vault_outline outline = {.path = arena_dup(&looks->texts, path)};
    if (!outline.path)
        return err_nomem(err);
    *index = looks->count;
    looks->outlines[looks->count++] = outline;
    return 0;
}

/* Where it is told how old SPEC's secret is: the secret itself, or the engine's role. NULL: nowhere. */
static int age_path(const struct rotate_spec *spec, struct buf *out, struct err *err)
{
    if (spec->place.kind == ROTATE_IN_KV)
        buf_adds(out, spec->place.path);
    else if (spec->strategy == ROTATE_VAULT_STATIC)
        buf_addf(out, "%s/static-creds/%s", spec->mount, spec->role);
    return buf_check(out, ERR_CONTRACT, "the path of a secret", err);
}

static int want_one(struct looks *looks, const struct rotate_spec *spec, size_t *base,
                    size_t *pending, struct err *err)
{
    AUTO_BUF age = BUF_INIT(KV_PATH_BYTES), record = BUF_INIT(KV_PATH_BYTES);

    if (age_path(spec, &age, err) != 0 || kv_beside(spec, KV_PENDING, &record, err) != 0)
        return -1;
    *base = SIZE_MAX;
    if (age.len > 0 && want(looks, buf_text(&age), base, err) != 0)
        return -1;
    return want(looks, buf_text(&record), pending, err);
}

/* ---- what was found --------------------------------------------------------------------------- */

/* "at" of a mark's TEXT. */
static int64_t rotated_at(const char *text)
{
    AUTO_DOCUMENT mark = DOCUMENT_INIT;
    struct err ignored = ERR_INIT; /* what is none of ours says nothing */

    if (!text || document_parse(text, strlen(text), "a mark", ERR_ROTATION, &mark, &ignored) != 0)
        return 0;
    return store_time(document_text(&mark, NULL, "at"));
}

/* Of a secret that lies in no KV path: the metadata of its records. */
static int look_at_records(const struct rotate_spec *spec, struct vault *v,
                           const struct rotate_context *context, struct rotate_status *out,
                           struct err *err)
{
    CLEANUP(vault_kv_history_release) struct vault_kv_history history = {0};
    AUTO_BUF name = BUF_INIT(KV_PATH_BYTES);
    const struct vault_need need = {
        .path = spec->records, .kind = VAULT_NEED_METADATA, .wanted = VAULT_CAN_READ};

    buf_addf(&name, "agent.%s", spec->variable);
    if (buf_check(&name, ERR_CONTRACT, "the name of a mark", err) != 0)
        return -1;
    if (vault_kv_versions(v, spec->records, context->deadline_ms, &history, err) != 0)
        return kv_denied(v, &need, err);
    out->last_rotated = rotated_at(document_text(&history.custom, NULL, buf_text(&name)));
    return 0;
}

static int look_at_age(const struct rotate_spec *spec, const struct vault_outline *base,
                       struct vault *v, const struct rotate_context *context,
                       struct rotate_status *out, struct err *err)
{
    if (spec->place.kind == ROTATE_IN_KV)
        out->last_rotated = vault_outline_rotated_at(base, spec->variable);
    else if (look_at_records(spec, v, context, out, err) != 0)
        return -1;
    if (out->last_rotated > 0 || !base)
        return 0;
    if (base->state == VAULT_OUTLINE_UNKNOWN) {
        *err = base->err;
        return -1;
    }
    out->last_rotated = base->state == VAULT_OUTLINE_THERE ? base->written_at : 0;
    out->since_created = out->last_rotated > 0;
    return 0;
}

static int look_at_record(const struct rotate_spec *spec, const struct vault_outline *pending,
                          struct vault *v, const struct rotate_context *context,
                          struct rotate_status *out, struct err *err)
{
    AUTO_VAULT_KV kv = {0};
    AUTO_BUF place = BUF_INIT(ERR_TEXT_BYTES);

    if (pending->state == VAULT_OUTLINE_UNKNOWN) {
        *err = pending->err;
        return -1;
    }
    if (pending->state != VAULT_OUTLINE_THERE)
        return 0;
    if (vault_kv_read(v, pending->path, context->deadline_ms, &kv, err) != 0)
        return -1;
    if (kv.state != VAULT_KV_THERE)
        return 0; /* it ended meanwhile */
    buf_addf(&place, "'%s' at '%s'", pending->path, vault_address(v));
    out->state = ROTATE_STATE_OPEN; /* also one that can't be read */
    if (record_check(spec, buf_text(&place), &kv.data, err) != 0)
        return -1;
    store_status_of_record(&kv.data, out);
    return 0;
}

int kv_look(const struct rotate_spec *const *specs, struct rotate_status *const *out, size_t count,
            const struct rotate_context *context, struct err *err)
{
    CLEANUP(looks_release) struct looks looks = {0};
    AUTO_FREE size_t *base = mem_new(count + 1, sizeof(*base));
    AUTO_FREE size_t *pending = mem_new(count + 1, sizeof(*pending));
    struct vault *v;

    if (count == 0)
        return 0;
    if (!base || !pending)
        return err_nomem(err);
    for (size_t i = 0; i < count; i++)
        if (want_one(&looks, specs[i], &base[i], &pending[i], err) != 0)
            return -1;
    if (context->vault(context->owner, &v, err) != 0 ||
        vault_outline_all(v, looks.outlines, looks.count, context->deadline_ms, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        const struct vault_outline *age = base[i] == SIZE_MAX ? NULL : &looks.outlines[base[i]];
        struct err *why = &out[i]->err;
        if (look_at_age(specs[i], age, v, context, out[i], why) != 0)
            continue;
        (void)look_at_record(specs[i], &looks.outlines[pending[i]], v, context, out[i],
                             why); /* said there */
    }
    return 0;
}

/* ---- what a policy has to allow --------------------------------------------------------------- */

enum { NEEDS_MOST = 6 };

static size_t needs_of(const struct rotate_spec *spec, const char *pending, const char *receipts,
                       struct vault_need out[static NEEDS_MOST])
{
    const struct vault_need record[] = {
        {.path = pending, .kind = VAULT_NEED_DATA, .wanted = KV_RECORD_NEEDS},
        {.path = pending, .kind = VAULT_NEED_METADATA, .wanted = VAULT_CAN_READ | VAULT_CAN_DELETE},
        {.path = receipts, .kind = VAULT_NEED_DATA, .wanted = KV_RECORD_NEEDS},
        {.path = receipts,
         .kind = VAULT_NEED_METADATA,
         .wanted = VAULT_CAN_CREATE | VAULT_CAN_READ | VAULT_CAN_UPDATE},
    };
    /* Read is for --status and --due: how old it is. Where there is no secret, metadata is made first. */
    const bool has_secret = spec->place.kind == ROTATE_IN_KV;
    const struct vault_need mark = {
        .path = kv_base(spec),
        .kind = VAULT_NEED_METADATA,
        .wanted = VAULT_CAN_READ |
                  (has_secret ? VAULT_CAN_PATCH : VAULT_CAN_CREATE | VAULT_CAN_UPDATE),
        .or_else = has_secret ? VAULT_CAN_READ | VAULT_CAN_UPDATE : 0};
    const struct vault_need secret = {.path = kv_base(spec),
                                      .kind = VAULT_NEED_DATA,
                                      .wanted = VAULT_CAN_READ | VAULT_CAN_PATCH,
                                      .or_else = VAULT_CAN_READ | VAULT_CAN_UPDATE};
    size_t count = 0;

    if (has_secret)
        out[count++] = secret;
    out[count++] = mark;
    for (size_t i = 0; i < ARRAY_LEN(record); i++)
        out[count++] = record[i];
    return count;
}

int kv_plan(struct rotation *r, struct buf *out, bool *ready, struct err *err)
{
    AUTO_BUF pending = BUF_INIT(KV_PATH_BYTES), receipts = BUF_INIT(KV_PATH_BYTES);
    struct vault_need needs[NEEDS_MOST], missing[NEEDS_MOST];
    size_t lacking = 0;
    struct vault *v;

    if (kv_beside(r->spec, KV_PENDING, &pending, err) != 0 ||
        kv_beside(r->spec, KV_RECEIPTS, &receipts, err) != 0 ||
        r->context->vault(r->context->owner, &v, err) != 0)
        return -1;
    size_t count = needs_of(r->spec, buf_text(&pending), buf_text(&receipts), needs);
    if (vault_capabilities(v, needs, count, r->context->deadline_ms, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (!vault_need_is_met(&needs[i]))
            missing[lacking++] = needs[i];
    buf_addf(out, "  record in '%s' at '%s'\n", buf_text(&pending), vault_address(v));
    if (lacking == 0) {
        buf_adds(out, "  Vault's policy allows what it needs\n");
        return 0;
    }
    *ready = false;
    buf_addf(out, "  Vault's policy does not allow %zu of %zu things; this would:\n", lacking,
             count);
    return vault_policy_text(v, missing, lacking, out, err);
}

/* ---- ahead ------------------------------------------------------------------------------------- */

void rotate_ask_ahead(const struct rotate_spec *spec, struct vault *vault, const char *const *more,
                      bool self, int64_t deadline_ms)
{
    AUTO_BUF pending = BUF_INIT(KV_PATH_BYTES), receipts = BUF_INIT(KV_PATH_BYTES);
    const char *paths[AHEAD_PATHS];
    struct err ignored; /* the read itself says what is wrong */
    size_t count = 0;

    if (spec->place.kind == ROTATE_IN_SEALED ||
        kv_beside(spec, KV_PENDING, &pending, &ignored) != 0 ||
        kv_beside(spec, KV_RECEIPTS, &receipts, &ignored) != 0)
        return;
    paths[count++] = buf_text(&pending);
    paths[count++] = buf_text(&receipts);
    if (spec->place.kind == ROTATE_IN_KV)
        paths[count++] = spec->place.path;
    for (; more && *more && count < AHEAD_PATHS; more++)
        paths[count++] = *more;
    vault_ask_ahead(vault, paths, count, self, deadline_ms);
}
