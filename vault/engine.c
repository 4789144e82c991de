/* engine.c: the database engine and its leases. */
#include "vault/engine.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "vault/engine_internal.h"

#define MAYBE_LEFT "A log-in may have been made that nobody knows: it ends with its lease."

/* ---- answers -------------------------------------------------------------------------------- */

void vault_list_release(struct vault_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct vault_list){0};
}

int engine_take_list(const json_t *array, struct vault_list *out, struct err *err)
{
    struct vault_list list = {0};

    list.items = mem_new(json_array_size(array) + 1, sizeof(*list.items));
    if (!list.items)
        return err_nomem(err);
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *text = json_array_get(array, i);
        if (!json_is_string(text))
            continue;
        char *copy = mem_dup(json_string_value(text));
        if (!copy) {
            vault_list_release(&list);
            return err_nomem(err);
        }
        list.items[list.count++] = copy;
    }
    *out = list;
    return 0;
}

int engine_list(struct vault *v, struct ask *ask, int64_t deadline_ms, struct vault_list *out,
                struct err *err)
{
    if (ask_send(v, ask, deadline_ms, err) != 0)
        return -1;
    if (ask->call.status == 200)
        return engine_take_list(json_object_get(ask_member(ask, "data"), "keys"), out, err);
    if (!ask_is_missing(ask))
        return ask_error(v, ask, err);
    *out = (struct vault_list){0}; /* an empty list is answered with 404 */
    return 0;
}

int engine_query_list(struct ask *ask, struct err *err)
{
    AUTO_BUF path = BUF_INIT(VAULT_PATH_MAX_BYTES);

    buf_addf(&path, "%s?list=true", ask->call.path);
    if (buf_check(&path, ERR_CONTRACT, "the path of a request", err) != 0)
        return -1;
    char *taken = buf_take(&path);
    if (!taken)
        return err_nomem(err);
    free(ask->call.path);
    ask->call.path = taken;
    return 0;
}

/* ---- the database engine -------------------------------------------------------------------- */

void vault_login_release(struct vault_login *login)
{
    free(login->mount);
    free(login->role);
    *login = (struct vault_login){0};
}

int vault_login_of(const char *path, struct vault_login *out, struct err *err)
{
    struct vault_login login = {0};

    if (!path_is_login(path))
        return err_set(err, ERR_CONTRACT,
                       "'%s' makes no log-in: it is none of MOUNT/creds/ROLE and "
                       "MOUNT/static-creds/ROLE",
                       path);
    const char *role = strrchr(path, '/') + 1;
    const char *word = role - 1;
    while (word > path && word[-1] != '/')
        word--;
    login.is_static = !str_starts(word, "creds/");
    login.mount = mem_dup_n(path, (size_t)(word - path) - 1);
    login.role = mem_dup(role);
    if (!login.mount || !login.role) {
        vault_login_release(&login);
        return err_nomem(err);
    }
    *out = login;
    return 0;
}

void vault_creds_release(struct vault_creds *creds)
{
    free(creds->username);
    secret_release(&creds->password);
    free(creds->lease.id);
    free(creds->rotated);
    *creds = (struct vault_creds){0};
}

static int fill_creds(struct ask *ask, struct vault_creds *creds, struct err *err)
{
    const json_t *data = ask_member(ask, "data");
    const json_t *password = json_object_get(data, "password");
    const json_t *rotated = json_object_get(data, "last_vault_rotation");

    creds->rotated_ns = vault_json_time_ns(rotated);
    if (ask_take_text(data, "username", &creds->username, err) != 0 ||
        ask_take_text(data, "last_vault_rotation", &creds->rotated, err) != 0 ||
        lease_from_answer(ask->json, true, ask->call.sent_ms, &creds->lease, err) != 0)
        return -1;
    if (!json_is_string(password))
        return 0;
    return secret_set(&creds->password, json_string_value(password), json_string_length(password),
                      err);
}

static int take_creds(struct vault *v, struct ask *ask, struct vault_creds *out, struct err *err)
{
    struct vault_creds creds = {0};
    int result = fill_creds(ask, &creds, err);

    if (result == 0 && (!creds.username || secret_length(&creds.password) == 0))
        result = ask_unusable(v, ask, "has no username or no password", err);
    if (result != 0) {
        vault_creds_release(&creds);
        return -1;
    }
    *out = creds;
    return 0;
}

/* Send what changes something and tells nothing. */
static int change(struct vault *v, struct ask *ask, int64_t deadline_ms,
                  enum vault_written *outcome, struct err *err)
{
    ask->call.once = ask->call.patient = true;
    return ask_send(v, ask, deadline_ms, err) != 0 ? -1 : ask_outcome(v, ask, outcome, err);
}

