/* kv.c: which spelling of a path is read, and what its answer is.
 *
 * A reference does not say whether its mount is KV v1, v2 (where "data/" belongs behind the mount) or
 * no KV at all, and asking first would cost a round trip. So the likeliest request is sent at once:
 *
 *   GUESS    "secret/app" → "secret/data/app", and in the same flight one look at the mount
 *            (sys/internal/ui/mounts), which is waited for only when the guess did not answer
 *   DIRECT   "db/creds/app" as it is: reading it makes a lease, so it is never read on a guess; refused,
 *            the look tells whether it is a secret of KV after all
 *   SPELLED  "secret/data/app" as it is
 *   SETTLED  the mount is known (contract, or found before): one request
 *
 * What a look says is kept, that it failed is not. A refused look (a tight policy) leaves the other
 * spelling to be tried. So each path takes two round trips at most; three where several mounts share
 * their first segment. */
#include "vault/kv.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define LOOK_PREFIX "sys/internal/ui/mounts/"

static void decide(struct flight *flight, struct reading *r);
static void last_done(struct flight *flight, struct call *call);

/* ---- requests ------------------------------------------------------------------------------- */

/* Send CALL for R's path with "data/" behind MOUNT_LENGTH bytes of it (0: as it is). */
static int prepare_call(struct reading *r, struct call *call, size_t mount_length, struct err *err)
{
    call->method = "GET";
    call->owner = r;
    /* It may make a database login, which takes its time, and cut off would be left behind. */
    call->patient = path_is_login(r->read->path);
    return path_request(r->read->path, mount_length, &call->path, err);
}

static void send_last(struct flight *flight, struct reading *r, size_t mount_length,
                      enum shape shape)
{
    struct err err = ERR_INIT;

    r->shape = shape;
    r->last.done = last_done;
    if (prepare_call(r, &r->last, mount_length, &err) != 0) {
        r->read->err = err;
        return;
    }
    if (r->first.path && str_eq(r->first.path, r->last.path)) {
        kv_fail(r, &r->first); /* it was asked already, and this is what it said */
        return;
    }
    flight_add(flight, &r->last);
}

static void look_done(struct flight *flight, struct call *call)
{
    struct look *look = call->owner;
    struct vault *v = flight->vault;
    struct err ignored; /* a look that failed leaves the other spelling to be tried */
    AUTO_JSON json = NULL;

    if (call->status == 200 &&
        vault_json_parse(&call->exchange.answer, "the mount", &json, &ignored) == 0) {
        const json_t *data = json_object_get(json, "data");
        const char *path = json_string_value(json_object_get(data, "path"));
        const char *version = json_string_value(
            json_object_get(json_object_get(data, "options"), "version"));
        if (path && mount_remember(v, path, strlen(path), str_eq(version, "2") ? 2 : 1) != 0)
            (void)err_nomem(&flight->failure);
    }
    look->answered = json != NULL;
    for (size_t i = 0; i < look->all->count; i++) {
        struct reading *r = &look->all->list[i];
        if (r->look == look && r->waiting)
            decide(flight, r);
    }
}

static int look_prepare(struct readings *all, struct look *look, const char *path, struct err *err)
{
    AUTO_BUF request = BUF_INIT(VAULT_PATH_MAX_BYTES);

    buf_adds(&request, LOOK_PREFIX);
    if (path_encode(path, &request, err) != 0)
        return -1;
    *look = (struct look){.all = all, .path = path};
    look->call = (struct call){.method = "GET", .optional = true, .owner = look, .done = look_done};
    look->call.path = buf_take(&request);
    return look->call.path ? 0 : err_nomem(err);
}

static int new_look(struct reading *r, struct err *err)
{
    struct readings *all = r->all;
    struct look *look = &all->looks[all->look_count];

    if (look_prepare(all, look, r->read->path, err) != 0)
        return -1;
    all->look_count++;
    r->look = look;
    return 0;
}

/* The look that another path with the same first segment has, or a new one. */
static int share_look(struct reading *r, struct err *err)
{
    struct readings *all = r->all;
    size_t length = path_prefix(r->read->path, 1);

    for (size_t i = 0; i < all->look_count; i++)
        if (path_is_below(r->read->path, all->looks[i].path, length) &&
            path_prefix(all->looks[i].path, 1) == length) {
            r->look = &all->looks[i];
            return 0;
        }
    return new_look(r, err);
}

