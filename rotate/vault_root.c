/* vault_root.c: the strategy `vault-root`: the password of the database engine itself, which nobody can read.
 *
 * Vault tells nothing about it, not even when it was changed. So that it is changed at most once for one
 * rotation, that it is about to be sent is recorded before; where the answer is lost then, it is not sent
 * again. The row's own transaction number in pg_authid tells what became of it, to an admin who may look
 * there; nobody else can know, and that is said. What is proven in any case is that the engine works. */
#include <string.h>

#include "base/str.h"
#include "rotate/login.h"
#include "rotate/vault_common.h"

enum {
    QUERY_BYTES = 1024,
    ROLES_TRIED_MOST = 256, /* to find one of this connection */
    LOOKS = 6,
    LOOK_MS = 100,
    LOOK_MAX_MS = 800,
};

#define STATE_SENT "sent" /* "yes": perhaps it arrived */
#define STATE_ROLE "role" /* with which it is proven; not there: there is none */
#define STATE_USER "user" /* the engine's own login; not there: Vault does not tell */
#define STATE_ROW  "xmin" /* of its row in pg_authid, before; not there: not known */
#define ALL_ROLES  "*"

/* ---- what can be known of it --------------------------------------------------------------------- */

/* *out is "" where it can't be told: no admin, none who may look, no such login. */
static void row_of(struct rotation *r, const char *user, struct buf *out)
{
    AUTO_BUF sql = BUF_INIT(QUERY_BYTES);
    struct db_results results = {0};
    struct err ignored = ERR_INIT; /* what can't be asked is not known, which is an answer here */
    struct db *admin;

    if (!user || !r->spec->admin || str_eq(r->spec->admin, r->spec->variable) ||
        rotation_admin(r, &admin, &ignored) != 0)
        return;
    buf_adds(&sql, "SELECT xmin::pg_catalog.text FROM pg_catalog.pg_authid WHERE rolname = ");
    db_add_literal(&sql, user);
    if (buf_check(&sql, ERR_CONTRACT, "a query", &ignored) != 0 ||
        db_query(admin, buf_text(&sql), login_deadline(r, LOGIN_STATEMENT_MS), &results, NULL,
                 &ignored) != 0)
        return;
    if (results.count == 1 && results.list[0].row_count == 1)
        buf_adds(out, db_cell(&results.list[0], 0, 0));
    db_results_free(&results);
}

static int note_row(struct rotation *r, const char *user, struct err *err)
{
    AUTO_BUF row = BUF_INIT(QUERY_BYTES);

    if (!user)
        return 0;
    if (record_state_set(&r->record, STATE_USER, user, err) != 0)
        return -1;
    row_of(r, user, &row);
    return row.len > 0 ? record_state_set(&r->record, STATE_ROW, buf_text(&row), err) : 0;
}

enum arrival { ARRIVED, NEVER_ARRIVED, NOT_KNOWN };

/* What was sent may still be on its way: it is looked at for a while before "never" is said. */
static enum arrival find_arrival(struct rotation *r)
{
    struct backoff backoff = {.base_ms = LOOK_MS, .cap_ms = LOOK_MAX_MS};
    const char *before = record_state(&r->record, STATE_ROW);

    for (int looks = 0; before && looks < LOOKS; looks++) {
        AUTO_BUF row = BUF_INIT(QUERY_BYTES);
        row_of(r, record_state(&r->record, STATE_USER), &row);
        if (row.len == 0)
            return NOT_KNOWN;
        if (!str_eq(before, buf_text(&row)))
            return ARRIVED;
        if (!backoff_wait(&backoff, 0, r->context->deadline_ms))
            break;
    }
    return before ? NEVER_ARRIVED : NOT_KNOWN;
}

/* ---- stage --------------------------------------------------------------------------------------- */

/* The roles that may be of this connection. */
static int candidates(struct rotation *r, struct vault *v, struct vault_connection *connection,
                      struct vault_list *out, struct err *err)
{
    struct vault_list *allowed = &connection->allowed_roles;

    for (size_t i = 0; i < allowed->count; i++)
        if (str_eq(allowed->items[i], ALL_ROLES))
            return vault_roles_list(v, r->spec->mount, false, r->context->deadline_ms, out, err);
    *out = *allowed;
    *allowed = (struct vault_list){0}; /* moved */
    return 0;
}

/* A role that makes log-ins over this connection. Where a policy hides the roles, or there is none, the
 * proof is left out, and test says so. */
static int find_role(struct rotation *r, struct vault *v, struct vault_connection *connection,
                     struct err *err)
{
    struct err hidden = ERR_INIT;
    AUTO_LIST names = {0};

    if (candidates(r, v, connection, &names, &hidden) != 0) {
        if (hidden.kind == ERR_SOURCE_DENIED)
            return 0;
        *err = hidden;
        return -1;
    }
    for (size_t i = 0; i < names.count && i < ROLES_TRIED_MOST; i++) {
        AUTO_ROLE role = {0};
        if (vault_role_lookup(v, r->spec->mount, names.items[i], false, r->context->deadline_ms,
                              &role, &hidden) == 0 &&
            str_eq(role.connection, r->spec->connection))
            return record_state_set(&r->record, STATE_ROLE, names.items[i], err);
    }
    return 0;
}

