/* engine_token.c: tokens: looked up, made, ended. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "vault/engine_internal.h"

enum { MS_PER_S = 1000 };

#define MAYBE_LEFT "A token may have been made that nobody knows: it ends with its time."

/* ---- bodies --------------------------------------------------------------------------------- */

int engine_secret_body(struct ask *ask, const char *name, const struct secret *value,
                       struct err *err)
{
    const struct vault_member member = {name, value};
    AUTO_SECRET body = SECRET_INIT;

    if (vault_json_body(&member, 1, &body, err) != 0)
        return -1;
    secret_release(&ask->body);
    ask->body = body;
    body = SECRET_INIT;
    ask->call.body = &ask->body;
    ask->call.sent = value;
    return 0;
}

int engine_text_body(struct ask *ask, const char *name, const char *text, struct err *err)
{
    const struct secret borrowed = secret_borrow(text, strlen(text));

    if (engine_secret_body(ask, name, &borrowed, err) != 0)
        return -1;
    ask->call.sent = NULL; /* an accessor is no secret, and this one ends here */
    return 0;
}

int engine_take_secret(struct vault *v, struct ask *ask, const json_t *object, const char *name,
                       struct secret *out, struct err *err)
{
    const json_t *text = json_object_get(object, name);

    if (!json_is_string(text) || json_string_length(text) == 0) {
        char why[64];
        (void)snprintf(why, sizeof why, "has no %s", name);
        return ask_unusable(v, ask, why, err);
    }
    return secret_set(out, json_string_value(text), json_string_length(text), err);
}

/* ---- facts ---------------------------------------------------------------------------------- */

void vault_token_facts_release(struct vault_token_facts *facts)
{
    free(facts->accessor);
    free(facts->display_name);
    free(facts->path);
    free(facts->type);
    free(facts->role);
    free(facts->entity_id);
    vault_list_release(&facts->policies);
    document_release(&facts->meta);
    *facts = (struct vault_token_facts){0};
}

