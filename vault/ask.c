/* ask.c: one request and its answer, for what is written and made. */
#include "vault/ask.h"

#include <stdarg.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* ---- asked ---------------------------------------------------------------------------------- */

int ask_path(struct ask *ask, struct err *err, const char *part, ...)
{
    AUTO_BUF path = BUF_INIT(VAULT_PATH_MAX_BYTES);
    int result = 0;
    va_list parts;

    va_start(parts, part);
    while (part && result == 0) {
        if (path.len > 0)
            buf_addc(&path, '/');
        result = path_encode(part, &path, err);
        /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): begun before the loop */
        part = va_arg(parts, const char *);
    }
    va_end(parts);
    if (result != 0 || buf_check(&path, ERR_CONTRACT, "the path of a request", err) != 0)
        return -1;
    char *taken = buf_take(&path);
    if (!taken)
        return err_nomem(err);
    free(ask->call.path);
    ask->call.path = taken;
    return 0;
}

int ask_body(struct ask *ask, struct buf *text, struct err *err)
{
    AUTO_SECRET body = SECRET_INIT;

    if (buf_check(text, ERR_USAGE, "what is sent to Vault", err) != 0 ||
        secret_set(&body, buf_text(text), text->len, err) != 0)
        return -1;
    secret_release(&ask->body);
    ask->body = body;
    body = SECRET_INIT;
    ask->call.body = &ask->body;
    return 0;
}

/* The call as it was before it was sent. */
static void rewind_call(struct vault *v, struct call *call)
{
    struct call fresh = {
        .method = call->method,
        .path = call->path,
        .anonymous = call->anonymous,
        .body = call->body,
        .sent = call->sent,
        .as = call->as,
        .is_patch = call->is_patch,
        .patient = call->patient,
        .once = call->once,
    };

    call->path = NULL; /* it moves */
    call_release(v, call);
    *call = fresh;
}

/* The flight may fail (memory, libcurl) with a request on its way, of which nobody knows then what
 * became of it: that is an answer that was lost, and no failure to ask. */
static int perform(struct vault *v, struct call *call, int64_t deadline_ms, struct err *err)
{
    if (flight_perform(v, call, deadline_ms, err) == 0)
        return 0;
    if (!call->once || !call->lost)
        return -1;
    call->exchange.sent = true;
    call->exchange.err = *err;
    return 0;
}

int ask_send(struct vault *v, struct ask *ask, int64_t deadline_ms, struct err *err)
{
    int64_t deadline = clock_earlier(deadline_ms, clock_in_ms(v->config.deadline_ms));
    bool fresh = v->method == NULL;

    if (auth_ensure(v, deadline, err) != 0 || perform(v, &ask->call, deadline, err) != 0)
        return -1;
    if (ask->call.status != 403 || ask->call.as || ask->call.anonymous || ask->refusal_is_expected)
        return 0;
    ask->token = auth_look_at_token(v, deadline, &ask->policies);
    if (ask->token != AUTH_TOKEN_DEAD)
        return 0;
    if (fresh && v->logged_in) { /* it lives, even if its policies do not let it look at itself */
        ask->token = AUTH_TOKEN_LIVES;
        return 0;
    }
    if (!v->logged_in)
        return 0;
    rewind_call(v, &ask->call); /* it was refused, so it had no effect */
    ask->token = AUTH_TOKEN_LIVES;
    if (auth_again(v, deadline, err) != 0)
        return -1;
    return perform(v, &ask->call, deadline, err);
}

/* ---- answered ------------------------------------------------------------------------------- */

json_t *ask_json(struct ask *ask)
{
    struct err ignored; /* the caller says what it missed in it */

    if (!ask->json && ask->call.exchange.answer.len > 0 &&
        vault_json_parse(&ask->call.exchange.answer, "the answer", &ask->json, &ignored) != 0)
        ask->json = NULL;
    return ask->json;
}

