/* rotate_specs.c: the contract's `rotate` → what is to be rotated, and where its value lies. */
#include "agent/rotate.h"

#include <string.h>

#include "base/mem.h"
#include "base/signals.h"
#include "base/str.h"
#include "vault/engine.h"

/* ---- where the value lies -------------------------------------------------------------------------- */

/* What an engine makes is not written by us. */
static bool is_engines(const char *path)
{
    CLEANUP(vault_login_release) struct vault_login login = {0};
    struct err ignored = ERR_INIT; /* then it is a path of KV */

    return vault_login_of(path, &login, &ignored) == 0;
}

static const struct contract_part *part_named(const struct contract_variable *variable,
                                              const char *name)
{
    for (size_t i = 0; i < variable->part_count; i++)
        if (str_eq(variable->parts[i].name, name))
            return &variable->parts[i];
    return NULL;
}

/* The place of one reference. -1: nothing that a rotation could write. */
static int place_of_ref(const struct ref *ref, struct rotate_place *out, const char **name)
{
    switch (ref->kind) {
    case REF_VAULT:
        out->kind = is_engines(ref->path) ? ROTATE_NOWHERE : ROTATE_IN_KV;
        out->path = out->kind == ROTATE_IN_KV ? ref->path : NULL;
        *name = ref->field; /* an engine's: what its log-in has under that name */
        return 0;
    case REF_SEALED:
        out->kind = ROTATE_IN_SEALED;
        *name = ref->path;
        return 0;
    case REF_NONE:
        out->kind = ROTATE_NOWHERE;
        return 0;
    case REF_ENV:
    case REF_FILE:
    case REF_COMMAND:
        break;
    }
    return -1;
}

/* Of a composed value user and password are what changes, and they lie in one place. */
static int place_of_parts(const struct contract_variable *variable, struct rotate_place *out)
{
    const struct contract_part *password = part_named(variable, "password");
    const struct contract_part *user = part_named(variable, "user");
    struct rotate_place user_place = {0};

    if (!password || place_of_ref(&password->ref, out, &out->password_field) != 0)
        return -1;
    if (!user || place_of_ref(&user->ref, &user_place, &out->user_field) != 0)
        return 0; /* it comes from elsewhere, and stays */
    if (user_place.kind != out->kind || !str_eq(user_place.path, out->path))
        out->user_field = NULL;
    return 0;
}

static int place_of(const struct contract_variable *variable, bool is_url, struct rotate_place *out)
{
    *out = (struct rotate_place){.value_is_url = is_url};
    if (variable->part_count == 1 && !variable->parts[0].name)
        return place_of_ref(&variable->parts[0].ref, out, &out->value_field);
    return place_of_parts(variable, out);
}

/* ---- one secret ------------------------------------------------------------------------------------ */

static int copy_after(struct rotate_job *r, const struct contract_rotation *from,
                      struct rotate_spec *out, struct err *err)
{
    if (from->after_count == 0)
        return 0;
    struct rotate_after *after = arena_new(&r->job->arena, from->after_count, sizeof(*after));
    if (!after)
        return err_nomem(err);
    for (size_t i = 0; i < from->after_count; i++) {
        const char *name = from->after[i].signal;
        after[i] = (struct rotate_after){.command = from->after[i].command,
                                         .signal = name ? signal_by_name(name, strlen(name)) : 0,
                                         .pidfile = from->after[i].pidfile};
        if (name && after[i].signal == 0)
            return err_set(err, ERR_CONTRACT, "'%s' has no signal '%s' to send after a rotation",
                           out->variable, name);
        if (!after[i].command && (!name || !after[i].pidfile))
            return err_set(
                err, ERR_CONTRACT,
                "an entry of 'after' of '%s' has neither a command nor a signal with its "
                "pidfile",
                out->variable);
    }
    out->after = after;
    out->after_count = from->after_count;
    return 0;
}

