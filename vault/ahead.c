/* ahead.c: answers that were asked for before anybody needs them.
 *
 * A dialogue that reads five things one after another takes five round trips. Here they are asked for in
 * one flight; each read that follows then finds its answer, once. What is never read, or not in time, is
 * forgotten, and so is what is written meanwhile. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "vault/internal.h"

enum {
    AHEAD_MS = 10 * 1000, /* an answer is used for so long */
    AHEAD_MAX = 16,
    STATUS_OK = 200,
    STATUS_NOT_FOUND = 404,
};

#define MOUNTS "sys/internal/ui/mounts/"
#define SELF   "auth/token/lookup-self"

struct ahead {
    char *path; /* of the request */
    int status;
    struct buf answer;
    int64_t sent_ms, until_ms;
    struct ahead *next;
};

static void free_one(struct ahead *one)
{
    buf_release(&one->answer);
    free(one->path);
    free(one);
}

void ahead_free(struct vault *v)
{
    for (struct ahead *next; v->ahead; v->ahead = next) {
        next = v->ahead->next;
        free_one(v->ahead);
    }
}

/* ---- found again ----------------------------------------------------------------------------- */

static struct ahead *unlink_answer(struct vault *v, const char *path)
{
    for (struct ahead **link = &v->ahead; *link; link = &(*link)->next) {
        struct ahead *one = *link;
        if (!str_eq(one->path, path))
            continue;
        *link = one->next;
        return one;
    }
    return NULL;
}

bool ahead_take(struct vault *v, struct call *call)
{
    bool is_read = str_eq(call->method, "GET") && !call->as && !call->anonymous && !call->body;
    struct ahead *one = v->ahead ? unlink_answer(v, call->path) : NULL;

    if (!one)
        return false;
    bool good = is_read && !call->ahead && call->attempts == 0 && !clock_passed(one->until_ms);
    if (good) {
        call->exchange.status = one->status;
        call->exchange.answer = BUF_INIT(VAULT_BODY_MAX_BYTES);
        buf_move(&call->exchange.answer, &one->answer);
        call->sent_ms = one->sent_ms;
    }
    free_one(one);
    return good;
}

/* ---- asked ----------------------------------------------------------------------------------- */

struct asking {
    struct call calls[AHEAD_MAX];
    size_t count;
};

static void add(struct asking *asking, char *path)
{
    if (!path)
        return;
    if (asking->count == AHEAD_MAX) {
        free(path);
        return;
    }
    asking->calls[asking->count++] = (struct call){.method = "GET", .path = path, .ahead = true};
}

/* The look at the mount of PATH, where that is not known. */
static void add_mount(struct asking *asking, const char *path)
{
    AUTO_BUF encoded = BUF_INIT(VAULT_PATH_MAX_BYTES);
    struct err ignored; /* whoever needs it says what is wrong with the path */

    buf_adds(&encoded, MOUNTS);
    if (path_encode(path, &encoded, &ignored) == 0)
        add(asking, buf_take(&encoded));
}

static void add_secret(struct vault *v, struct asking *asking, const char *path)
{
    struct err ignored;
    size_t mount_length = 0;
    unsigned version = 2;
    char *request = NULL;

    if (path_is_login(path))
        return;
    if (!mount_find(v, path, &mount_length, &version)) {
        if (asking->count == 0)
            add_mount(asking, path);
        mount_length = path_prefix(path, 1);
    }
    if (path_request(path, version == 2 ? mount_length : 0, &request, &ignored) == 0)
        add(asking, request);
}

static void keep(struct vault *v, struct call *call)
{
    if (call->state != CALL_DONE || (call->status != STATUS_OK && call->status != STATUS_NOT_FOUND))
        return;
    struct ahead *one = mem_new(1, sizeof(*one));
    if (!one)
        return;
    one->path = call->path;
    call->path = NULL;
    one->status = call->status;
    one->answer = BUF_INIT(VAULT_BODY_MAX_BYTES);
    buf_move(&one->answer, &call->exchange.answer);
    one->sent_ms = call->sent_ms;
    one->until_ms = clock_in_ms(AHEAD_MS);
    one->next = v->ahead;
    v->ahead = one;
}

void vault_ask_ahead(struct vault *v, const char *const *paths, size_t count, bool self,
                     int64_t deadline_ms)
{
    int64_t deadline = clock_earlier(deadline_ms, clock_in_ms(v->config.deadline_ms));
    struct flight flight = {.vault = v, .deadline_ms = deadline};
    struct asking asking = {0};
    struct err ignored; /* what was not answered is asked again by who needs it, and then said */

    if (auth_ensure(v, deadline, &ignored) != 0 || v->few_uses)
        return;
    for (size_t i = 0; i < count; i++)
        add_secret(v, &asking, paths[i]);
    if (self)
        add(&asking, mem_dup(SELF));
    for (size_t i = 0; i < asking.count; i++)
        flight_add(&flight, &asking.calls[i]);
    bool flown = flight_run(&flight, &ignored) == 0;
    for (size_t i = 0; i < asking.count; i++) {
        if (flown)
            keep(v, &asking.calls[i]);
        call_release(v, &asking.calls[i]);
    }
}
