/* list.c: the names beneath paths of KV version 2. Source: HTTP API, "KV v2: List secrets". */
#include "vault/engine_internal.h"

#include "base/mem.h"

struct namings {
    struct vault *v;
    struct ask *asks; /* parallel to the names */
    size_t count;
};

static void namings_release(struct namings *all)
{
    for (size_t i = 0; all->asks && i < all->count; i++)
        ask_release(all->v, &all->asks[i]);
    free(all->asks);
}

/* ---- asking ----------------------------------------------------------------------------------- */

/* The request's path. A path may be a mount by itself, and is no secret's: what lies beneath it is looked for. */
static int request_path(struct vault *v, const char *path, int64_t deadline_ms, char **out,
                        struct err *err)
{
    AUTO_BUF beneath = BUF_INIT(VAULT_PATH_MAX_BYTES), plain = BUF_INIT(VAULT_PATH_MAX_BYTES),
             encoded = BUF_INIT(VAULT_PATH_MAX_BYTES);
    size_t mount_length = 0;

    buf_addf(&beneath, "%s/x", path);
    if (buf_check(&beneath, ERR_CONTRACT, "the path of a request", err) != 0 ||
        kv_settle(v, buf_text(&beneath), deadline_ms, &mount_length, err) != 0 ||
        path_beside(path, mount_length, "metadata", &plain, err) != 0 ||
        path_encode(buf_text(&plain), &encoded, err) != 0)
        return -1;
    buf_adds(&encoded, "?list=true");
    if (buf_check(&encoded, ERR_CONTRACT, "the path of a request", err) != 0)
        return -1;
    char *taken = buf_take(&encoded);
    if (!taken)
        return err_nomem(err);
    *out = taken;
    return 0;
}

/* ---- all of them ------------------------------------------------------------------------------ */

static int take_answer(struct vault *v, struct ask *ask, struct vault_names *names, struct err *err)
{
    if (ask->call.status == 200)
        return engine_take_list(json_object_get(ask_member(ask, "data"), "keys"), &names->found,
                                err);
    if (!ask_is_missing(ask)) /* where nothing is, that is a 404 without a word */
        (void)ask_error(v, ask, &names->err);
    return 0;
}

static int ask_all(struct namings *all, struct vault_names *names, int64_t deadline_ms,
                   struct err *err)
{
    struct flight flight = {.vault = all->v, .deadline_ms = deadline_ms};

    if (auth_ensure(all->v, deadline_ms, err) != 0)
        return -1;
    for (size_t i = 0; i < all->count; i++)
        if (request_path(all->v, names[i].path, deadline_ms, &all->asks[i].call.path,
                         &names[i].err) == 0) /* else it is told there */
            flight_add(&flight, &all->asks[i].call);
    if (flight.first && flight_run(&flight, err) != 0)
        return -1;
    for (size_t i = 0; i < all->count; i++)
        if (all->asks[i].call.path && take_answer(all->v, &all->asks[i], &names[i], err) != 0)
            return -1;
    return 0;
}

int vault_kv_names(struct vault *v, struct vault_names *names, size_t count, int64_t deadline_ms,
                   struct err *err)
{
    CLEANUP(namings_release) struct namings all = {.v = v, .count = count};

    if (count == 0)
        return 0;
    all.asks = mem_new(count, sizeof(*all.asks));
    if (!all.asks)
        return err_nomem(err);
    for (size_t i = 0; i < count; i++)
        all.asks[i] = ASK_INIT("GET", "list", "\"list\"");
    return ask_all(&all, names, clock_earlier(deadline_ms, clock_in_ms(v->config.deadline_ms)),
                   err);
}