static int copy_config(struct rotate_job *r, const struct contract_rotation *from,
                       struct rotate_spec *out, struct err *err)
{
    out->config_json = from->config;
    return from->logins && (!from->logins[0] || !from->logins[1] || from->logins[2])
               ? err_set(err, ERR_CONTRACT, "'logins' of '%s' are to be two", out->variable)
               : copy_after(r, from, out, err);
}

static enum rotate_encoding encoding_of(const char *word)
{
    return str_eq(word, "hex")         ? ROTATE_HEX
           : str_eq(word, "base64url") ? ROTATE_BASE64URL
                                       : ROTATE_BASE64;
}

static struct rotate_spec plain_spec(const struct contract_variable *variable,
                                     const struct contract_rotation *from)
{
    return (struct rotate_spec){
        .variable = variable->name,
        .strategy = rotate_strategy_find(from->strategy),
        .records = from->records,
        .every_ms = from->every_ms,
        .grace_ms = from->grace_ms,
        .timeout_ms = from->timeout_ms,
        .depends_on = from->depends_on,
        .mirrors = from->mirrors,
        .test_command = from->test_command,
        .logins = {from->logins ? from->logins[0] : NULL,
                   from->logins && from->logins[0] ? from->logins[1] : NULL},
        .owner = from->owner,
        .login = from->login,
        .admin = from->admin,
        .plain = from->plain_password,
        .mount = from->mount,
        .role = from->role,
        .connection = from->connection,
        .hook = from->hook,
        .environment = from->env,
        .steps = from->steps,
        .bytes = from->bytes,
        .length = from->length,
        .keep = from->keep,
        .encoding = encoding_of(from->as),
        .alphabet = from->alphabet,
        .separator = from->separator,
    };
}

/* What the strategy cannot do without. */
static int check_spec(const struct rotate_spec *spec, struct err *err)
{
    bool engine = spec->strategy == ROTATE_VAULT_STATIC || spec->strategy == ROTATE_VAULT_ROOT ||
                  spec->strategy == ROTATE_VAULT_DYNAMIC;
    const struct {
        bool needed, there;
        const char *key;
    } keys[] = {
        {spec->strategy == ROTATE_PG_TWO_LOGIN, spec->logins[0] != NULL, "logins"},
        {spec->strategy == ROTATE_PG_TWO_LOGIN, spec->owner != NULL, "owner"},
        {engine, spec->mount != NULL, "mount"},
        {engine && spec->strategy != ROTATE_VAULT_ROOT, spec->role != NULL, "role"},
        {spec->strategy == ROTATE_VAULT_ROOT, spec->connection != NULL, "connection"},
        {spec->strategy == ROTATE_HOOK, spec->hook != NULL, "hook"},
    };

    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (keys[i].needed && !keys[i].there)
            return err_set(err, ERR_CONTRACT, "'rotate' of '%s' has no '%s', which '%s' needs",
                           spec->variable, keys[i].key, rotate_strategy_word(spec->strategy));
    if (spec->place.kind != ROTATE_NOWHERE || spec->records)
        return 0;
    err_set(err, ERR_CONTRACT, "the contract has no 'records', and '%s' lies in no KV path",
            spec->variable);
    return err_hint(err, "Add \"records\": \"vault:secret/…/.agent/{name}\": the state of a "
                         "rotation is kept there.");
}

enum found { FOUND, NOT_ROTATED, NOT_HERE };

/* What an engine makes, or nobody can read, is changed by Vault alone. */
static bool has_place(const struct rotate_spec *spec)
{
    bool is_vaults = spec->strategy == ROTATE_VAULT_STATIC || spec->strategy == ROTATE_VAULT_ROOT ||
                     spec->strategy == ROTATE_VAULT_DYNAMIC;

    return is_vaults || spec->place.kind != ROTATE_NOWHERE;
}

/* VARIABLE's rotation as *out. -1: what is said of it is wrong. */
static int spec_of(struct rotate_job *r, const struct contract_variable *variable,
                   struct rotate_spec *out, enum found *found, struct err *err)
{
    const struct contract_rotation *rotation = NULL;

