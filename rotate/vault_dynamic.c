/* vault_dynamic.c: the strategy `vault-dynamic`: credentials on a lease, which every process has of its own
 * and renews and replaces by itself.
 *
 * There is nothing to replace here. What can be done is to prove that a new lease is made and works, and, in
 * an emergency (--revoke-others), to end every other lease of the role, one by one: Vault stops at the
 * first that fails where it is asked for all of them, and a login that owns objects always fails. */
#include <string.h>

#include "base/str.h"
#include "rotate/vault_common.h"

enum {
    WHAT_BYTES = 512,
    NAME_BYTES = 128, /* of a login: PostgreSQL cuts at 63 */
    PLAN_BYTES = 2 * 1024,
    FORBIDDEN = 403,
    NEEDS = 4,
};

#define STATE_LEASE      "proof_lease"
#define STATE_CONNECTION "connection"

/* ---- the proof ----------------------------------------------------------------------------------- */

/* The lease that was made for the proof; kept in the record until it has ended. */
static int end_proof(struct rotation *r, struct vault *v, struct err *err)
{
    const char *lease = record_state(&r->record, STATE_LEASE);
    struct err failure = ERR_INIT;

    if (!lease || !*lease)
        return 0;
    if (vault_lease_revoke(v, lease, true, r->context->deadline_ms, &failure) != 0)
        engine_warn(r,
                    "the lease of the proof, '%s', could not be ended, and ends with its time: %s",
                    lease, failure.text);
    return record_state_set(&r->record, STATE_LEASE, "", err);
}

static int prove(struct rotation *r, struct vault *v, const char *role, const char *connection,
                 struct err *err)
{
    AUTO_CREDS creds = {0};
    struct err failure = ERR_INIT;
    char what[WHAT_BYTES];

    if (vault_creds_new(v, r->spec->mount, role, r->context->deadline_ms, &creds, err) != 0)
        return err_wrap(err, "have role '%s/%s' make a log-in", r->spec->mount, role);
    if (creds.lease.id && (record_state_set(&r->record, STATE_LEASE, creds.lease.id, err) != 0 ||
                           engine_keep_record(r, err) != 0))
        return -1;
    (void)snprintf(what, sizeof what, "a new log-in of role '%s/%s'", r->spec->mount, role);
    int result = engine_must_log_in(r, what, connection, &creds, &failure);
    if (end_proof(r, v, err) != 0)
        return -1;
    if (result != 0)
        *err = failure;
    return result;
}

int engine_prove_role(struct rotation *r, const char *role, const char *connection, struct err *err)
{
    struct vault *v;

    if (engine_vault(r, &v, err) != 0 || end_proof(r, v, err) != 0)
        return -1;
    return prove(r, v, role, connection, err);
}

/* What a policy has to allow; CREDS and LEASES are the paths. How many of them. */
static size_t needs_of(const struct rotation *r, struct buf *creds, struct buf *leases,
                       struct vault_need out[static NEEDS])
{
    buf_addf(creds, "%s/creds/%s", r->spec->mount, r->spec->role);
    buf_addf(leases, "sys/leases/lookup/%s/", buf_text(creds));
    out[0] = (struct vault_need){
        .path = buf_text(creds), .kind = VAULT_NEED_PLAIN, .wanted = VAULT_CAN_READ};
    out[1] = (struct vault_need){
        .path = "sys/leases/revoke", .kind = VAULT_NEED_PLAIN, .wanted = VAULT_CAN_UPDATE};
    out[2] = (struct vault_need){
        .path = "sys/leases/lookup", .kind = VAULT_NEED_PLAIN, .wanted = VAULT_CAN_UPDATE};
    out[3] = (struct vault_need){.path = buf_text(leases),
                                 .kind = VAULT_NEED_PLAIN,
                                 .wanted = VAULT_CAN_LIST | VAULT_CAN_SUDO};
    return r->context->revoke_others ? NEEDS : 2;
}

static int dynamic_stage(struct rotation *r, struct err *err)
{
    AUTO_BUF creds = BUF_INIT(ENGINE_PATH_BYTES), leases = BUF_INIT(ENGINE_PATH_BYTES);
    struct vault_need needs[NEEDS];
    AUTO_ROLE role = {0};
    struct err denied = ERR_INIT;
    struct vault *v;

    size_t count = needs_of(r, &creds, &leases, needs);
    if (engine_vault(r, &v, err) != 0 || engine_check_needs(r, needs, count, err) != 0)
        return -1;
    if (vault_role_lookup(v, r->spec->mount, r->spec->role, false, r->context->deadline_ms, &role,
                          &denied) != 0) {
        if (denied.kind == ERR_SOURCE_DENIED) /* to use a role is not to see how it is made */
            return 0;
        *err = denied;
        return -1;
    }
    return role.connection ? record_state_set(&r->record, STATE_CONNECTION, role.connection, err)
                           : 0;
}

static int dynamic_test(struct rotation *r, struct err *err)
{
    return engine_prove_role(r, r->spec->role, record_state(&r->record, STATE_CONNECTION), err);
}

/* ---- the others ---------------------------------------------------------------------------------- */

/* The login that the server's words are about: role "v-…" cannot be dropped because … */
static void name_in(const char *text, char out[static NAME_BYTES])
{
    const char *start = strstr(text, "role \"");
    const char *end = start ? strchr(start + strlen("role \""), '"') : NULL;

    out[0] = '\0';
    if (!end)
        return;
    start += strlen("role \"");
    if ((size_t)(end - start) < NAME_BYTES)
        (void)snprintf(out, NAME_BYTES, "%.*s", (int)(end - start), start);
}