static void send_look(struct flight *flight, struct look *look)
{
    if (!look->sent)
        flight_add(flight, &look->call);
    look->sent = true;
}

/* The first request did not settle it: go on with what the look says, when it says it. */
static void ask_look(struct flight *flight, struct reading *r)
{
    struct err err = ERR_INIT;

    if (!r->look && share_look(r, &err) != 0) {
        r->read->err = err;
        return;
    }
    r->look->call.optional = false;
    send_look(flight, r->look);
    r->waiting = true;
    if (r->look->call.state == CALL_DONE)
        decide(flight, r);
}

static void decide(struct flight *flight, struct reading *r)
{
    struct err err = ERR_INIT;
    unsigned version;
    size_t length;

    r->waiting = false;
    if (mount_find(flight->vault, r->read->path, &length, &version)) {
        send_last(flight, r, version == 2 ? length : 0,
                  version == 2 ? SHAPE_VERSIONED : SHAPE_PLAIN);
        return;
    }
    if (r->look->answered && !r->own_look) { /* about another mount */
        r->own_look = true;
        if (new_look(r, &err) != 0)
            r->read->err = err;
        else
            ask_look(flight, r);
        return;
    }
    if (r->step == GUESS)
        send_last(flight, r, 0, SHAPE_ANY);
    else if (r->first.status == 403)
        kv_fail(r, &r->first);
    else
        send_last(flight, r, path_prefix(r->read->path, 1), SHAPE_VERSIONED);
}

static void first_done(struct flight *flight, struct call *call)
{
    struct reading *r = call->owner;

    if (call->status == 200 && kv_accept(r, call)) {
        if (r->step == GUESS && r->read->err.kind == ERR_NONE &&
            mount_remember(flight->vault, r->read->path, path_prefix(r->read->path, 1), 2) != 0)
            (void)err_nomem(&flight->failure);
        return;
    }
    if (kv_is_deleted(r, call))
        return;
    bool refused = call->status >= 400 && call->status < 500 && !flight_is_transient(call->status);
    /* A secret of KV version 2 below "creds" is refused by a policy that knows its place alone. */
    if ((r->step == GUESS && (refused || call->status == 200)) ||
        (r->step == DIRECT && call->status == 403) || kv_wants_data(call))
        ask_look(flight, r);
    else
        kv_fail(r, call);
}

static void last_done(struct flight *flight, struct call *call)
{
    struct reading *r = call->owner;

    (void)flight; /* nothing follows */
    if (call->status == 200) {
        if (!kv_accept(r, call))
            kv_fail(r, call);
        return;
    }
    if (kv_is_deleted(r, call))
        return;
    /* Both spellings were tried: report the one that the mount must have. */
    int guessed = r->step == GUESS && r->shape == SHAPE_ANY ? r->first.status : 0;
    bool is_v2 = kv_wants_data(call) || (guessed == 404 && call->status == 403) ||
                 (guessed == 403 && call->status == 403);
    kv_fail(r, guessed && is_v2 ? &r->first : call);
}

/* ---- all of them ---------------------------------------------------------------------------- */

static bool has_data_second(const char *path)
{
    const char *second = path + path_prefix(path, 1);

    return str_starts(second, "/data/");
}

static int start(struct flight *flight, struct reading *r, struct err *err)
{
    const char *path = r->read->path;
    unsigned version;
    size_t length;

    r->first.done = first_done;
    r->shape = SHAPE_ANY;
    if (mount_find(flight->vault, path, &length, &version)) {
        r->step = SETTLED;
        send_last(flight, r, version == 2 ? length : 0,
                  version == 2 ? SHAPE_VERSIONED : SHAPE_PLAIN);
        return 0;
    }
    if (path_is_login(path))
        r->step = DIRECT;
    else if (has_data_second(path) || path_segments(path) < 2)
        r->step = SPELLED;
    else
        r->step = GUESS;
    if (r->step == GUESS)
        r->shape = SHAPE_VERSIONED;
    if (prepare_call(r, &r->first, r->step == GUESS ? path_prefix(path, 1) : 0, err) != 0)
        return -1;
    if (r->step == GUESS && share_look(r, err) != 0)
        return -1;
    flight_add(flight, &r->first);
    return 0;
}

