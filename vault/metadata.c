/* metadata.c: what is at a path, without reading its values.
 *
 * KV version 2 answers `subkeys/PATH` with the names of the fields, their values left out, and with
 * the version's metadata. Where a policy does not allow that, `metadata/PATH` still says whether a
 * version is there and how old it is. KV version 1 has neither: it is not asked at all. A path that
 * makes a log-in (database/creds/ROLE) is never read: its role is looked at. Sources: HTTP API, "KV
 * v2: Read secret subkeys, Read secret metadata", "Database: Read role, Read static role". */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "vault/internal.h"

enum {
    MOUNT_LOOKS = 2, /* one for each first segment, then one for each path that is left */
};

struct looking {
    struct outlines *all;
    struct vault_outline *outline;
    struct call mount, names, metadata; /* each is sent once at most */
    bool is_role;
};

struct outlines {
    struct vault *v;
    struct looking *list;
    size_t count;
};

/* ---- what came back ------------------------------------------------------------------------- */

static int keep_pair(struct vault_outline_pair **list, size_t *count, const char *name,
                     const char *text)
{
    struct vault_outline_pair *pair = &(*list)[*count];

    pair->name = mem_dup(name);
    pair->text = text ? mem_dup(text) : NULL;
    if (!pair->name || (text && !pair->text)) {
        free(pair->name);
        free(pair->text);
        return -1;
    }
    ++*count;
    return 0;
}

/* The members of OBJECT; with TEXTS their texts, else what is no value ("object"). */
static int keep_members(json_t *object, bool texts, struct vault_outline_pair **list, size_t *count)
{
    const char *name;
    json_t *value;
    int result = 0;

    *list = mem_new(json_object_size(object) + 1, sizeof(**list));
    if (!*list)
        return -1;
    json_object_foreach(object, name, value)
    {
        const char *text = texts ? json_string_value(value)
                                 : (json_object_size(value) > 0 ? "object" : NULL);
        result = result == 0 ? keep_pair(list, count, name, text) : result;
    }
    return result;
}

/* `created_time`, `deletion_time`, `destroyed`, `custom_metadata`, as both kinds of answer have it. */
static int take_version(struct vault_outline *o, json_t *version, json_t *custom)
{
    int64_t deleted_at = vault_json_time(json_object_get(version, "deletion_time"));

    o->written_at = vault_json_time(json_object_get(version, "created_time"));
    o->state = VAULT_OUTLINE_THERE;
    if (json_is_true(json_object_get(version, "destroyed")))
        o->state = VAULT_OUTLINE_DESTROYED;
    else if (deleted_at > 0 && deleted_at <= clock_unix_seconds())
        o->state = VAULT_OUTLINE_DELETED;
    if (o->customs || !json_is_object(custom))
        return 0;
    return keep_members(custom, true, &o->customs, &o->custom_count);
}

static unsigned version_number(json_t *number)
{
    json_int_t version = json_integer_value(number);

    return version > 0 && version <= UINT32_MAX ? (unsigned)version : 0;
}

static int take_subkeys(struct vault_outline *o, json_t *data)
{
    json_t *metadata = json_object_get(data, "metadata");
    json_t *names = json_object_get(data, "subkeys");

    o->version = version_number(json_object_get(metadata, "version"));
    if (take_version(o, metadata, json_object_get(metadata, "custom_metadata")) != 0)
        return -1;
    if (!json_is_object(names))
        return 0;
    o->names_known = true;
    return keep_members(names, false, &o->names, &o->name_count);
}

static int take_metadata(struct vault_outline *o, json_t *data)
{
    char key[24]; /* of the newest version */

    o->version = version_number(json_object_get(data, "current_version"));
    (void)snprintf(key, sizeof key, "%u", o->version);
    json_t *version = json_object_get(json_object_get(data, "versions"), key);
    if (!json_is_object(version)) { /* metadata alone: nothing was written yet */
        o->state = VAULT_OUTLINE_MISSING;
        return 0;
    }
    return take_version(o, version, json_object_get(data, "custom_metadata"));
}

