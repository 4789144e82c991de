/* auth_wrapped.c: a secret id that comes wrapped: a token of a single use stands for it.
 *
 * Wrapping shows whether somebody else read it on the way, but only to who looks: that the token was
 * spent already, and that it was made where secret ids are made. Otherwise a thief could unwrap it, wrap
 * what he likes, and nobody would notice. Source: Vault's manual, "Response wrapping token validation". */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "vault/auth.h"

#define SPENT_HINT                                                                                \
    "Somebody else may have the secret id now. Have it destroyed, look in Vault's audit log for " \
    "who unwrapped it, and issue a new one. After a restart of ours alone, a new one is needed "  \
    "as well: it works once."

/* "auth/<mount>/role/<role>/secret-id"; any one role where none is named. */
static bool is_of_secret_ids(const char *path, const char *mount, const char *role)
{
    size_t length = strlen(mount);

    if (!str_starts(path, "auth/") || strncmp(path + strlen("auth/"), mount, length) != 0)
        return false;
    path += strlen("auth/") + length;
    if (!str_starts(path, "/role/"))
        return false;
    path += strlen("/role/");
    size_t end = strcspn(path, "/");
    if (end == 0 || (role && (strlen(role) != end || strncmp(path, role, end) != 0)))
        return false;
    return str_eq(path + end, "/secret-id");
}

static int check_creation_path(const struct vault *v, const char *path, struct err *err)
{
    const struct setting setting = {"role", v->config.role, true, TRIM};
    AUTO_FREE char *mount = NULL;
    AUTO_SECRET role = SECRET_INIT;

    if (auth_mount(v, "approle", &mount, err) != 0 ||
        (setting.text && auth_read_setting(v, &setting, &role, err) != 0))
        return -1;
    const char *name = secret_length(&role) > 0 ? secret_reveal(&role) : NULL;
    if (is_of_secret_ids(path, mount, name))
        return 0;
    (void)err_set(err, ERR_SOURCE_DENIED,
                  "the wrapped secret id is none: what it stands for was made at '%s', not at "
                  "'auth/%s/role/%s/secret-id'",
                  path, mount, name ? name : "ROLE");
    return err_hint(err, "Somebody may have put it in the place of the true one. It was not "
                         "unwrapped; find out who delivered it.");
}

static int spent(struct vault *v, struct call *call, struct err *err)
{
    struct err cause = ERR_INIT;

    (void)answer_error(v, call, "ask about the wrapping token at", &cause);
    (void)err_set(err, ERR_SOURCE_DENIED,
                  "the wrapped secret id was unwrapped already, has expired, or never was one: %s",
                  cause.text);
    err->http_status = cause.http_status;
    return err_hint(err, SPENT_HINT);
}

/* Where the wrapping token was made; it stays good. */
static int look(struct vault *v, const struct secret *wrapping, int64_t deadline_ms,
                struct err *err)
{
    const struct vault_member members[] = {{"token", wrapping}};
    struct call call = {.method = "POST", .anonymous = true, .sent = wrapping};
    AUTO_SECRET body = SECRET_INIT;
    AUTO_JSON json = NULL;
    int result = -1;

    call.path = mem_dup("sys/wrapping/lookup");
    call.body = &body;
    if (!call.path)
        return err_nomem(err);
    if (vault_json_body(members, ARRAY_LEN(members), &body, err) == 0 &&
        flight_perform(v, &call, deadline_ms, err) == 0) {
        if (call.status == 400 || call.status == 403)
            result = spent(v, &call, err);
        else if (call.status != 200)
            result = answer_error(v, &call, "look at the wrapped secret id at", err);
        else
            result = vault_json_parse(&call.exchange.answer, "what is wrapped", &json, err);
    }
    call_release(v, &call);
    if (result != 0)
        return -1;
    const char *path = json_string_value(
        json_object_get(json_object_get(json, "data"), "creation_path"));
    if (!path)
        return err_set(err, ERR_SOURCE_DATA,
                       "Vault does not say where the wrapped secret id was made");
    return check_creation_path(v, path, err);
}

static int take(struct call *call, struct secret *out, struct err *err)
{
    AUTO_JSON json = NULL;

    if (vault_json_parse(&call->exchange.answer, "what was wrapped", &json, err) != 0)
        return -1;
    const json_t *id = json_object_get(json_object_get(json, "data"), "secret_id");
    if (!json_is_string(id))
        return err_set(err, ERR_SOURCE_DATA, "what was wrapped has no secret_id in it");
    return secret_set(out, json_string_value(id), json_string_length(id), err);
}

static int unwrap(struct vault *v, const struct secret *wrapping, int64_t deadline_ms,
                  struct secret *out, struct err *err)
{
    /* Once: a second time, it would be spent by ourselves. */
    struct call call = {.method = "POST", .as = wrapping, .sent = wrapping, .once = true};
    int result = -1;

    call.path = mem_dup("sys/wrapping/unwrap");
    if (!call.path)
        return err_nomem(err);
    if (flight_perform(v, &call, deadline_ms, err) == 0) {
        if (call.status == 200)
            result = take(&call, out, err);
        else if (call.status == 400 || call.status == 403)
            result = spent(v, &call, err);
        else
            result = answer_error(v, &call, "unwrap the secret id at", err);
        if (result != 0 && call.status == 0 && call.exchange.sent)
            (void)err_hint(err, "The answer was lost, and the secret id with it: issue a new one.");
    }
    call_release(v, &call);
    return result;
}

int auth_unwrap_secret_id(struct vault *v, const struct secret *wrapping, int64_t deadline_ms,
                          struct secret *out, struct err *err)
{
    const char *text = secret_reveal(wrapping);
    size_t length = secret_length(wrapping);

    if (auth_check_header_value(&text, &length, "the wrapped secret id", err) != 0 ||
        look(v, wrapping, deadline_ms, err) != 0)
        return -1;
    return unwrap(v, wrapping, deadline_ms, out, err);
}