static void release(struct readings *all)
{
    for (size_t i = 0; i < all->count && all->list; i++) {
        call_release(all->v, &all->list[i].first);
        call_release(all->v, &all->list[i].last);
    }
    for (size_t i = 0; i < all->look_count && all->looks; i++)
        call_release(all->v, &all->looks[i].call);
    free(all->list);
    free(all->looks);
}

static int fly_all(struct readings *all, int64_t deadline_ms, struct err *err)
{
    struct flight flight = {.vault = all->v, .deadline_ms = deadline_ms};

    for (size_t i = 0; i < all->count; i++) {
        struct err own = ERR_INIT;
        if (start(&flight, &all->list[i], &own) != 0)
            all->list[i].read->err = own;
    }
    /* Behind the reads: with few connections, these go first. A token that may be used a few times
     * only is not spent on what may not be needed. */
    for (size_t i = 0; i < all->look_count && !all->v->few_uses; i++)
        send_look(&flight, &all->looks[i]);
    return flight_run(&flight, err);
}

/* One round for READS. REFUSED: which of them ended with 403; room for COUNT. */
static int read_round(struct vault *v, struct vault_read *const *reads, size_t count,
                      int64_t deadline_ms, struct vault_read **refused, size_t *refused_count,
                      bool *any_answered, struct err *err)
{
    struct readings all = {.v = v, .count = count};

    all.list = mem_new(count, sizeof(*all.list));
    all.looks = mem_new(2 * count, sizeof(*all.looks));
    if (!all.list || !all.looks) {
        release(&all);
        return err_nomem(err);
    }
    for (size_t i = 0; i < count; i++) {
        all.list[i].all = &all;
        all.list[i].read = reads[i];
        err_clear(&reads[i]->err);
    }
    int result = fly_all(&all, deadline_ms, err);
    *refused_count = 0;
    for (size_t i = 0; i < count; i++)
        if (all.list[i].refused)
            refused[(*refused_count)++] = reads[i];
    *any_answered = all.any_answered;
    release(&all);
    return result;
}

/* Say of each refused path whether the token or its policies are to blame. */
static void explain(struct vault_read *const *refused, size_t count, enum auth_verdict verdict,
                    const char *policies)
{
    struct err copy;

    for (size_t i = 0; i < count; i++) {
        struct err *err = &refused[i]->err;
        if (verdict == AUTH_TOKEN_DEAD) {
            copy = *err;
            (void)err_set(err, copy.kind, "%s; " AUTH_TOKEN_DEAD_SAYS, copy.text);
            err->http_status = copy.http_status;
            (void)err_hint(err, AUTH_TOKEN_DEAD_HINT);
            if (*copy.hint)
                (void)err_hint(err, "If it still is one: %s", copy.hint);
            continue;
        }
        if (*policies)
            (void)err_hint(err, "The token is valid; its policies: %s.", policies);
    }
}

int kv_read_all(struct vault *v, struct vault_read *const *reads, size_t count, int64_t deadline_ms,
                struct err *err)
{
    bool fresh = v->method == NULL, answered = false;
    size_t refused_count = 0, again_count = 0;
    AUTO_BUF policies = BUF_INIT(ERR_HINT_BYTES);
    enum auth_verdict verdict = AUTH_TOKEN_LIVES;

    AUTO_FREE struct vault_read **refused = mem_new(count + 1, sizeof(struct vault_read *));
    AUTO_FREE struct vault_read **again = mem_new(count + 1, sizeof(struct vault_read *));
    if (!refused || !again)
        return err_nomem(err);
    if (auth_ensure(v, deadline_ms, err) != 0 ||
        read_round(v, reads, count, deadline_ms, refused, &refused_count, &answered, err) != 0)
        return -1;
    if (refused_count == 0)
        return 0;
    if (!answered)
        verdict = auth_look_at_token(v, deadline_ms, &policies);
    if (fresh && v->logged_in) /* it lives, even if its policies do not let it look at itself */
        verdict = AUTH_TOKEN_LIVES;
    if (verdict == AUTH_TOKEN_DEAD && v->logged_in) {
        if (auth_again(v, deadline_ms, err) != 0 ||
            read_round(v, refused, refused_count, deadline_ms, again, &again_count, &answered,
                       err) != 0)
            return -1;
        explain(again, again_count, AUTH_TOKEN_LIVES, "");
        return 0;
    }
    explain(refused, refused_count, verdict, buf_text(&policies));
    return 0;
}