static int check_policy(struct rotation *r, struct err *err)
{
    AUTO_BUF rotate = BUF_INIT(ENGINE_PATH_BYTES);

    buf_addf(&rotate, "%s/rotate-root/%s", r->spec->mount, r->spec->connection);
    struct vault_need needs[] = {
        {.path = buf_text(&rotate), .kind = VAULT_NEED_PLAIN, .wanted = VAULT_CAN_UPDATE}};
    return engine_check_needs(r, needs, ARRAY_LEN(needs), err);
}

static int root_stage(struct rotation *r, struct err *err)
{
    CLEANUP(vault_connection_release) struct vault_connection connection = {0};
    struct vault *v;

    if (engine_vault(r, &v, err) != 0 || check_policy(r, err) != 0 ||
        vault_connection_lookup(v, r->spec->mount, r->spec->connection, r->context->deadline_ms,
                                &connection, err) != 0)
        return -1;
    return find_role(r, v, &connection, err) != 0 ? -1 : note_row(r, connection.username, err);
}

/* ---- set ----------------------------------------------------------------------------------------- */

static int mark_sent(struct rotation *r, const char *word, struct err *err)
{
    if (record_state_set(&r->record, STATE_SENT, word, err) != 0)
        return -1;
    return engine_keep_record(r, err);
}

static int send_it(struct rotation *r, enum vault_written *outcome, struct err *err)
{
    struct err failure = ERR_INIT;
    struct vault *v;

    if (engine_vault(r, &v, err) != 0 || mark_sent(r, "yes", err) != 0)
        return -1;
    if (vault_root_rotate(v, r->spec->mount, r->spec->connection, r->context->deadline_ms, outcome,
                          &failure) == 0)
        return 0;
    /* It had no effect: the next one who comes may send it. */
    if (mark_sent(r, "no", err) != 0)
        return -1;
    *err = failure;
    return -1;
}

/* The answer to what was sent before was lost, or its runner died. */
static int look_back(struct rotation *r, bool *again, struct err *err)
{
    switch (find_arrival(r)) {
    case ARRIVED:
        return 0;
    case NEVER_ARRIVED:
        *again = true;
        return mark_sent(r, "no", err);
    case NOT_KNOWN:
        break;
    }
    engine_warn(
        r,
        "whether Vault changed the password of '%s/config/%s' is not known, since the answer "
        "was lost: it was not sent again. Once this one is done, rotate it once more to be "
        "certain",
        r->spec->mount, r->spec->connection);
    return 0;
}

static int root_set(struct rotation *r, struct err *err)
{
    enum vault_written outcome = VAULT_IN_DOUBT;
    bool again = false;

    if (str_eq(record_state(&r->record, STATE_SENT), "yes")) {
        if (look_back(r, &again, err) != 0)
            return -1;
        if (!again)
            return 0;
    }
    if (send_it(r, &outcome, err) != 0)
        return -1;
    if (outcome == VAULT_WRITTEN)
        return 0;
    if (look_back(r, &again, err) != 0)
        return -1;
    if (!again)
        return 0;
    return err_set(err, ERR_SOURCE_DOWN, "Vault did not answer, and the password is as it was");
}

/* ---- test ---------------------------------------------------------------------------------------- */

static int root_test(struct rotation *r, struct err *err)
{
    const char *role = record_state(&r->record, STATE_ROLE);

    if (role)
        return engine_prove_role(r, role, r->spec->connection, err);
    engine_warn(
        r,
        "that the engine still makes log-ins was not proven: no role of '%s/config/%s' that "
        "makes them was found, or Vault's policy hides them",
        r->spec->mount, r->spec->connection);
    return 0;
}

static int root_plan(struct rotation *r, struct buf *out, bool *ready, struct err *err)
{
    AUTO_BUF config = BUF_INIT(ENGINE_PATH_BYTES), rotate = BUF_INIT(ENGINE_PATH_BYTES),
             roles = BUF_INIT(ENGINE_PATH_BYTES), creds = BUF_INIT(ENGINE_PATH_BYTES);

    buf_addf(&config, "%s/config/%s", r->spec->mount, r->spec->connection);
    buf_addf(&rotate, "%s/rotate-root/%s", r->spec->mount, r->spec->connection);
    buf_addf(&roles, "%s/roles/+", r->spec->mount);
    buf_addf(&creds, "%s/creds/+", r->spec->mount);
    struct vault_need needs[] = {
        {.path = buf_text(&config), .kind = VAULT_NEED_PLAIN, .wanted = VAULT_CAN_READ},
        {.path = buf_text(&rotate), .kind = VAULT_NEED_PLAIN, .wanted = VAULT_CAN_UPDATE},
        {.path = buf_text(&roles), .kind = VAULT_NEED_PLAIN, .wanted = VAULT_CAN_READ},
        {.path = buf_text(&creds), .kind = VAULT_NEED_PLAIN, .wanted = VAULT_CAN_READ},
    };
    buf_addf(
        out,
        "  Vault changes its own password for '%s': nobody can read it afterwards, and it can't "
        "be undone\n",
        buf_text(&config));
    return engine_plan_needs(r, needs, ARRAY_LEN(needs), out, ready, err);
}

const struct strategy strategy_vault_root = {
    .kind = ROTATE_VAULT_ROOT,
    .overlap = "Vault alone uses it: nobody else notices",
    .stage = root_stage,
    .set = root_set,
    .test = root_test,
    .plan = root_plan,
};
