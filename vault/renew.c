/* renew.c: keeping a token and leases alive, and handing an identity to another process. */
#include "vault/renew.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "vault/auth.h"

enum { MS_PER_S = 1000, INCREMENT_BYTES = 24 };

/* ---- terms ---------------------------------------------------------------------------------- */

/* What is asked for: {"increment": "30", ...}. LEASE may be NULL. */
static int write_body(const char *lease, int64_t increment_ms, struct secret *out, struct err *err)
{
    AUTO_SECRET id = SECRET_INIT, seconds = SECRET_INIT;
    const struct vault_member members[] = {{"lease_id", &id}, {"increment", &seconds}};
    char text[INCREMENT_BYTES];

    if (increment_ms > 0) {
        (void)snprintf(text, sizeof text, "%lld",
                       (long long)((increment_ms + MS_PER_S - 1) / MS_PER_S));
        if (secret_set(&seconds, text, strlen(text), err) != 0)
            return -1;
    }
    if (lease && secret_set(&id, lease, strlen(lease), err) != 0)
        return -1;
    return vault_json_body(members, ARRAY_LEN(members), out, err);
}

/* HOLDER has lease_duration and renewable: an answer, or its auth. */
static struct vault_term term_of(const json_t *holder, int64_t sent_ms, int64_t increment_ms)
{
    struct vault_term term = {.asked_at_ms = sent_ms, .expires_ms = CLOCK_NEVER};

    term.duration_ms = vault_json_seconds(holder, "lease_duration");
    term.renewable = json_is_true(json_object_get(holder, "renewable"));
    if (term.duration_ms > 0)
        term.expires_ms = sent_ms + term.duration_ms;
    term.is_short = term.duration_ms > 0 && term.duration_ms < increment_ms;
    return term;
}

/* Send CALL, a renewal, and read its answer. */
static int ask(struct vault *v, struct call *call, int64_t deadline_ms, const char *tried,
               json_t **json, struct err *err)
{
    if (auth_ensure(v, deadline_ms, err) != 0 || flight_perform(v, call, deadline_ms, err) != 0)
        return -1;
    if (call->status == 200)
        return vault_json_parse(&call->exchange.answer, "the answer to a renewal", json, err);
    (void)answer_error(v, call, tried, err);
    if (call->status == 400) { /* "lease not found", "lease is not renewable" */
        err->kind = ERR_SOURCE_MISSING;
        (void)err_hint(err, "It has ended, or can't be renewed: get a new one.");
    }
    return -1;
}

static int64_t within(const struct vault *v, int64_t deadline_ms)
{
    return clock_earlier(deadline_ms, clock_in_ms(v->config.deadline_ms));
}

int vault_token_renew_self(struct vault *v, int64_t increment_ms, int64_t deadline_ms,
                           struct vault_term *out, struct err *err)
{
    struct call call = {.method = "POST", .path = mem_dup("auth/token/renew-self")};
    AUTO_SECRET body = SECRET_INIT;
    AUTO_JSON json = NULL;

    if (!call.path)
        return err_nomem(err);
    call.body = &body;
    int result = write_body(NULL, increment_ms, &body, err);
    if (result == 0)
        result = ask(v, &call, within(v, deadline_ms), "renew our token at", &json, err);
    if (result == 0) {
        *out = term_of(json_object_get(json, "auth"), call.sent_ms, increment_ms);
        answer_warnings(v, call.path, json);
        v->token_expires_ms = out->expires_ms;
        v->token_renewable = out->renewable;
    }
    call_release(v, &call);
    return result;
}

int vault_token_term(struct vault *v, int64_t deadline_ms, struct vault_term *out, struct err *err)
{
    struct call call = {.method = "GET", .path = mem_dup("auth/token/lookup-self")};
    AUTO_JSON json = NULL;

    if (!call.path)
        return err_nomem(err);
    int result = ask(v, &call, within(v, deadline_ms), "look at our token at", &json, err);
    if (result == 0) {
        const json_t *data = json_object_get(json, "data");
        *out = (struct vault_term){.asked_at_ms = call.sent_ms, .expires_ms = CLOCK_NEVER};
        out->duration_ms = vault_json_seconds(data, "ttl");
        out->renewable = json_is_true(json_object_get(data, "renewable"));
        if (out->duration_ms > 0)
            out->expires_ms = call.sent_ms + out->duration_ms;
        v->token_expires_ms = out->expires_ms;
        v->token_renewable = out->renewable;
    }
    call_release(v, &call);
    return result;
}

