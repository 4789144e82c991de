/* engine_approle.c: the secret ids of an AppRole. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "vault/engine_internal.h"

#define MAYBE_LEFT "A secret id may have been made that nobody knows: look at the role's accessors."

/* auth/MOUNT/role/ROLE/WORD */
static int role_path(struct ask *ask, const char *mount, const char *role, const char *word,
                     struct err *err)
{
    return ask_path(ask, err, "auth", mount, "role", role, word, NULL);
}

int vault_role_id_read(struct vault *v, const char *mount, const char *role, int64_t deadline_ms,
                       struct secret *role_id, struct err *err)
{
    struct ask ask = ASK_INIT("GET", "read", "\"read\"");
    int result = -1;

    if (role_path(&ask, mount, role, "role-id", err) == 0 &&
        ask_for(v, &ask, deadline_ms, err) == 0)
        result = engine_take_secret(v, &ask, ask_member(&ask, "data"), "role_id", role_id, err);
    ask_release(v, &ask);
    return result;
}

/* {"metadata": "<JSON in a string>"}, as Vault wants it. */
static int meta_body(struct ask *ask, const struct document *meta, struct err *err)
{
    AUTO_BUF body = BUF_INIT(ASK_BODY_MAX_BYTES);
    AUTO_SECRET text = SECRET_INIT;
    struct json j = JSON_INIT(&body);

    if (meta) {
        if (document_write(meta, &text, err) != 0 ||
            engine_secret_body(ask, "metadata", &text, err) != 0)
            return -1;
        ask->call.sent = NULL; /* borrowed until here; and it is no secret */
        return 0;
    }
    json_begin_object(&j, NULL);
    json_end_object(&j);
    return ask_body(ask, &body, err);
}

int vault_secret_id_new(struct vault *v, const char *mount, const char *role,
                        const struct document *meta, int64_t deadline_ms, struct secret *secret_id,
                        char **accessor, struct err *err)
{
    struct ask ask = ASK_INIT("POST", "make a secret id with", "\"create\", \"update\"");
    AUTO_SECRET made = SECRET_INIT;
    char *its = NULL;
    int result = -1;

    ask.call.once = true;
    if (meta_body(&ask, meta, err) == 0 && role_path(&ask, mount, role, "secret-id", err) == 0) {
        result = ask_for(v, &ask, deadline_ms, err);
        if (result != 0 && ask.call.exchange.sent && !answer_says_no_effect(&ask.call))
            (void)err_hint(err, MAYBE_LEFT);
        const json_t *data = ask_member(&ask, "data");
        if (result == 0 && (engine_take_secret(v, &ask, data, "secret_id", &made, err) != 0 ||
                            ask_take_text(data, "secret_id_accessor", &its, err) != 0))
            result = -1;
    }
    ask_release(v, &ask);
    if (result != 0)
        return -1;
    *secret_id = made;
    *accessor = its;
    made = SECRET_INIT;
    return 0;
}

/* ---- looking up ----------------------------------------------------------------------------- */

void vault_secret_id_facts_release(struct vault_secret_id_facts *facts)
{
    free(facts->accessor);
    document_release(&facts->meta);
    *facts = (struct vault_secret_id_facts){0};
}

static int take_facts(struct ask *ask, struct vault_secret_id_facts *out, struct err *err)
{
    const json_t *data = ask_member(ask, "data");
    json_t *meta = json_object_get(data, "metadata");
    struct vault_secret_id_facts facts = {
        .is_there = true,
        .created_at = vault_json_time(json_object_get(data, "creation_time")),
        .expires_at = vault_json_time(json_object_get(data, "expiration_time")),
        .uses_left = json_integer_value(json_object_get(data, "secret_id_num_uses")),
    };

    if (ask_take_text(data, "secret_id_accessor", &facts.accessor, err) != 0 ||
        (json_is_object(meta) &&
         document_from_json(meta, "the secret id's metadata", ERR_SOURCE_DATA, true, &facts.meta,
                            err) != 0)) {
        vault_secret_id_facts_release(&facts);
        return -1;
    }
    *out = facts;
    return 0;
}

/* Whether the answer says that there is no such secret id. Vault has said it in several ways: with
 * no content, with 404, and with 500 and these words. */
static bool is_gone(struct ask *ask)
{
    int status = ask->call.status;

    return status == 204 || ask_is_missing(ask) ||
           (status >= 400 && (ask_has_error(ask, "failed to find accessor entry") ||
                              ask_has_error(ask, "invalid secret id") ||
                              ask_has_error(ask, "invalid role or secret ID")));
}

/* Send it, and read what it says of one secret id. */
static int look(struct vault *v, struct ask *ask, int64_t deadline_ms,
                struct vault_secret_id_facts *out, struct err *err)
{
    if (ask_send(v, ask, deadline_ms, err) != 0)
        return -1;
    if (ask->call.status == 200)
        return take_facts(ask, out, err);
    if (!is_gone(ask))
        return ask_error(v, ask, err);
    *out = (struct vault_secret_id_facts){0};
    return 0;
}