static void take_role(struct vault_outline *o, json_t *data)
{
    o->state = VAULT_OUTLINE_THERE;
    o->written_at = vault_json_time(json_object_get(data, "last_vault_rotation"));
}

/* The answer's data, or NULL; the whole of it is in *JSON. */
static json_t *data_of(struct call *call, json_t **json)
{
    struct err ignored; /* what is no JSON is told by answer_error, with its first line */

    if (call->exchange.answer.len == 0 ||
        vault_json_parse(&call->exchange.answer, "the answer", json, &ignored) != 0)
        return NULL;
    json_t *data = json_object_get(*json, "data");
    return json_is_object(data) ? data : NULL;
}

/* 404 without a word: there is nothing. With words it is the engine that has no such request. */
static bool is_missing(const struct call *call, json_t *json)
{
    return call->status == 404 && json && json_array_size(json_object_get(json, "errors")) == 0;
}

/* It could not be looked at: CALL says why. */
static void not_known(struct looking *l, struct call *call)
{
    struct vault_outline *o = l->outline;

    o->state = VAULT_OUTLINE_UNKNOWN;
    (void)answer_error(l->all->v, call, "look at", &o->err);
    if (call->status != 403)
        return;
    AUTO_BUF path = BUF_INIT(VAULT_PATH_MAX_BYTES);
    if (str_percent_decode(&path, call->path, strlen(call->path)) == 0)
        (void)err_hint(&o->err,
                       "A policy would allow it with: path \"%s\" { capabilities = [\"read\"] }",
                       buf_text(&path));
}

/* ---- requests ------------------------------------------------------------------------------- */

static void out_of_memory(struct flight *flight)
{
    (void)err_nomem(&flight->failure);
}

static void metadata_done(struct flight *flight, struct call *call)
{
    struct looking *l = call->owner;
    struct vault_outline *o = l->outline;
    AUTO_JSON json = NULL;
    json_t *data = data_of(call, &json);

    if (call->status == 200 && data) {
        if (take_metadata(o, data) != 0)
            out_of_memory(flight);
    } else if (is_missing(call, json)) {
        o->state = VAULT_OUTLINE_MISSING;
    } else {
        not_known(l, &l->names); /* what would have been enough */
    }
}

/* PATH with WORD behind its first MOUNT_LENGTH bytes, in place of "data" if that stands there. */
static char *path_with(const char *path, size_t mount_length, const char *word, struct err *err)
{
    AUTO_BUF text = BUF_INIT(VAULT_PATH_MAX_BYTES);
    AUTO_BUF encoded = BUF_INIT(VAULT_PATH_MAX_BYTES);

    if (path_beside(path, mount_length, word, &text, err) != 0 ||
        path_encode(buf_text(&text), &encoded, err) != 0)
        return NULL;
    char *taken = buf_take(&encoded);
    if (!taken)
        (void)err_nomem(err);
    return taken;
}

static void send(struct flight *flight, struct looking *l, struct call *call, char *path,
                 void (*done)(struct flight *, struct call *))
{
    if (!path) { /* the error is the outline's */
        l->outline->state = VAULT_OUTLINE_UNKNOWN;
        return;
    }
    *call = (struct call){.method = "GET", .path = path, .owner = l, .done = done};
    flight_add(flight, call);
}

/* What version 2's mount has of the path's first bytes; by a guess where nobody says. */
static size_t mount_length(const struct looking *l)
{
    unsigned version;
    size_t length;

    return mount_find(l->all->v, l->outline->path, &length, &version)
               ? length
               : path_prefix(l->outline->path, 1);
}

static void names_done(struct flight *flight, struct call *call)
{
    struct looking *l = call->owner;
    struct vault_outline *o = l->outline;
    AUTO_JSON json = NULL;
    json_t *data = data_of(call, &json);

    /* A version that was deleted is answered with 404 and its metadata. */
    if ((call->status == 200 || call->status == 404) && data &&
        json_is_object(json_object_get(data, "metadata"))) {
        if (take_subkeys(o, data) != 0)
            out_of_memory(flight);
        return;
    }
    if (is_missing(call, json))
        o->state = VAULT_OUTLINE_MISSING;
    else if (call->status != 403 && call->status != 404 && call->status != 405)
        not_known(l, call);
    else /* refused, or a Vault before 1.10, which has no subkeys */
        send(flight, l, &l->metadata, path_with(o->path, mount_length(l), "metadata", &o->err),
             metadata_done);
}

