/* stray.c: records that belong to no variable.
 *
 * A record lies beside the secret, under its variable's name. Whoever renames the variable while a rotation
 * is open leaves it where no command looks, with the next secret in it and the former one. So the folders
 * that have records are listed, where the policy allows that, and what is in them is held against what the
 * contract rotates. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/str.h"
#include "rotate/store_kv.h"
#include "rotate/store_sealed.h"

#define DATA "/data/"

struct search {
    const struct rotate_spec **by_name; /* all of them, sorted */
    size_t count;
    const struct rotate_context *context;
    struct rotate_strays *out;
};

void rotate_strays_release(struct rotate_strays *strays)
{
    for (size_t i = 0; i < strays->count; i++) {
        free(strays->list[i].place);
        free(strays->list[i].variable);
    }
    free(strays->list);
    *strays = (struct rotate_strays){0};
}

/* ---- whose ------------------------------------------------------------------------------------ */

static int compare_specs(const void *left, const void *right)
{
    const struct rotate_spec *const *a = left, *const *b = right;

    return strcmp((*a)->variable, (*b)->variable);
}

static int compare_name(const void *name, const void *spec)
{
    return strcmp(name, (*(const struct rotate_spec *const *)spec)->variable);
}

static const struct rotate_spec *spec_named(const struct search *s, const char *name)
{
    const struct rotate_spec **found = bsearch(name, s->by_name, s->count, sizeof(void *),
                                               compare_name);

    return found ? *found : NULL;
}

/* The same path of KV, be it written with data/ or without. */
static bool is_same_path(const char *a, const char *b)
{
    const char *data_a = strstr(a, DATA), *data_b = strstr(b, DATA);
    const char *with = data_a ? a : b, *without = data_a ? b : a;
    const char *data = data_a ? data_a : data_b;

    if (str_eq(a, b))
        return true;
    if (!data || (data_a && data_b))
        return false;
    size_t length = (size_t)(data - with);
    return strncmp(with, without, length) == 0 && str_eq(without + length, data + strlen(DATA) - 1);
}

/* PLACE is taken over. */
static int add(struct search *s, const char *variable, struct buf *place,
               const struct rotate_status *status, struct err *err)
{
    struct rotate_strays *out = s->out;
    struct rotate_stray stray = {.status = *status};

    if (buf_check(place, ERR_ROTATION, "the place of a record", err) != 0 ||
        mem_grow(&out->list, out->count, &out->capacity, sizeof(*out->list)) != 0)
        return err_nomem(err);
    stray.variable = mem_dup(variable);
    stray.place = buf_take(place);
    if (!stray.variable || !stray.place) {
        free(stray.variable);
        free(stray.place);
        return err_nomem(err);
    }
    out->list[out->count++] = stray;
    return 0;
}

/* Whether DATA is one of agent's records: what else lies there is nobody's business. */
static bool is_record(const struct document *data)
{
    int64_t format = 0;

    return document_number(data, NULL, "format", &format) && format > 0 &&
           document_text(data, NULL, "id") && document_text(data, NULL, "variable");
}

/* ---- in KV ------------------------------------------------------------------------------------ */

/* Paths that are listed, each once. */
struct folder {
    const char *path;
    bool is_parent; /* of folders that are named for variables */
};

struct folders {
    struct folder *list;
    size_t count, capacity;
    struct arena texts;
};

static void folders_release(struct folders *folders)
{
    free(folders->list);
    arena_release(&folders->texts);
}

static int add_folder(struct folders *folders, bool is_parent, const struct buf *path,
                      struct err *err)
{
    if (buf_check(path, ERR_CONTRACT, "the path of a rotation's record", err) != 0)
        return -1;
    struct folder folder = {arena_dup(&folders->texts, buf_text(path)), is_parent};
    if (!folder.path ||
        mem_grow(&folders->list, folders->count, &folders->capacity, sizeof(*folders->list)) != 0)
        return err_nomem(err);
    folders->list[folders->count++] = folder;
    return 0;
}

static int compare_folders(const void *left, const void *right)
{
    const struct folder *a = left, *b = right;
    int by_path = strcmp(a->path, b->path);

    return by_path != 0 ? by_path : (int)a->is_parent - (int)b->is_parent;
}

static void sort_folders(struct folders *folders)
{
    size_t kept = 0;

    if (folders->count == 0) /* qsort takes no NULL */
        return;
    qsort(folders->list, folders->count, sizeof(*folders->list), compare_folders);
    for (size_t i = 0; i < folders->count; i++)
        if (kept == 0 || compare_folders(&folders->list[kept - 1], &folders->list[i]) != 0)
            folders->list[kept++] = folders->list[i];
    folders->count = kept;
}

