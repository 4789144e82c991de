/* lease.c: leases, the end of the identity, and revoking it. */
#include "vault/internal.h"

#include "base/mem.h"
#include "base/str.h"

enum { OVERDUE_MS = 1000 };

/* A static role has no lease; its ttl counts down to the next rotation, and is 0 in the last second
 * before it and for as long as it is late (measured: the database was away). What KV calls a
 * lease_duration is a hint when to read again, and ends nothing. */
static int64_t time_of_static(const json_t *data)
{
    int64_t ttl_ms = vault_json_seconds(data, "ttl");
    bool is_late = ttl_ms == 0 && json_is_integer(json_object_get(data, "ttl")) &&
                   json_is_string(json_object_get(data, "last_vault_rotation"));

    return is_late ? OVERDUE_MS : ttl_ms;
}

int lease_from_answer(const json_t *answer, bool login, int64_t sent_ms, struct vault_lease *out,
                      struct err *err)
{
    const json_t *id = json_object_get(answer, "lease_id");
    struct vault_lease lease = {.expires_ms = CLOCK_NEVER};

    if (json_is_string(id) && json_string_length(id) > 0) {
        lease.id = mem_dup(json_string_value(id));
        if (!lease.id)
            return err_nomem(err);
        lease.duration_ms = vault_json_seconds(answer, "lease_duration");
        lease.renewable = json_is_true(json_object_get(answer, "renewable"));
    } else if (login) {
        lease.duration_ms = time_of_static(json_object_get(answer, "data"));
    }
    /* From before it was asked for: never later than the server's own clock has it. */
    if (lease.duration_ms > 0)
        lease.expires_ms = sent_ms + lease.duration_ms;
    *out = lease;
    return 0;
}

void vault_identity(const struct vault *v, struct vault_identity *out)
{
    *out = (struct vault_identity){
        .logged_in = v->logged_in,
        .expires_ms = v->method ? v->token_expires_ms : CLOCK_NEVER,
        .method = v->method ? v->method : "token",
        .renewable = v->token_renewable,
        .duration_ms = v->token_span_ms,
        .is_batch = v->token_is_batch,
    };
}

static void forget_own_token(struct vault *v)
{
    secret_release(&v->token);
    v->logged_in = v->token_is_batch = false;
    v->method = NULL; /* the next request logs in anew */
}

int vault_revoke_own_token(struct vault *v, struct err *err)
{
    if (!v->logged_in || !secret_is_set(&v->token))
        return 0;
    if (v->token_is_batch) {
        forget_own_token(v);
        return 0;
    }
    struct call call = {.method = "POST", .path = mem_dup("auth/token/revoke-self")};
    if (!call.path)
        return err_nomem(err);
    int result = flight_perform(v, &call, clock_in_ms(VAULT_REVOKE_MS), err);
    /* 403: it had ended by itself, and its leases with it. */
    if (result == 0 && call.status != 200 && call.status != 204 && call.status != 403)
        result = answer_error(v, &call, "revoke our token at", err);
    call_release(v, &call);
    if (result != 0)
        return -1;
    forget_own_token(v);
    return 0;
}