    if (contract_rotation_of(r->job->contract, variable, &rotation, err) != 0)
        return -1;
    *found = NOT_ROTATED;
    if (!rotation || !rotation->strategy || str_eq(rotation->strategy, "none"))
        return 0;
    *out = plain_spec(variable, rotation);
    *found = NOT_HERE;
    if (place_of(variable, rotation->value_is_url, &out->place) != 0 || !has_place(out))
        return 0;
    *found = FOUND;
    if (out->strategy == ROTATE_STRATEGY_COUNT)
        return err_set(err, ERR_CONTRACT, "'%s' is rotated by '%s', which is no strategy",
                       variable->name, rotation->strategy);
    return copy_config(r, rotation, out, err) != 0 ? -1 : check_spec(out, err);
}

/* ---- all of them ----------------------------------------------------------------------------------- */

static int not_found(const struct rotate_job *r, const char *name, enum found found,
                     struct err *err)
{
    const char *profile = r->job->contract->profile;

    if (found == NOT_HERE)
        return err_set(err, ERR_CONTRACT,
                       "'%s' is not rotated%s%s%s: its value comes from the environment, a file, a "
                       "command or an engine of Vault's",
                       name, profile ? " in profile '" : "", profile ? profile : "",
                       profile ? "'" : "");
    err_set(err, ERR_CONTRACT, "the contract does not rotate '%s'", name);
    return err_hint(err, "Its 'rotate' is not said, or its strategy is none.");
}

static int add_named(struct rotate_job *r, const char *name, struct err *err)
{
    const struct contract *contract = r->job->contract;
    const struct contract_variable *variable = contract_find(contract, name);
    enum found found = NOT_ROTATED;

    if (!variable) {
        err_set(err, ERR_USAGE, "there is no variable '%s' in '%s'", name, contract->path);
        const char *nearest = contract_nearest_name(contract, name);
        return nearest ? err_hint(err, "Did you mean '%s'?", nearest) : -1;
    }
    for (size_t i = 0; i < r->count; i++)
        if (str_eq(r->specs[i].variable, name))
            return 0;
    if (spec_of(r, variable, &r->specs[r->count], &found, err) != 0)
        return -1;
    if (found != FOUND)
        return not_found(r, name, found, err);
    r->count++;
    return 0;
}

static int add_all(struct rotate_job *r, struct err *err)
{
    for (size_t i = 0; i < r->job->contract->variable_count; i++) {
        enum found found = NOT_ROTATED;
        if (spec_of(r, &r->job->contract->variables[i], &r->specs[r->count], &found, err) != 0)
            return -1;
        r->count += found == FOUND;
    }
    return 0;
}

static int put_in_order(struct rotate_job *r, struct err *err)
{
    AUTO_FREE size_t *order = mem_new(r->count + 1, sizeof(*order));
    struct rotate_spec *sorted = arena_new(&r->job->arena, r->count + 1, sizeof(*sorted));

    if (!order || !sorted)
        return err_nomem(err);
    if (rotate_order(r->specs, r->count, order, err) != 0)
        return -1;
    for (size_t i = 0; i < r->count; i++)
        sorted[i] = r->specs[order[i]];
    r->specs = sorted;
    return 0;
}

int rotate_specs(struct rotate_job *r, const char *const *names, size_t count, struct err *err)
{
    struct contract *contract = r->job->contract;

    r->specs = arena_new(&r->job->arena, contract->variable_count + 1, sizeof(*r->specs));
    if (!r->specs)
        return err_nomem(err);
    for (size_t i = 0; i < contract->variable_count; i++)
        contract->variables[i].stale_ok_ms = 0; /* what is rotated is never taken from a copy */
    for (size_t i = 0; i < count; i++)
        if (add_named(r, names[i], err) != 0)
            return -1;
    if (count == 0 && add_all(r, err) != 0)
        return -1;
    return put_in_order(r, err);
}