/* A segment of a path was made of a name where it has it: `{name}` or `{lower_name}`. */
static int want(struct folders *folders, const struct rotate_spec *spec, struct err *err)
{
    AUTO_BUF pending = BUF_INIT(KV_PATH_BYTES), parent = BUF_INIT(KV_PATH_BYTES);
    const char *base = kv_base(spec);
    const char *last = strrchr(base, '/');

    buf_addf(&pending, "%s" KV_PENDING, base);
    if (add_folder(folders, false, &pending, err) != 0)
        return -1;
    if (!last || !str_has_word(last + 1, strlen(last + 1), spec->variable))
        return 0;
    buf_add(&parent, base, (size_t)(last - base));
    return add_folder(folders, true, &parent, err);
}

/* Read the record NAME of FOLDER, unless it is one that is known. */
static int look_at_name(struct search *s, struct vault *v, const char *folder, const char *name,
                        struct err *err)
{
    AUTO_BUF path = BUF_INIT(KV_PATH_BYTES), place = BUF_INIT(ERR_TEXT_BYTES);
    AUTO_VAULT_KV kv = {0};
    const struct rotate_spec *spec = spec_named(s, name);
    const size_t base_length = strlen(folder) - strlen(KV_PENDING);
    AUTO_BUF base = BUF_INIT(KV_PATH_BYTES);
    struct rotate_status status = {.state = ROTATE_STATE_OPEN};

    buf_add(&base, folder, base_length);
    if (spec && spec->place.kind != ROTATE_IN_SEALED &&
        is_same_path(kv_base(spec), buf_text(&base)))
        return 0;
    if (s->out->count >= ROTATE_STRAYS_MAX) {
        s->out->more++;
        return 0;
    }
    buf_addf(&path, "%s/%s", folder, name);
    buf_addf(&place, "'%s' at '%s'", buf_text(&path), vault_address(v));
    if (buf_check(&path, ERR_ROTATION, "the path of a record", err) != 0)
        return -1;
    if (vault_kv_read(v, buf_text(&path), s->context->deadline_ms, &kv, &status.err) != 0)
        return add(s, name, &place, &status, err);
    if (kv.state != VAULT_KV_THERE || !is_record(&kv.data))
        return 0;
    store_status_of_record(&kv.data, &status);
    return add(s, name, &place, &status, err);
}

static bool is_folder(const char *name)
{
    size_t length = strlen(name);

    return length > 0 && name[length - 1] == '/';
}

/* FOUND lies in FOLDER, which has records. NAMED: it is named for its variables. */
static int look_at_records(struct search *s, struct vault *v, const char *folder, bool named,
                           const struct vault_list *found, struct err *err)
{
    const char *last = strrchr(folder, '/');
    size_t length = last ? strlen(last + 1) - strlen(KV_PENDING) : 0;

    for (size_t i = 0; i < found->count; i++) {
        const char *name = found->items[i];
        if (is_folder(name) || (named && !str_has_word(last + 1, length, name)))
            continue;
        if (look_at_name(s, v, folder, name, err) != 0)
            return -1;
    }
    return 0;
}

/* Of what is in PARENT the folders of records. */
static int want_children(struct folders *more, const char *parent, const struct vault_list *found,
                         struct err *err)
{
    static const char ending[] = KV_PENDING "/";

    for (size_t i = 0; i < found->count; i++) {
        AUTO_BUF path = BUF_INIT(KV_PATH_BYTES);
        const char *name = found->items[i];
        size_t length = strlen(name);
        if (length < sizeof(ending) || !str_eq(name + length - (sizeof(ending) - 1), ending))
            continue;
        buf_addf(&path, "%s/%.*s", parent, (int)(length - 1), name);
        if (add_folder(more, false, &path, err) != 0)
            return -1;
    }
    return 0;
}

static void names_free(struct vault_names *names, size_t count)
{
    for (size_t i = 0; names && i < count; i++)
        vault_list_release(&names[i].found);
    free(names);
}

/* List FOLDERS: what they have is looked at, and what parents have goes to MORE, or is all in folders that
 * are named for variables (NULL). */
static int list(struct search *s, struct vault *v, struct folders *folders, struct folders *more,
                struct err *err)
{
    int result = 0;