int vault_static_rotate(struct vault *v, const char *mount, const char *role, int64_t deadline_ms,
                        enum vault_written *outcome, struct err *err)
{
    struct ask ask = ASK_INIT("POST", "rotate", "\"update\"");
    int result = ask_path(&ask, err, mount, "rotate-role", role, NULL);

    if (result == 0)
        result = change(v, &ask, deadline_ms, outcome, err);
    ask_release(v, &ask);
    return result;
}

int vault_static_read(struct vault *v, const char *mount, const char *role, int64_t deadline_ms,
                      struct vault_creds *out, struct err *err)
{
    struct ask ask = ASK_INIT("GET", "read", "\"read\"");
    int result = -1;

    if (ask_path(&ask, err, mount, "static-creds", role, NULL) == 0 &&
        ask_for(v, &ask, deadline_ms, err) == 0)
        result = take_creds(v, &ask, out, err);
    ask_release(v, &ask);
    return result;
}

int vault_root_rotate(struct vault *v, const char *mount, const char *connection,
                      int64_t deadline_ms, enum vault_written *outcome, struct err *err)
{
    struct ask ask = ASK_INIT("POST", "rotate the engine's password with", "\"update\"");
    int result = ask_path(&ask, err, mount, "rotate-root", connection, NULL);

    if (result == 0)
        result = change(v, &ask, deadline_ms, outcome, err);
    ask_release(v, &ask);
    return result;
}

int vault_creds_new(struct vault *v, const char *mount, const char *role, int64_t deadline_ms,
                    struct vault_creds *out, struct err *err)
{
    struct ask ask = ASK_INIT("GET", "make a log-in with", "\"read\"");
    int result = -1;

    ask.call.once = ask.call.patient = true;
    if (ask_path(&ask, err, mount, "creds", role, NULL) == 0) {
        if (ask_for(v, &ask, deadline_ms, err) == 0)
            result = take_creds(v, &ask, out, err);
        else if (ask.call.exchange.sent && !answer_says_no_effect(&ask.call))
            (void)err_hint(err, MAYBE_LEFT);
    }
    ask_release(v, &ask);
    return result;
}

void vault_role_release(struct vault_role *role)
{
    free(role->connection);
    free(role->username);
    vault_list_release(&role->creation);
    vault_list_release(&role->revocation);
    *role = (struct vault_role){0};
}

static int fill_role(const json_t *data, struct vault_role *role, struct err *err)
{
    role->ttl_ms = vault_json_seconds(data, "default_ttl");
    role->max_ttl_ms = vault_json_seconds(data, "max_ttl");
    role->period_ms = vault_json_seconds(data, "rotation_period");
    if (ask_take_text(data, "db_name", &role->connection, err) != 0 ||
        ask_take_text(data, "username", &role->username, err) != 0 ||
        engine_take_list(json_object_get(data, "creation_statements"), &role->creation, err) != 0)
        return -1;
    return engine_take_list(json_object_get(data, "revocation_statements"), &role->revocation, err);
}

int vault_role_lookup(struct vault *v, const char *mount, const char *role, bool is_static,
                      int64_t deadline_ms, struct vault_role *out, struct err *err)
{
    struct ask ask = ASK_INIT("GET", "look at", "\"read\"");
    struct vault_role facts = {0};
    int result = -1;

    if (ask_path(&ask, err, mount, is_static ? "static-roles" : "roles", role, NULL) == 0 &&
        ask_for(v, &ask, deadline_ms, err) == 0)
        result = fill_role(ask_member(&ask, "data"), &facts, err);
    if (result == 0 && !facts.connection)
        result = ask_unusable(v, &ask, "has no db_name", err);
    if (result == 0)
        *out = facts;
    else
        vault_role_release(&facts);
    ask_release(v, &ask);
    return result;
}

int vault_roles_list(struct vault *v, const char *mount, bool is_static, int64_t deadline_ms,
                     struct vault_list *out, struct err *err)
{
    struct ask ask = ASK_INIT("GET", "list", "\"list\"");
    struct vault_list list = {0};
    int result = -1;

    if (ask_path(&ask, err, mount, is_static ? "static-roles" : "roles", NULL) == 0 &&
        engine_query_list(&ask, err) == 0)
        result = engine_list(v, &ask, deadline_ms, &list, err);
    if (result == 0)
        *out = list;
    ask_release(v, &ask);
    return result;
}

void vault_connection_release(struct vault_connection *connection)
{
    free(connection->url);
    free(connection->username);
    vault_list_release(&connection->allowed_roles);
    *connection = (struct vault_connection){0};
}