static void role_done(struct flight *flight, struct call *call)
{
    (void)flight; /* nothing follows */
    struct looking *l = call->owner;
    AUTO_JSON json = NULL;
    json_t *data = data_of(call, &json);

    if (call->status == 200 && data) {
        take_role(l->outline, data);
    } else if (is_missing(call, json)) {
        l->outline->state = VAULT_OUTLINE_MISSING;
    } else {
        not_known(l, call);
    }
}

/* "database/creds/app" → "database/roles/app". NULL: PATH makes no log-in, or memory is gone. */
static char *role_path(const char *path, struct err *err)
{
    static const struct {
        const char *login, *role;
    } words[] = {{"/creds/", "/roles/"},
                 {"/static-creds/", "/static-roles/"},
                 {"/static-cred/", "/static-role/"}};
    AUTO_BUF text = BUF_INIT(VAULT_PATH_MAX_BYTES);
    AUTO_BUF encoded = BUF_INIT(VAULT_PATH_MAX_BYTES);

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        const char *name = strrchr(path, '/') + 1;
        const char *word = name - strlen(words[i].login);
        if (word > path && str_starts(word, words[i].login)) {
            buf_add(&text, path, (size_t)(word - path));
            buf_addf(&text, "%s%s", words[i].role, name);
        }
    }
    if (buf_check(&text, ERR_CONTRACT, "the path of a request", err) != 0 ||
        path_encode(buf_text(&text), &encoded, err) != 0)
        return NULL;
    char *taken = buf_take(&encoded);
    if (!taken)
        (void)err_nomem(err);
    return taken;
}

/* ---- mounts --------------------------------------------------------------------------------- */

static void mount_done(struct flight *flight, struct call *call)
{
    struct looking *l = call->owner;
    AUTO_JSON json = NULL;
    json_t *data = data_of(call, &json);
    const char *path = json_string_value(json_object_get(data, "path"));
    const char *version = json_string_value(
        json_object_get(json_object_get(data, "options"), "version"));

    if (call->status == 200 && path &&
        mount_remember(l->all->v, path, strlen(path), str_eq(version, "2") ? 2 : 1) != 0)
        out_of_memory(flight);
}

static bool is_first_of_its_segment(const struct outlines *all, size_t index)
{
    const char *path = all->list[index].outline->path;
    size_t length = path_prefix(path, 1);

    for (size_t i = 0; i < index; i++)
        if (!all->list[i].is_role && path_is_below(all->list[i].outline->path, path, length))
            return false;
    return true;
}

static void ask_mount(struct flight *flight, struct looking *l)
{
    AUTO_BUF request = BUF_INIT(VAULT_PATH_MAX_BYTES);

    buf_adds(&request, "sys/internal/ui/mounts/");
    if (path_encode(l->outline->path, &request, &l->outline->err) != 0) {
        l->outline->state = VAULT_OUTLINE_UNKNOWN;
        return;
    }
    char *path = buf_take(&request);
    if (path)
        send(flight, l, &l->mount, path, mount_done);
    else
        out_of_memory(flight);
}

/* Find out which mounts the paths lie in, where the contract does not say it. A refused look leaves
 * a guess. */
static int find_mounts(struct outlines *all, int64_t deadline_ms, struct err *err)
{
    for (size_t round = 0; round < MOUNT_LOOKS; round++) {
        struct flight flight = {.vault = all->v, .deadline_ms = deadline_ms};
        size_t length;
        unsigned version;
        for (size_t i = 0; i < all->count; i++) {
            struct looking *l = &all->list[i];
            bool wanted = !l->is_role && !l->mount.path &&
                          !mount_find(all->v, l->outline->path, &length, &version);
            if (wanted && (round > 0 || is_first_of_its_segment(all, i)))
                ask_mount(&flight, l);
        }
        if (flight.first && flight_run(&flight, err) != 0)
            return -1;
    }
    return 0;
}