int vault_lease_renew(struct vault *v, const char *id, int64_t increment_ms, int64_t deadline_ms,
                      struct vault_term *out, struct err *err)
{
    struct call call = {.method = "POST", .path = mem_dup("sys/leases/renew")};
    AUTO_SECRET body = SECRET_INIT;
    AUTO_JSON json = NULL;

    if (!call.path)
        return err_nomem(err);
    call.body = &body;
    int result = write_body(id, increment_ms, &body, err);
    if (result == 0)
        result = ask(v, &call, within(v, deadline_ms), "renew a lease at", &json, err);
    if (result == 0) {
        *out = term_of(json, call.sent_ms, increment_ms);
        answer_warnings(v, call.path, json);
    } else {
        (void)err_wrap(err, "lease '%s'", id);
    }
    call_release(v, &call);
    return result;
}

int vault_lease_end(struct vault *v, const char *id, int64_t deadline_ms, struct err *err)
{
    struct call call = {.method = "POST", .path = mem_dup("sys/leases/revoke")};
    int64_t deadline = clock_earlier(deadline_ms, clock_in_ms(VAULT_REVOKE_MS));
    AUTO_SECRET body = SECRET_INIT;
    int result;

    call.body = &body;
    result = call.path ? write_body(id, 0, &body, err) : err_nomem(err);
    if (result == 0)
        result = auth_ensure(v, deadline, err);
    if (result == 0)
        result = flight_perform(v, &call, deadline, err);
    /* 400: there is none any more. */
    if (result == 0 && call.status != 200 && call.status != 204 && call.status != 400)
        result = answer_error(v, &call, "revoke a lease at", err);
    call_release(v, &call);
    return result;
}

bool vault_lease_revoke_quietly(struct vault *v, const char *id)
{
    struct err err = ERR_INIT;

    if (vault_lease_end(v, id, CLOCK_NEVER, &err) == 0)
        return true;
    log_line(LOG_INFO, "a lease is left to expire", "lease", id, "why", err.text, NULL);
    return false;
}

int vault_log_in_again(struct vault *v, int64_t deadline_ms, struct err *err)
{
    int64_t deadline = within(v, deadline_ms);

    return v->method ? auth_again(v, deadline, err) : auth_ensure(v, deadline, err);
}

/* ---- sessions ------------------------------------------------------------------------------- */

static int copy(const struct secret *from, struct secret *to, struct err *err)
{
    return secret_is_set(from) ? secret_set(to, secret_reveal(from), secret_length(from), err) : 0;
}

int vault_session_get(const struct vault *v, struct vault_session *out, struct err *err)
{
    struct vault_session session = {.logged_in = v->logged_in,
                                    .renewable = v->token_renewable,
                                    .is_batch = v->token_is_batch,
                                    .duration_ms = v->token_span_ms,
                                    .expires_ms = v->token_expires_ms};

    (void)snprintf(session.method, sizeof session.method, "%s", v->method ? v->method : "");
    if (copy(&v->token, &session.token, err) != 0 ||
        copy(&v->secret_id, &session.secret_id, err) != 0) {
        vault_session_release(&session);
        return -1;
    }
    *out = session;
    return 0;
}

/* The word that lives as long as the program. NULL: there is none like that. */
static const char *known_method(const char *word)
{
    static const char *const others[] = {"token", "agent"};
    const struct login_method *login = auth_login_word(word);

    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (str_eq(others[i], word))
            return others[i];
    return login ? auth_login_name(login) : NULL;
}

int vault_session_use(struct vault *v, const struct vault_session *session, struct err *err)
{
    struct secret token = SECRET_INIT, secret_id = SECRET_INIT;
    const char *method = known_method(session->method);

    if (session->method[0] && !method)
        return err_set(err, ERR_SOURCE_DATA, "an identity of a way to log in that is not known");
    if (copy(&session->token, &token, err) != 0 ||
        copy(&session->secret_id, &secret_id, err) != 0) {
        secret_release(&token);
        return -1;
    }
    secret_release(&v->token);
    secret_release(&v->secret_id);
    v->token = token;
    v->secret_id = secret_id;
    v->method = method;
    v->logged_in = session->logged_in;
    v->token_renewable = session->renewable;
    v->token_is_batch = session->is_batch;
    v->token_span_ms = session->duration_ms;
    v->token_expires_ms = session->expires_ms;
    return 0;
}

void vault_session_release(struct vault_session *session)
{
    secret_release(&session->token);
    secret_release(&session->secret_id);
    *session = (struct vault_session){0};
}
