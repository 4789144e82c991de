/* vault_engine.c: the strategy `vault-static`: Vault's database engine owns the password of one login.
 *
 * Vault changes it on request and tells only the time of the last change. That time is what one rotation
 * is known by: it is recorded before, and as soon as it is another one, nothing is sent any more. The engine
 * has no test of its own (statements that leave out {{password}} are taken, and what it hands out then
 * never worked), so we log in. */
#include "base/str.h"
#include "rotate/vault_common.h"

enum {
    READ_BACK_TRIES = 6, /* a change whose answer was lost may still be on its way */
    READ_BACK_MS = 100,
    READ_BACK_MAX_MS = 800,
    WHAT_BYTES = 512,
};

#define STATE_ROTATED    "last_vault_rotation" /* as it was before */
#define STATE_CONNECTION "connection"
#define FORMER_PASSWORD  "password"

static int read_creds(struct rotation *r, struct vault_creds *out, struct err *err)
{
    struct vault *v;

    if (engine_vault(r, &v, err) != 0)
        return -1;
    return vault_static_read(v, r->spec->mount, r->spec->role, r->context->deadline_ms, out, err);
}

enum { NEEDS = 2 };

/* What a policy has to allow; CREDS and ROTATE are the paths. */
static void needs_of(const struct rotation *r, struct buf *creds, struct buf *rotate,
                     struct vault_need out[static NEEDS])
{
    buf_addf(creds, "%s/static-creds/%s", r->spec->mount, r->spec->role);
    buf_addf(rotate, "%s/rotate-role/%s", r->spec->mount, r->spec->role);
    out[0] = (struct vault_need){
        .path = buf_text(creds), .kind = VAULT_NEED_PLAIN, .wanted = VAULT_CAN_READ};
    out[1] = (struct vault_need){
        .path = buf_text(rotate), .kind = VAULT_NEED_PLAIN, .wanted = VAULT_CAN_UPDATE};
}

static int check_policy(struct rotation *r, struct err *err)
{
    AUTO_BUF creds = BUF_INIT(ENGINE_PATH_BYTES), rotate = BUF_INIT(ENGINE_PATH_BYTES);
    struct vault_need needs[NEEDS];

    needs_of(r, &creds, &rotate, needs);
    return engine_check_needs(r, needs, NEEDS, err);
}

static int static_stage(struct rotation *r, struct err *err)
{
    AUTO_CREDS creds = {0};
    AUTO_ROLE role = {0};
    struct err denied = ERR_INIT;
    struct vault *v;

    if (engine_vault(r, &v, err) != 0 || check_policy(r, err) != 0 ||
        read_creds(r, &creds, err) != 0)
        return -1;
    if (!creds.rotated)
        return err_set(err, ERR_SOURCE_DATA,
                       "Vault does not say when it changed the password of static role '%s' last",
                       r->spec->role);
    if (record_state_set(&r->record, STATE_ROTATED, creds.rotated, err) != 0 ||
        document_set(&r->record.data, "former", FORMER_PASSWORD, &creds.password, err) != 0)
        return -1;
    /* Where the database is, should nobody else say so; a policy may not let us look. */
    if (vault_role_lookup(v, r->spec->mount, r->spec->role, true, r->context->deadline_ms, &role,
                          &denied) != 0 ||
        !role.connection)
        return 0;
    return record_state_set(&r->record, STATE_CONNECTION, role.connection, err);
}

/* ---- set ----------------------------------------------------------------------------------------- */

static int is_changed(struct rotation *r, bool *changed, struct err *err)
{
    AUTO_CREDS creds = {0};

    if (read_creds(r, &creds, err) != 0)
        return -1;
    *changed = !str_eq(creds.rotated, record_state(&r->record, STATE_ROTATED));
    return 0;
}