static int fill_texts(const json_t *data, struct vault_token_facts *facts, struct err *err)
{
    const struct {
        const char *name;
        char **to;
    } texts[] = {
        {"accessor", &facts->accessor}, {"display_name", &facts->display_name},
        {"path", &facts->path},         {"type", &facts->type},
        {"role", &facts->role},         {"entity_id", &facts->entity_id},
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (ask_take_text(data, texts[i].name, texts[i].to, err) != 0)
            return -1;
    return 0;
}

static int fill_facts(const json_t *data, struct vault_token_facts *facts, struct err *err)
{
    json_t *meta = json_object_get(data, "meta");

    facts->is_alive = true;
    facts->ttl_ms = vault_json_seconds(data, "ttl");
    facts->creation_ttl_ms = vault_json_seconds(data, "creation_ttl");
    facts->period_ms = vault_json_seconds(data, "period");
    facts->explicit_max_ttl_ms = vault_json_seconds(data, "explicit_max_ttl");
    facts->created_at = json_integer_value(json_object_get(data, "creation_time"));
    facts->renewable = json_is_true(json_object_get(data, "renewable"));
    facts->orphan = json_is_true(json_object_get(data, "orphan"));
    facts->uses_left = json_integer_value(json_object_get(data, "num_uses"));
    if (fill_texts(data, facts, err) != 0 ||
        engine_take_list(json_object_get(data, "policies"), &facts->policies, err) != 0)
        return -1;
    return json_is_object(meta) ? document_from_json(meta, "the token's metadata", ERR_SOURCE_DATA,
                                                     true, &facts->meta, err)
                                : 0;
}

static int take_facts(struct vault *v, struct ask *ask, struct vault_token_facts *out,
                      struct err *err)
{
    const json_t *data = ask_member(ask, "data");
    struct vault_token_facts facts = {0};

    if (!json_is_object(data))
        return ask_unusable(v, ask, "has no data", err);
    if (fill_facts(data, &facts, err) != 0) {
        vault_token_facts_release(&facts);
        return -1;
    }
    *out = facts;
    return 0;
}

/* ---- looking up ----------------------------------------------------------------------------- */

int vault_self(struct vault *v, int64_t deadline_ms, struct vault_token_facts *out, struct err *err)
{
    struct ask ask = ASK_INIT("GET", "look at our token with", "\"read\"");
    int result = -1;

    if (ask_path(&ask, err, "auth/token/lookup-self", NULL) == 0 &&
        ask_for(v, &ask, deadline_ms, err) == 0)
        result = take_facts(v, &ask, out, err);
    ask_release(v, &ask);
    return result;
}

/* Of a token, as itself. Vault says 403 to a dead one, and to one whose policies do not let it. */
static int look_as_itself(struct vault *v, const struct secret *token, int64_t deadline_ms,
                          bool *refused, struct vault_token_facts *out, struct err *err)
{
    struct ask ask = ASK_INIT("GET", "have a token look at itself with", NULL);
    int result = -1;

    *refused = false;
    ask.call.as = ask.call.sent = token;
    if (ask_path(&ask, err, "auth/token/lookup-self", NULL) == 0 &&
        ask_send(v, &ask, deadline_ms, err) == 0) {
        result = ask.call.status == 200 ? take_facts(v, &ask, out, err) : ask_error(v, &ask, err);
        *refused = ask.call.status == 403;
    }
    ask_release(v, &ask);
    return result;
}

int vault_token_lookup(struct vault *v, const struct secret *token, int64_t deadline_ms,
                       struct vault_token_facts *out, struct err *err)
{
    struct ask ask = ASK_INIT("POST", "look a token up with", "\"update\"");
    bool may_not = false, refused;
    int result = -1;

    ask.refusal_is_expected = true;
    if (engine_secret_body(&ask, "token", token, err) == 0 &&
        ask_path(&ask, err, "auth/token/lookup", NULL) == 0 &&
        ask_send(v, &ask, deadline_ms, err) == 0) {
        bool is_dead = ask.call.status == 403 && ask_has_error(&ask, "bad token");
        may_not = ask.call.status == 403 && !is_dead;
        if (is_dead)
            *out = (struct vault_token_facts){0};
        else if (ask.call.status == 200)
            result = take_facts(v, &ask, out, err);
        else
            (void)ask_error(v, &ask, err);
        result = is_dead ? 0 : result;
    }
    ask_release(v, &ask);
    if (!may_not)
        return result;
    struct err first = *err;
    if (look_as_itself(v, token, deadline_ms, &refused, out, err) == 0)
        return 0;
    if (refused) { /* dead, or not allowed to look: with our own right to look it would be known */
        *err = first;
        return err_hint(err, "The token may not look at itself either: it is dead, or its policies "
                             "do not let it.");
    }
    return -1;
}

int vault_token_lookup_accessor(struct vault *v, const char *accessor, int64_t deadline_ms,
                                struct vault_token_facts *out, struct err *err)
{
    struct ask ask = ASK_INIT("POST", "look a token up with", "\"update\"");
    int result = -1;

    if (engine_text_body(&ask, "accessor", accessor, err) == 0 &&
        ask_path(&ask, err, "auth/token/lookup-accessor", NULL) == 0 &&
        ask_send(v, &ask, deadline_ms, err) == 0) {
        bool is_dead = ask.call.status >= 400 && ask.call.status <= 404 &&
                       ask_has_error(&ask, "invalid accessor");
        if (is_dead)
            *out = (struct vault_token_facts){0};
        result = is_dead ? 0
                         : (ask.call.status == 200 ? take_facts(v, &ask, out, err)
                                                   : ask_error(v, &ask, err));
    }
    ask_release(v, &ask);
    return result;
}

/* ---- making --------------------------------------------------------------------------------- */

static void add_seconds(struct json *j, const char *name, int64_t ms)
{
    char text[32];

    if (ms <= 0)
        return;
    (void)snprintf(text, sizeof text, "%llds", (long long)((ms + MS_PER_S - 1) / MS_PER_S));
    json_add_string(j, name, text);
}

static void write_wish(const struct vault_token_wish *wish, struct buf *out)
{
    struct json j = JSON_INIT(out);

    json_begin_object(&j, NULL);
    if (wish->display_name)
        json_add_string(&j, "display_name", wish->display_name);
    if (wish->policies) {
        json_begin_array(&j, "policies");
        for (size_t i = 0; i < wish->policies->count; i++)
            json_add_string(&j, NULL, wish->policies->items[i]);
        json_end_array(&j);
    }
    if (wish->meta) {
        json_begin_object(&j, "meta");
        for (size_t i = 0; i < wish->meta->count; i++)
            if (!wish->meta->list[i].group)
                json_add_string(&j, wish->meta->list[i].name,
                                document_text(wish->meta, NULL, wish->meta->list[i].name));
        json_end_object(&j);
    }
    add_seconds(&j, "ttl", wish->ttl_ms);
    add_seconds(&j, "period", wish->period_ms);
    add_seconds(&j, "explicit_max_ttl", wish->explicit_max_ttl_ms);
    json_add_bool(&j, "renewable", !wish->not_renewable);
    if (wish->orphan)
        json_add_bool(&j, "no_parent", true);
    if (wish->no_default_policy)
        json_add_bool(&j, "no_default_policy", true);
    json_end_object(&j);
}

static bool has_item(const struct vault_list *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++)
        if (str_eq(list->items[i], text))
            return true;
    return false;
}

struct vault_token_wish vault_token_like(const struct vault_token_facts *facts)
{
    const char *name = facts->display_name;