static int fill_connection(const json_t *data, struct vault_connection *facts, struct err *err)
{
    const json_t *details = json_object_get(data, "connection_details");

    if (ask_take_text(details, "connection_url", &facts->url, err) != 0 ||
        ask_take_text(details, "username", &facts->username, err) != 0)
        return -1;
    return engine_take_list(json_object_get(data, "allowed_roles"), &facts->allowed_roles, err);
}

int vault_connection_lookup(struct vault *v, const char *mount, const char *connection,
                            int64_t deadline_ms, struct vault_connection *out, struct err *err)
{
    struct ask ask = ASK_INIT("GET", "look at", "\"read\"");
    struct vault_connection facts = {0};
    int result = -1;

    if (ask_path(&ask, err, mount, "config", connection, NULL) == 0 &&
        ask_for(v, &ask, deadline_ms, err) == 0)
        result = fill_connection(ask_member(&ask, "data"), &facts, err);
    if (result == 0)
        *out = facts;
    else
        vault_connection_release(&facts);
    ask_release(v, &ask);
    return result;
}

/* ---- leases --------------------------------------------------------------------------------- */

/* The keys below a prefix have the rest of their ids alone. */
static int complete_ids(const char *prefix, struct vault_list *list, struct err *err)
{
    size_t length = strlen(prefix);

    for (size_t i = 0; i < list->count; i++) {
        AUTO_BUF id = BUF_INIT(VAULT_PATH_MAX_BYTES);
        buf_addf(&id, "%s%s%s", prefix, length > 0 && prefix[length - 1] == '/' ? "" : "/",
                 list->items[i]);
        if (buf_check(&id, ERR_SOURCE_DATA, "the id of a lease", err) != 0)
            return -1;
        char *taken = buf_take(&id);
        if (!taken)
            return err_nomem(err);
        free(list->items[i]);
        list->items[i] = taken;
    }
    return 0;
}

int vault_leases_list(struct vault *v, const char *prefix, int64_t deadline_ms,
                      struct vault_list *out, struct err *err)
{
    struct ask ask = ASK_INIT("GET", "list the leases with", "\"list\", \"sudo\"");
    struct vault_list list = {0};
    int result = -1;

    if (ask_path(&ask, err, "sys/leases/lookup", prefix, NULL) == 0 &&
        engine_query_list(&ask, err) == 0 && engine_list(v, &ask, deadline_ms, &list, err) == 0)
        result = complete_ids(prefix, &list, err);
    if (result == 0)
        *out = list;
    else
        vault_list_release(&list);
    ask_release(v, &ask);
    return result;
}

/* {"lease_id": ID}, with "sync" where it is to be. */
static int lease_body(struct ask *ask, const char *id, bool sync, struct err *err)
{
    AUTO_BUF body = BUF_INIT(ASK_BODY_MAX_BYTES);
    struct json j = JSON_INIT(&body);

    json_begin_object(&j, NULL);
    json_add_string(&j, "lease_id", id);
    if (sync)
        json_add_bool(&j, "sync", true);
    json_end_object(&j);
    return ask_body(ask, &body, err);
}

int vault_lease_lookup(struct vault *v, const char *id, int64_t deadline_ms,
                       struct vault_lease_facts *out, struct err *err)
{
    struct ask ask = ASK_INIT("POST", "look a lease up with", "\"update\"");
    int result = -1;

    if (lease_body(&ask, id, false, err) == 0 &&
        ask_path(&ask, err, "sys/leases/lookup", NULL) == 0 &&
        ask_send(v, &ask, deadline_ms, err) == 0) {
        const json_t *data = ask_member(&ask, "data");
        bool is_gone = ask.call.status == 400 && ask_has_error(&ask, "invalid lease");
        result = is_gone || (ask.call.status == 200 && json_is_object(data))
                     ? 0
                     : ask_error(v, &ask, err);
        if (result == 0)
            *out = (struct vault_lease_facts){
                .is_there = !is_gone,
                .issued_at = vault_json_time(json_object_get(data, "issue_time")),
                .expires_at = vault_json_time(json_object_get(data, "expire_time")),
                .ttl_ms = vault_json_seconds(data, "ttl"),
                .renewable = json_is_true(json_object_get(data, "renewable")),
            };
    }
    ask_release(v, &ask);
    return result;
}

int vault_lease_revoke(struct vault *v, const char *id, bool sync, int64_t deadline_ms,
                       struct err *err)
{
    struct ask ask = ASK_INIT("POST", "revoke a lease with", "\"update\"");
    int result = -1;

    ask.call.patient = true; /* and again, where nobody answered: an ended lease can end again */
    if (lease_body(&ask, id, sync, err) == 0 && ask_path(&ask, err, "sys/leases/revoke", NULL) == 0)
        result = ask_for(v, &ask, deadline_ms, err);
    ask_release(v, &ask);
    return result == 0 ? 0 : err_wrap(err, "lease '%s'", id);
}