    sort_folders(folders);
    struct vault_names *names = mem_new(folders->count + 1, sizeof(*names));
    if (!names)
        return err_nomem(err);
    for (size_t i = 0; i < folders->count; i++)
        names[i].path = folders->list[i].path;
    result = vault_kv_names(v, names, folders->count, s->context->deadline_ms, err);
    for (size_t i = 0; result == 0 && i < folders->count; i++) {
        if (names[i].err.kind != ERR_NONE && s->out->denied.kind == ERR_NONE)
            s->out->denied = names[i].err;
        result = more && folders->list[i].is_parent
                     ? want_children(more, names[i].path, &names[i].found, err)
                     : look_at_records(s, v, names[i].path, !more, &names[i].found, err);
    }
    names_free(names, folders->count);
    return result;
}

/* Folders of MORE that were listed by themselves are not listed again. */
static void leave_out(struct folders *more, const struct folders *listed)
{
    size_t kept = 0;

    for (size_t i = 0; i < more->count; i++)
        if (!bsearch(&more->list[i], listed->list, listed->count, sizeof(*listed->list),
                     compare_folders))
            more->list[kept++] = more->list[i];
    more->count = kept;
}

static int find_in_kv(struct search *s, struct err *err)
{
    CLEANUP(folders_release) struct folders folders = {.texts = ARENA_INIT};
    CLEANUP(folders_release) struct folders more = {.texts = ARENA_INIT};
    struct vault *v;

    for (size_t i = 0; i < s->count; i++)
        if (s->by_name[i]->place.kind != ROTATE_IN_SEALED &&
            want(&folders, s->by_name[i], err) != 0)
            return -1;
    if (folders.count == 0)
        return 0;
    if (s->context->vault(s->context->owner, &v, err) != 0 || list(s, v, &folders, &more, err) != 0)
        return -1;
    leave_out(&more, &folders);
    return list(s, v, &more, NULL, err);
}

/* ---- in the sealed store ---------------------------------------------------------------------- */

static bool is_pending(const char *name, size_t *length)
{
    size_t whole = strlen(name), ending = strlen(SEALED_PENDING);

    *length = whole > ending ? whole - ending : 0;
    return *length > 0 && str_eq(name + *length, SEALED_PENDING);
}

static int look_at_sealed(struct search *s, const struct sealed *store, const char *name,
                          const char *variable, struct err *err)
{
    AUTO_DOCUMENT data = DOCUMENT_INIT;
    AUTO_BUF place = BUF_INIT(ERR_TEXT_BYTES);
    struct rotate_status status = {.state = ROTATE_STATE_OPEN};
    bool there;

    buf_addf(&place, "'%s' in '%s'", name, s->context->sealed_path);
    if (sealed_read_document(store, name, &data, &there, &status.err) == 0)
        store_status_of_record(&data, &status);
    return add(s, variable, &place, &status, err);
}

static int find_in_sealed(struct search *s, struct err *err)
{
    AUTO_SEALED_OPENED opened = SEALED_OPENED_INIT;
    bool any = false;

    for (size_t i = 0; i < s->count; i++)
        any = any || s->by_name[i]->place.kind == ROTATE_IN_SEALED;
    if (!any)
        return 0;
    if (sealed_open_to_look(s->context, &opened, err) != 0)
        return -1;
    for (size_t i = 0; i < sealed_count(opened.store); i++) {
        const char *name = sealed_name(opened.store, i);
        size_t length;
        if (!is_pending(name, &length))
            continue;
        AUTO_FREE char *variable = mem_dup_n(name, length);
        if (!variable)
            return err_nomem(err);
        const struct rotate_spec *spec = spec_named(s, variable);
        if (spec && spec->place.kind == ROTATE_IN_SEALED)
            continue;
        if (s->out->count >= ROTATE_STRAYS_MAX)
            s->out->more++;
        else if (look_at_sealed(s, opened.store, name, variable, err) != 0)
            return -1;
    }
    return 0;
}

/* ---- both ------------------------------------------------------------------------------------- */

int rotate_find_strays(const struct rotate_spec *specs, size_t count,
                       const struct rotate_context *context, struct rotate_strays *out,
                       struct err *err)
{
    AUTO_FREE const struct rotate_spec **by_name = mem_new(count + 1, sizeof(void *));
    CLEANUP(rotate_strays_release) struct rotate_strays strays = {.denied = ERR_INIT};
    struct search s = {.by_name = by_name, .count = count, .context = context, .out = &strays};

    if (!by_name)
        return err_nomem(err);
    for (size_t i = 0; i < count; i++)
        by_name[i] = &specs[i];
    qsort(by_name, count, sizeof(void *), compare_specs);
    if (find_in_kv(&s, err) != 0 || find_in_sealed(&s, err) != 0)
        return -1;
    *out = strays;
    strays = (struct rotate_strays){0};
    return 0;
}