    /* Vault puts "token-" before what was asked for. */
    if (name && str_starts(name, "token-"))
        name += strlen("token-");
    else if (str_eq(name, "token"))
        name = NULL;
    return (struct vault_token_wish){
        .role = facts->role,
        .display_name = name,
        .policies = &facts->policies,
        .meta = facts->meta.count > 0 ? &facts->meta : NULL,
        .ttl_ms = facts->creation_ttl_ms,
        .period_ms = facts->period_ms,
        .explicit_max_ttl_ms = facts->explicit_max_ttl_ms,
        .not_renewable = !facts->renewable,
        .orphan = facts->orphan,
        .no_default_policy = !has_item(&facts->policies, "default"),
    };
}

int vault_token_create(struct vault *v, const struct vault_token_wish *wish, int64_t deadline_ms,
                       struct secret *token, char **accessor, struct err *err)
{
    struct ask ask = ASK_INIT("POST", "make a token with", "\"create\", \"update\"");
    AUTO_BUF body = BUF_INIT(ASK_BODY_MAX_BYTES);
    AUTO_SECRET made = SECRET_INIT;
    char *its = NULL;
    int result = -1;

    ask.call.once = true;
    write_wish(wish, &body);
    /* Of a role, or an orphan, by its own path: that is what policies allow one by one. */
    const char *word = wish->orphan && !wish->role ? "auth/token/create-orphan"
                                                   : "auth/token/create";
    if (ask_body(&ask, &body, err) == 0 && ask_path(&ask, err, word, wish->role, NULL) == 0) {
        const json_t *auth;
        result = ask_for(v, &ask, deadline_ms, err);
        if (result != 0 && ask.call.exchange.sent && !answer_says_no_effect(&ask.call))
            (void)err_hint(err, MAYBE_LEFT);
        auth = ask_member(&ask, "auth");
        if (result == 0 && (engine_take_secret(v, &ask, auth, "client_token", &made, err) != 0 ||
                            ask_take_text(auth, "accessor", &its, err) != 0))
            result = -1;
    }
    ask_release(v, &ask);
    if (result != 0)
        return -1;
    *token = made;
    *accessor = its;
    made = SECRET_INIT;
    return 0;
}

/* ---- ending --------------------------------------------------------------------------------- */

int engine_end_as(struct vault *v, const struct secret *token, int64_t deadline_ms, struct err *err)
{
    struct ask ask = ASK_INIT("POST", "have a token end itself with", "\"update\"");
    int result = -1;

    ask.call.as = ask.call.sent = token;
    if (ask_path(&ask, err, "auth/token/revoke-self", NULL) == 0)
        result = ask_for(v, &ask, deadline_ms, err);
    ask_release(v, &ask);
    return result;
}

int vault_token_revoke(struct vault *v, const struct secret *token, int64_t deadline_ms,
                       struct err *err)
{
    struct ask ask = ASK_INIT("POST", "end a token with", "\"update\"");
    bool may_not = false;
    int result = -1;

    ask.refusal_is_expected = true;
    if (engine_secret_body(&ask, "token", token, err) == 0 &&
        ask_path(&ask, err, "auth/token/revoke", NULL) == 0 &&
        ask_send(v, &ask, deadline_ms, err) == 0) {
        int status = ask.call.status;
        may_not = status == 403;
        result = status == 200 || status == 204 ? 0 : ask_error(v, &ask, err);
    }
    ask_release(v, &ask);
    if (!may_not)
        return result;
    /* Without the right to end others, it may end itself; a dead one is refused that. */
    struct err first = *err;
    if (engine_end_as(v, token, deadline_ms, err) == 0)
        return 0;
    if (err->http_status != 403)
        return -1;
    struct vault_token_facts facts = {0};
    if (vault_token_lookup(v, token, deadline_ms, &facts, err) == 0 && !facts.is_alive)
        return 0;
    vault_token_facts_release(&facts);
    *err = first;
    return err_hint(err, "The token may not end itself either: it is dead, or its policies do not "
                         "let it.");
}

int vault_token_revoke_accessor(struct vault *v, const char *accessor, int64_t deadline_ms,
                                struct err *err)
{
    struct ask ask = ASK_INIT("POST", "end a token with", "\"update\"");
    int result = -1;

    if (engine_text_body(&ask, "accessor", accessor, err) == 0 &&
        ask_path(&ask, err, "auth/token/revoke-accessor", NULL) == 0 &&
        ask_send(v, &ask, deadline_ms, err) == 0) {
        int status = ask.call.status;
        bool is_gone = status >= 400 && status <= 404 && ask_has_error(&ask, "invalid accessor");
        result = status == 200 || status == 204 || is_gone ? 0 : ask_error(v, &ask, err);
    }
    ask_release(v, &ask);
    return result;
}

int vault_token_accessors(struct vault *v, int64_t deadline_ms, struct vault_list *out,
                          struct err *err)
{
    struct ask ask = ASK_INIT("GET", "list the tokens with", "\"sudo\", \"list\"");
    int result = -1;

    if (ask_path(&ask, err, "auth/token/accessors", NULL) == 0 && engine_query_list(&ask, err) == 0)
        result = engine_list(v, &ask, deadline_ms, out, err);
    ask_release(v, &ask);
    return result;
}
