/* distinct.c: each secret is asked for once, however often and in whatever spelling its path is read.
 *
 * "secret/app" and "secret/data/app" are one secret in KV v2, and two in KV v1. Where the mount's
 * version is not known yet, the spelling with data/ waits for what the other one finds out. */
#include "vault/internal.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "vault/kv.h"

/* How one of the reads gets its answer. */
struct asking {
    struct vault_read *read;
    char *request;       /* as KV v2 would be asked; NULL: it is none, or cannot be asked at all */
    bool spelled;        /* data/ is written out */
    struct asking *same; /* an earlier one with the very path, or NULL */
    struct asking
        *waits; /* for this one, which is the same secret if the mount is KV v2; or NULL */
};

struct askings {
    struct vault *v;
    struct asking *list;
    size_t count;
};

static void askings_release(struct askings *a)
{
    for (size_t i = 0; i < a->count; i++)
        free(a->list[i].request);
    free(a->list);
}

static int copy_field(const struct vault_field *from, struct vault_field *to, struct err *err)
{
    to->name = mem_dup(from->name);
    if (!to->name)
        return err_nomem(err);
    to->type = from->type;
    to->type_name = from->type_name;
    if (!secret_is_set(&from->value))
        return 0;
    return secret_set(&to->value, secret_reveal(&from->value), secret_length(&from->value), err);
}

/* TO asked for the same secret: the same answer, the same lease. */
static int copy_answer(const struct vault_read *from, struct vault_read *to, struct err *err)
{
    to->err = from->err;
    to->version = from->version;
    to->lease = from->lease;
    if (from->lease.id) {
        to->lease.id = mem_dup(from->lease.id);
        if (!to->lease.id)
            return err_nomem(err);
    }
    to->fields = mem_new(from->field_count + 1, sizeof(*to->fields));
    if (!to->fields)
        return err_nomem(err);
    for (size_t i = 0; i < from->field_count; i++) {
        to->field_count = i + 1;
        if (copy_field(&from->fields[i], &to->fields[i], err) != 0)
            return -1;
    }
    return 0;
}

static bool is_versioned_mount(const struct vault *v, const char *path)
{
    unsigned version;
    size_t length;

    return mount_find(v, path, &length, &version) && version == 2;
}

/* What cannot be asked for gets its error where it is asked, not here. */
static void spell_out(const struct vault *v, struct asking *asking)
{
    const char *path = asking->read->path;
    struct err ignored;
    unsigned version = 2;
    size_t length;

    if (path_is_login(path))
        return;
    if (!mount_find(v, path, &length, &version))
        length = path_prefix(path, 1);
    asking->spelled = str_starts(path + length, "/data/");
    if (version == 2 && path[length] == '/' &&
        path_request(path, length, &asking->request, &ignored) != 0)
        asking->request = NULL;
}

static void find_same(struct askings *a, size_t index)
{
    struct asking *asking = &a->list[index];

    for (size_t i = 0; i < index && !asking->same; i++)
        if (str_eq(a->list[i].read->path, asking->read->path))
            asking->same = &a->list[i];
}

static void find_other_spelling(struct askings *a, struct asking *asking)
{
    if (asking->same || !asking->spelled || !asking->request)
        return;
    for (size_t i = 0; i < a->count && !asking->waits; i++) {
        struct asking *other = &a->list[i];
        if (!other->same && !other->spelled && str_eq(other->request, asking->request))
            asking->waits = other;
    }
}

static int askings_make(struct askings *a, struct vault_read *reads, size_t count, struct err *err)
{
    a->list = mem_new(count + 1, sizeof(*a->list));
    if (!a->list)
        return err_nomem(err);
    a->count = count;
    for (size_t i = 0; i < count; i++) {
        a->list[i].read = &reads[i];
        spell_out(a->v, &a->list[i]);
        find_same(a, i);
    }
    for (size_t i = 0; i < count; i++)
        find_other_spelling(a, &a->list[i]);
    return 0;
}

/* Ask for those that wait for nobody (WAITED: for those that waited in vain). */
static int ask(struct askings *a, bool waited, int64_t deadline_ms, struct err *err)
{
    AUTO_FREE struct vault_read **reads = mem_new(a->count + 1, sizeof(struct vault_read *));
    size_t count = 0;

    if (!reads)
        return err_nomem(err);
    for (size_t i = 0; i < a->count; i++) {
        const struct asking *asking = &a->list[i];
        bool in_vain = asking->waits && !is_versioned_mount(a->v, asking->read->path);
        if (!asking->same && (waited ? in_vain : !asking->waits))
            reads[count++] = asking->read;
    }
    return count > 0 ? kv_read_all(a->v, reads, count, deadline_ms, err) : 0;
}

int distinct_read_all(struct vault *v, struct vault_read *reads, size_t count, int64_t deadline_ms,
                      struct err *err)
{
    CLEANUP(askings_release) struct askings a = {.v = v};

    if (askings_make(&a, reads, count, err) != 0 || ask(&a, false, deadline_ms, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        const struct asking *asking = &a.list[i];
        if (asking->waits && is_versioned_mount(v, asking->read->path) &&
            copy_answer(asking->waits->read, asking->read, err) != 0)
            return -1;
    }
    if (ask(&a, true, deadline_ms, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (a.list[i].same && copy_answer(a.list[i].same->read, a.list[i].read, err) != 0)
            return -1;
    return 0;
}