static bool owns_objects(const struct err *err)
{
    return strstr(err->text, "2BP01") || strstr(err->text, "depend on it") ||
           strstr(err->text, "42501") || strstr(err->text, "permission denied for");
}

/* What frees a login that owns objects, as facts have it: the two in the middle in each database. */
static void say_plan(struct rotation *r, const char *lease, const struct err *failure)
{
    AUTO_BUF plan = BUF_INIT(PLAN_BYTES), user = BUF_INIT(PLAN_BYTES), text = BUF_INIT(PLAN_BYTES);
    const char *owner = r->spec->owner ? r->spec->owner : "OWNER";
    char name[NAME_BYTES];

    name_in(failure->text, name);
    db_add_identifier(&user, *name ? name : "LOGIN");
    db_add_literal(&text, *name ? name : "LOGIN");
    if (!*name)
        buf_addf(
            &plan,
            "SELECT rolname FROM pg_roles WHERE rolname LIKE 'v-%%-%s-%%'; -- LOGIN is one of\n",
            r->spec->role);
    buf_addf(&plan, "ALTER ROLE %s NOLOGIN;\n", buf_text(&user));
    buf_addf(&plan, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s;\n",
             buf_text(&text));
    buf_addf(&plan, "REASSIGN OWNED BY %s TO %s; -- in each database\n", buf_text(&user), owner);
    buf_addf(&plan, "DROP OWNED BY %s;\n", buf_text(&user));
    buf_addf(&plan, "DROP ROLE %s;", buf_text(&user));
    engine_warn(r,
                "lease '%s' still stands and its login still works: it owns objects. As an "
                "administrator:\n%s",
                lease, buf_text(&plan));
}

/* Processes that started since then have newer ones, which are no others. */
static int is_newer(struct rotation *r, struct vault *v, const char *lease, bool *newer,
                    struct err *err)
{
    struct vault_lease_facts facts = {0};
    int64_t started = record_started(&r->record);

    if (vault_lease_lookup(v, lease, r->context->deadline_ms, &facts, err) != 0)
        return -1;
    *newer = !facts.is_there || (started > 0 && facts.issued_at > started);
    return 0;
}

/* One lease. A failure that is its own is counted, and said; -1 is for all of them. */
static int end_other(struct rotation *r, struct vault *v, const char *lease, size_t *ended,
                     size_t *left, struct err *err)
{
    struct err failure = ERR_INIT;
    bool newer = false;

    if (is_newer(r, v, lease, &newer, err) != 0)
        return -1;
    if (newer)
        return 0;
    if (vault_lease_revoke(v, lease, true, r->context->deadline_ms, &failure) == 0) {
        (*ended)++;
        return 0;
    }
    if (failure.http_status == FORBIDDEN || failure.kind == ERR_STOPPED) { /* so are all others */
        *err = failure;
        return -1;
    }
    (*left)++;
    if (owns_objects(&failure))
        say_plan(r, lease, &failure);
    else
        engine_warn(r, "lease '%s' could not be ended: %s", lease, failure.text);
    return 0;
}

static int end_others(struct rotation *r, struct err *err)
{
    AUTO_BUF prefix = BUF_INIT(ENGINE_PATH_BYTES);
    AUTO_LIST leases = {0};
    size_t ended = 0, left = 0;
    struct vault *v;

    buf_addf(&prefix, "%s/creds/%s", r->spec->mount, r->spec->role);
    if (buf_check(&prefix, ERR_CONTRACT, "the role's path", err) != 0 ||
        engine_vault(r, &v, err) != 0)
        return -1;
    if (vault_leases_list(v, buf_text(&prefix), r->context->deadline_ms, &leases, err) != 0)
        return err_wrap(err, "list the leases of '%s'", buf_text(&prefix));
    for (size_t i = 0; i < leases.count; i++)
        if (end_other(r, v, leases.items[i], &ended, &left, err) != 0)
            return -1;
    engine_say(r, "%zu other lease%s of '%s' ended", ended, ended == 1 ? "" : "s",
               buf_text(&prefix));
    if (left == 0)
        return 0;
    (void)err_set(err, ERR_VIOLATION, "%zu of %zu leases of '%s' still stand", left, ended + left,
                  buf_text(&prefix));
    return err_hint(err,
                    "The warnings say what keeps each of them; agent rotate --resume %s "
                    "--revoke-others tries again.",
                    r->spec->variable);
}

static int dynamic_retire(struct rotation *r, struct err *err)
{
    if (r->context->revoke_others)
        return end_others(r, err);
    engine_say(r, "leases in use end by themselves; --revoke-others ends them now");
    return 0;
}

static int dynamic_plan(struct rotation *r, struct buf *out, bool *ready, struct err *err)
{
    AUTO_BUF creds = BUF_INIT(ENGINE_PATH_BYTES), leases = BUF_INIT(ENGINE_PATH_BYTES);
    struct vault_need needs[NEEDS];
    size_t count = needs_of(r, &creds, &leases, needs);

    buf_addf(out, "  a new lease of '%s' is made, tried and ended\n", buf_text(&creds));
    if (r->context->revoke_others)
        buf_adds(out, "  every other lease of it is ended: whoever uses one needs a new one\n");
    return engine_plan_needs(r, needs, count, out, ready, err);
}

const struct strategy strategy_vault_dynamic = {
    .kind = ROTATE_VAULT_DYNAMIC,
    .overlap = "each process has a lease of its own, which ends by itself",
    .stage = dynamic_stage,
    .test = dynamic_test,
    .retire = dynamic_retire,
    .plan = dynamic_plan,
};