/* DOUBT says why the answer is not known. */
static int read_back(struct rotation *r, const struct err *doubt, struct err *err)
{
    struct backoff backoff = {.base_ms = READ_BACK_MS, .cap_ms = READ_BACK_MAX_MS};
    bool changed = false;

    for (int tries = 0; tries < READ_BACK_TRIES; tries++) {
        if (is_changed(r, &changed, err) != 0)
            return -1;
        if (changed)
            return 0;
        if (!backoff_wait(&backoff, 0, r->context->deadline_ms))
            break;
    }
    *err = *doubt;
    err->kind = ERR_SOURCE_DOWN; /* Vault's own retries may still do it: looked at again first */
    return -1;
}

static int static_set(struct rotation *r, struct err *err)
{
    enum vault_written outcome = VAULT_IN_DOUBT;
    struct err doubt = ERR_INIT;
    bool changed = false;
    struct vault *v;

    if (is_changed(r, &changed, err) != 0)
        return -1;
    if (changed)
        return 0;
    if (engine_vault(r, &v, err) != 0)
        return -1;
    if (vault_static_rotate(v, r->spec->mount, r->spec->role, r->context->deadline_ms, &outcome,
                            &doubt) != 0) {
        *err = doubt;
        return -1;
    }
    return outcome == VAULT_WRITTEN ? 0 : read_back(r, &doubt, err);
}

/* ---- test, retire -------------------------------------------------------------------------------- */

static int static_test(struct rotation *r, struct err *err)
{
    AUTO_CREDS creds = {0};
    char what[WHAT_BYTES];

    if (read_creds(r, &creds, err) != 0)
        return -1;
    (void)snprintf(what, sizeof what, "what Vault hands out for static role '%s/%s'",
                   r->spec->mount, r->spec->role);
    if (engine_must_log_in(r, what, record_state(&r->record, STATE_CONNECTION), &creds, err) == 0)
        return 0;
    if (err->kind == ERR_DB_REFUSED)
        return err_hint(
            err, "Look at the role's rotation_statements: without {{password}} in them Vault "
                 "stores a password that the database never learned. Nothing can be given "
                 "back: the former password is in nobody's hands any more.");
    return -1;
}

/* The former does not log in any more. (A server that asks for no password lets everybody in.) */
static int static_retire(struct rotation *r, struct err *err)
{
    const struct secret *former = record_former(&r->record, FORMER_PASSWORD);
    enum engine_login outcome = ENGINE_NOT_TRIED;
    AUTO_CREDS creds = {0};

    if (!former)
        return 0;
    if (read_creds(r, &creds, err) != 0)
        return -1;
    struct vault_creds tried = {.username = creds.username, .password = *former};
    if (engine_try(r, record_state(&r->record, STATE_CONNECTION), &tried, &outcome, err) != 0)
        return err_wrap(err, "log in with the former password");
    err_clear(err);
    if (outcome != ENGINE_LOGGED_IN) /* that it was not tried was said by test */
        return 0;
    (void)err_set(err, ERR_VIOLATION, "the former password of '%s' still logs in", creds.username);
    return err_hint(err,
                    "The server or a pooler before it lets in who has another password: look at "
                    "pg_hba.conf for 'trust', and at the pooler's own list of users.");
}

static int static_plan(struct rotation *r, struct buf *out, bool *ready, struct err *err)
{
    AUTO_BUF creds = BUF_INIT(ENGINE_PATH_BYTES), rotate = BUF_INIT(ENGINE_PATH_BYTES);
    struct vault_need needs[NEEDS];

    needs_of(r, &creds, &rotate, needs);
    buf_addf(out, "  Vault changes the password of static role '%s/%s'\n", r->spec->mount,
             r->spec->role);
    return engine_plan_needs(r, needs, NEEDS, out, ready, err);
}

const struct strategy strategy_vault_static = {
    .kind = ROTATE_VAULT_STATIC,
    .overlap = "none: the former stops working when Vault changes it; open sessions go on",
    .stage = static_stage,
    .set = static_set,
    .test = static_test,
    .retire = static_retire,
    .plan = static_plan,
};