/* ---- all of them ---------------------------------------------------------------------------- */

static void start(struct flight *flight, struct looking *l)
{
    struct vault_outline *o = l->outline;
    unsigned version = 2;
    size_t length;

    if (l->is_role) {
        send(flight, l, &l->names, role_path(o->path, &o->err), role_done);
        return;
    }
    if (mount_find(l->all->v, o->path, &length, &version) && version != 2) {
        o->state = VAULT_OUTLINE_UNKNOWN;
        (void)err_set(&o->err, ERR_SOURCE_DATA,
                      "'%s' is in no KV version 2: it has no names without their values", o->path);
        return;
    }
    send(flight, l, &l->names, path_with(o->path, mount_length(l), "subkeys", &o->err), names_done);
}

static int look_at_all(struct outlines *all, int64_t deadline_ms, struct err *err)
{
    struct flight flight = {.vault = all->v, .deadline_ms = deadline_ms};

    if (auth_ensure(all->v, deadline_ms, err) != 0 || find_mounts(all, deadline_ms, err) != 0)
        return -1;
    for (size_t i = 0; i < all->count; i++)
        if (all->list[i].outline->err.kind == ERR_NONE)
            start(&flight, &all->list[i]);
    return flight.first ? flight_run(&flight, err) : 0;
}

/* Where everything was refused, whether the token is to blame. */
static int check_token(struct outlines *all, int64_t deadline_ms, struct err *err)
{
    AUTO_BUF policies = BUF_INIT(ERR_HINT_BYTES);

    for (size_t i = 0; i < all->count; i++)
        if (all->list[i].outline->err.http_status != 403)
            return 0;
    if (auth_look_at_token(all->v, deadline_ms, &policies) != AUTH_TOKEN_DEAD || all->v->logged_in)
        return 0;
    (void)err_set(err, ERR_SOURCE_DENIED, "look at '%s' at '%s': " AUTH_TOKEN_DEAD_SAYS,
                  all->list[0].outline->path, vault_address(all->v));
    return err_hint(err, AUTH_TOKEN_DEAD_HINT);
}

int vault_outline_all(struct vault *v, struct vault_outline *outlines, size_t count,
                      int64_t deadline_ms, struct err *err)
{
    struct outlines all = {.v = v, .count = count};
    int64_t deadline = clock_earlier(deadline_ms, clock_in_ms(v->config.deadline_ms));
    int result = 0;

    if (count == 0)
        return 0;
    all.list = mem_new(count, sizeof(*all.list));
    if (!all.list)
        return err_nomem(err);
    for (size_t i = 0; i < count; i++)
        all.list[i] = (struct looking){
            .all = &all, .outline = &outlines[i], .is_role = path_is_login(outlines[i].path)};
    if (look_at_all(&all, deadline, err) != 0 || check_token(&all, deadline, err) != 0)
        result = -1;
    for (size_t i = 0; i < count; i++) {
        call_release(v, &all.list[i].mount);
        call_release(v, &all.list[i].names);
        call_release(v, &all.list[i].metadata);
    }
    free(all.list);
    return result;
}

static void release_pairs(struct vault_outline_pair *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(list[i].name);
        free(list[i].text);
    }
    free(list);
}

void vault_outline_release(struct vault_outline *o)
{
    release_pairs(o->names, o->name_count);
    release_pairs(o->customs, o->custom_count);
    *o = (struct vault_outline){0};
}

int64_t vault_outline_rotated_at(const struct vault_outline *o, const char *variable)
{
    for (size_t i = 0; i < o->custom_count; i++) {
        const struct vault_outline_pair *custom = &o->customs[i];
        json_error_t ignored; /* what is no record of ours says nothing */
        if (!str_starts(custom->name, "agent.") ||
            !str_eq(custom->name + strlen("agent."), variable) || !custom->text)
            continue;
        AUTO_JSON record = json_loads(custom->text, 0, &ignored);
        return vault_json_time(json_object_get(record, "at"));
    }
    return 0;
}