json_t *ask_member(struct ask *ask, const char *name)
{
    return json_object_get(ask_json(ask), name);
}

bool ask_is_missing(struct ask *ask)
{
    return ask->call.status == 404 && ask_json(ask) &&
           json_array_size(ask_member(ask, "errors")) == 0;
}

bool ask_has_error(struct ask *ask, const char *words)
{
    const json_t *errors = ask_member(ask, "errors");

    for (size_t i = 0; i < json_array_size(errors); i++) {
        const char *text = json_string_value(json_array_get(errors, i));
        if (text && strstr(text, words))
            return true;
    }
    return false;
}

static void hint_at_policy(const struct ask *ask, struct err *err)
{
    AUTO_BUF path = BUF_INIT(VAULT_PATH_MAX_BYTES);
    const char *end = strchrnul(ask->call.path, '?');

    if (ask->needs &&
        str_percent_decode(&path, ask->call.path, (size_t)(end - ask->call.path)) == 0)
        (void)err_hint(err, "A policy would allow it with: path \"%s\" { capabilities = [%s] }",
                       buf_text(&path), ask->needs);
}

int ask_error(struct vault *v, struct ask *ask, struct err *err)
{
    (void)answer_error(v, &ask->call, ask->tried, err);
    if (ask->call.status != 403)
        return -1;
    if (ask->token == AUTH_TOKEN_DEAD) {
        struct err copy = *err;
        (void)err_set(err, copy.kind, "%s; " AUTH_TOKEN_DEAD_SAYS, copy.text);
        err->http_status = copy.http_status;
        (void)err_hint(err, AUTH_TOKEN_DEAD_HINT);
        if (ask->needs)
            (void)err_hint(err, "If it still is one:");
    }
    hint_at_policy(ask, err);
    if (ask->policies.len > 0)
        (void)err_hint(err, "The token is valid; its policies: %s.", buf_text(&ask->policies));
    return -1;
}

int ask_unusable(struct vault *v, struct ask *ask, const char *why, struct err *err)
{
    (void)err_set(err, ERR_SOURCE_DATA, "the answer %s", why);
    err->http_status = ask->call.status;
    return err_wrap(err, "%s '%s' at '%s'", ask->tried, ask->call.path, vault_address(v));
}

int ask_outcome(struct vault *v, struct ask *ask, enum vault_written *outcome, struct err *err)
{
    int status = ask->call.status;

    if (status >= 200 && status < 300) {
        *outcome = VAULT_WRITTEN;
        return 0;
    }
    if (status == 400 && (ask_has_error(ask, "check-and-set parameter did not match") ||
                          ask_has_error(ask, "check-and-set parameter does not match"))) {
        *outcome = VAULT_CONFLICT;
        return 0;
    }
    (void)ask_error(v, ask, err);
    if (answer_says_no_effect(&ask->call))
        return -1;
    (void)err_hint(err, "It was sent, and may have had its effect all the same.");
    *outcome = VAULT_IN_DOUBT;
    return 0;
}

int ask_for(struct vault *v, struct ask *ask, int64_t deadline_ms, struct err *err)
{
    if (ask_send(v, ask, deadline_ms, err) != 0)
        return -1;
    if (ask->call.status == 200 || ask->call.status == 204) {
        if (ask_json(ask))
            answer_warnings(v, ask->call.path, ask->json);
        return 0;
    }
    return ask_error(v, ask, err);
}

void ask_release(struct vault *v, struct ask *ask)
{
    json_decref(ask->json);
    ask->json = NULL;
    call_release(v, &ask->call);
    secret_release(&ask->body);
    buf_release(&ask->policies);
}

int ask_take_text(const json_t *object, const char *name, char **out, struct err *err)
{
    const json_t *value = json_object_get(object, name);

    *out = NULL;
    if (!json_is_string(value) || json_string_length(value) == 0)
        return 0;
    *out = mem_dup(json_string_value(value));
    return *out ? 0 : err_nomem(err);
}