int vault_secret_id_lookup(struct vault *v, const char *mount, const char *role,
                           const struct secret *secret_id, int64_t deadline_ms,
                           struct vault_secret_id_facts *out, struct err *err)
{
    struct ask ask = ASK_INIT("POST", "look a secret id up with", "\"update\"");
    int result = -1;

    if (engine_secret_body(&ask, "secret_id", secret_id, err) == 0 &&
        role_path(&ask, mount, role, "secret-id/lookup", err) == 0)
        result = look(v, &ask, deadline_ms, out, err);
    ask_release(v, &ask);
    return result;
}

int vault_secret_id_lookup_accessor(struct vault *v, const char *mount, const char *role,
                                    const char *accessor, int64_t deadline_ms,
                                    struct vault_secret_id_facts *out, struct err *err)
{
    struct ask ask = ASK_INIT("POST", "look a secret id up with", "\"update\"");
    int result = -1;

    if (engine_text_body(&ask, "secret_id_accessor", accessor, err) == 0 &&
        role_path(&ask, mount, role, "secret-id-accessor/lookup", err) == 0)
        result = look(v, &ask, deadline_ms, out, err);
    ask_release(v, &ask);
    return result;
}

int vault_secret_ids_list(struct vault *v, const char *mount, const char *role, int64_t deadline_ms,
                          struct vault_list *out, struct err *err)
{
    struct ask ask = ASK_INIT("GET", "list the secret ids with", "\"list\"");
    int result = -1;

    if (role_path(&ask, mount, role, "secret-id", err) == 0 && engine_query_list(&ask, err) == 0)
        result = engine_list(v, &ask, deadline_ms, out, err);
    ask_release(v, &ask);
    return result;
}

/* ---- ending --------------------------------------------------------------------------------- */

static int destroy(struct vault *v, struct ask *ask, int64_t deadline_ms, struct err *err)
{
    if (ask_send(v, ask, deadline_ms, err) != 0)
        return -1;
    return ask->call.status == 200 || is_gone(ask) ? 0 : ask_error(v, ask, err);
}

int vault_secret_id_destroy(struct vault *v, const char *mount, const char *role,
                            const struct secret *secret_id, int64_t deadline_ms, struct err *err)
{
    struct ask ask = ASK_INIT("POST", "destroy a secret id with", "\"update\"");
    int result = -1;

    if (engine_secret_body(&ask, "secret_id", secret_id, err) == 0 &&
        role_path(&ask, mount, role, "secret-id/destroy", err) == 0)
        result = destroy(v, &ask, deadline_ms, err);
    ask_release(v, &ask);
    return result;
}

int vault_secret_id_destroy_accessor(struct vault *v, const char *mount, const char *role,
                                     const char *accessor, int64_t deadline_ms, struct err *err)
{
    struct ask ask = ASK_INIT("POST", "destroy a secret id with", "\"update\"");
    int result = -1;

    if (engine_text_body(&ask, "secret_id_accessor", accessor, err) == 0 &&
        role_path(&ask, mount, role, "secret-id-accessor/destroy", err) == 0)
        result = destroy(v, &ask, deadline_ms, err);
    ask_release(v, &ask);
    return result;
}

/* ---- trying --------------------------------------------------------------------------------- */

static int log_in(struct vault *v, struct ask *ask, int64_t deadline_ms, struct secret *token,
                  bool *accepted, struct err *err)
{
    /* Not through ask_send: it is no matter of our own token. */
    if (flight_perform(v, &ask->call,
                       clock_earlier(deadline_ms, clock_in_ms(v->config.deadline_ms)), err) != 0)
        return -1;
    int status = ask->call.status;
    *accepted = status == 200;
    if (status == 200)
        return engine_take_secret(v, ask, ask_member(ask, "auth"), "client_token", token, err);
    bool refused = (status == 400 || status == 401 || status == 403) &&
                   (ask_has_error(ask, "invalid role or secret ID") ||
                    ask_has_error(ask, "invalid secret id") ||
                    ask_has_error(ask, "invalid role ID"));
    return refused ? 0 : ask_error(v, ask, err);
}

int vault_approle_login_try(struct vault *v, const char *mount, const struct secret *role_id,
                            const struct secret *secret_id, int64_t deadline_ms, bool *accepted,
                            struct err *err)
{
    const struct vault_member members[] = {{"role_id", role_id}, {"secret_id", secret_id}};
    struct ask ask = ASK_INIT("POST", "log in at", NULL);
    AUTO_SECRET token = SECRET_INIT;
    bool was_accepted = false;
    int result = -1;

    ask.call.anonymous = true;
    ask.call.sent = secret_id;
    if (vault_json_body(members, ARRAY_LEN(members), &ask.body, err) == 0 &&
        ask_path(&ask, err, "auth", mount, "login", NULL) == 0) {
        ask.call.body = &ask.body;
        result = log_in(v, &ask, deadline_ms, &token, &was_accepted, err);
    }
    ask_release(v, &ask);
    if (result != 0)
        return -1;
    if (secret_is_set(&token) && engine_end_as(v, &token, deadline_ms, err) != 0)
        return err_wrap(err, "the log-in worked, but not the end of its token");
    *accepted = was_accepted;
    return 0;
}
