/* pg_two_login.c: two logins of one owner, of which one is idle; see rotate/pg_roles.h.
 *
 * `CREATE ROLE owner NOLOGIN` owns everything; each login is its member and begins its sessions as it
 * (`ALTER ROLE login SET role = owner`), so that what one makes is the other's, too. The idle one gets a
 * new password, is tried, and is published; the other one stops when grace is over. Nobody who uses what
 * is published ever fails.
 *
 * Exchanges, beside those with the store. A connection: what the network and TLS take, and three for
 * the log-in with SCRAM.
 *   stage     the current login's connection, 1: it is good, and which server it is on
 *             the admin's connection, 1: the roles and all that is in the way (and a visit for each other
 *             database where a login was granted something)
 *   set       1 of the admin: ALTER ROLE
 *   test      the new login's connection, 1: who it is, what it may
 *   retire    1 of the admin: NOLOGIN; the former login's connection, refused; 1 of the admin: sessions
 * A step that is done again after a crash asks first by a connection of the new login. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "rotate/pg_roles.h"

static const char *other_of(const struct rotate_spec *spec, const char *user)
{
    for (size_t i = 0; user && i < PG_LOGINS; i++)
        if (str_eq(spec->logins[i], user))
            return spec->logins[1 - i];
    return NULL;
}

/* ---- the preflight ----------------------------------------------------------------------------------- */

static int check_login(const struct rotation *r, const struct pg_look *look, size_t i, bool is_idle,
                       struct err *err)
{
    const struct pg_login *login = &look->logins[i];
    const char *name = look->names[i];
    if (!login->there) {
        err_set(err, ERR_DB_STATE, "there is no role '%s'", name);
        return err_hint(err, "agent rotate --init %s makes the logins and their owner.",
                        r->spec->variable);
    }
    if (login->superuser)
        return err_set(err, ERR_DB_STATE, "'%s' is a superuser: no application's login is", name);
    if (!login->is_member) {
        err_set(err, ERR_DB_STATE, "'%s' is not a member of '%s'", name, look->owner);
        return err_hint(err, "GRANT \"%s\" TO \"%s\"; or agent rotate --init %s.", look->owner,
                        name, r->spec->variable);
    }
    if (!login->sets_owner) {
        err_set(err, ERR_DB_STATE, "sessions of '%s' do not begin as '%s'", name, look->owner);
        return err_hint(err, "ALTER ROLE \"%s\" SET role = \"%s\"; or agent rotate --init %s.",
                        name, look->owner, r->spec->variable);
    }
    if (is_idle && login->expired) {
        err_set(err, ERR_DB_STATE, "'%s' is not valid any more (VALID UNTIL)", name);
        return err_hint(err, "ALTER ROLE \"%s\" VALID UNTIL 'infinity';", name);
    }
    if (login->we_may)
        return 0;
    err_set(err, ERR_DB_STATE, "the admin '%s' may not change the password of '%s'", look->admin,
            name);
    return err_hint(err,
                    "It takes CREATEROLE, and with PostgreSQL 16 and later ADMIN OPTION: GRANT "
                    "\"%s\" TO \"%s\" WITH ADMIN OPTION;",
                    name, look->admin);
}

static int check_owner(const struct rotation *r, const struct pg_look *look, struct err *err)
{
    if (!look->owner_there) {
        err_set(err, ERR_DB_STATE, "there is no role '%s' that owns everything", look->owner);
        return err_hint(err, "agent rotate --init %s makes it.", r->spec->variable);
    }
    if (look->owner_superuser)
        return err_set(err, ERR_DB_STATE, "the owner '%s' is a superuser", look->owner);
    if (!look->owner_can_login)
        return 0;
    err_set(err, ERR_DB_STATE, "the owner '%s' can log in itself", look->owner);
    return err_hint(err, "ALTER ROLE \"%s\" NOLOGIN; what logs in as it uses one of the logins.",
                    look->owner);
}

static int check_look(const struct rotation *r, const struct pg_look *look, const char *idle,
                      struct err *err)
{
    if (!look->sees_session) {
        err_set(err, ERR_DB_STATE,
                "the admin of '%s' is on another server than '%s': it does not see the session "
                "that was just made",
                r->spec->admin, r->spec->variable);
        return err_hint(err,
                        "Nothing was changed. Both URLs must name one server, and no replica.");
    }
    if (check_owner(r, look, err) != 0)
        return -1;
    for (size_t i = 0; i < look->count; i++)
        if (check_login(r, look, i, str_eq(look->names[i], idle), err) != 0)
            return -1;
    return 0;
}

static int ask_roles(struct rotation *r, struct pg_look *look, const struct pg_proof *proof,
                     struct pg_obstacles *obstacles, struct err *err)
{
    struct db *admin = NULL;
    struct db_info info;
    struct db_results results = {0};
    AUTO_BUF sql = BUF_INIT(PG_SQL_BYTES);
    if (rotation_admin(r, &admin, err) != 0)
        return -1;
    db_info(admin, &info);
    pg_message_begin(&sql);
    pg_look_sql(look, proof, info.server_version, &sql);
    pg_owned_sql(look, &sql);
    if (pg_ask(r, &sql, &results, err) != 0)
        return err_wrap(err, "look at the roles");
    int result = pg_look_read(look, &results.list[PG_BEGIN_RESULTS], err);
    if (result == 0)
        result = pg_owned_read(r, look, &results, PG_BEGIN_RESULTS + 1, obstacles, err);
    db_results_free(&results);
    return result;
}

/* What the roles are, with the current login's session open (USER NULL: there is none yet). */
static int look_at_roles(struct rotation *r, const char *user, struct pg_look *look,
                         struct pg_obstacles *obstacles, struct err *err)
{
    AUTO_FREE char *database = NULL;
    struct pg_proof proof = PG_PROOF_INIT;
    if (pg_place_database(r, &database, err) != 0)
        return -1;
    if (user && pg_proof_begin(r, user, &proof, err) != 0) {
        /* With --init there may be a credential that never was good: that is what it is for. */
        if (!r->is_init || !login_was_refused(err))
            return -1;
        err_clear(err);
    }
    *look = (struct pg_look){.names = {r->spec->logins[0], r->spec->logins[1]},
                             .count = PG_LOGINS,
                             .owner = r->spec->owner,
                             .model = other_of(r->spec, user) ? user : NULL,
                             .database = database};
    int result = ask_roles(r, look, &proof, obstacles, err);
    look->database = look->model = NULL; /* they end here, or with the caller's */
    pg_proof_release(&proof);
    return result;
}

/* ---- stage ------------------------------------------------------------------------------------------- */

int pg_two_login_check(const struct rotate_spec *spec, struct err *err)
{
    const char *const names[] = {spec->logins[0], spec->logins[1], spec->owner};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (!names[i] || !*names[i] || strlen(names[i]) >= PG_NAME_BYTES)
            return err_set(err, ERR_CONTRACT,
                           "'%s': pg-two-login needs two logins and their owner, names of at most "
                           "%d bytes",
                           spec->variable, PG_NAME_BYTES - 1);
    if (str_eq(names[0], names[1]) || str_eq(names[0], names[2]) || str_eq(names[1], names[2]))
        return err_set(err, ERR_CONTRACT, "'%s': the two logins and their owner are three roles",
                       spec->variable);
    return 0;
}

/* The login that nobody uses. With --init it may be that nobody of ours is there yet. */
static int find_idle(const struct rotation *r, const char *user, const char **out, struct err *err)
{
    const struct rotate_spec *spec = r->spec;
    const char *idle = other_of(spec, user);
    if (!idle && r->is_init)
        idle = spec->logins[0];
    if (!idle) {
        err_set(err, ERR_DB_STATE, "the user that '%s' has now, '%s', is neither '%s' nor '%s'",
                spec->variable, user ? user : "(none)", spec->logins[0], spec->logins[1]);
        return err_hint(err, "agent rotate --init %s publishes the first of them.", spec->variable);
    }
    *out = idle;
    return 0;
}

static void say_sessions(struct rotation *r, const struct pg_look *look, const char *idle)
{
    for (size_t i = 0; i < look->count; i++)
        if (str_eq(look->names[i], idle) && look->logins[i].sessions > 0)
            engine_say(r, "left as they are: %u session%s of the idle login '%s' from before",
                       look->logins[i].sessions, look->logins[i].sessions == 1 ? "" : "s", idle);
}

static int note_logins(struct rotation *r, const char *idle, const char *former, struct err *err)
{
    AUTO_SECRET password = SECRET_INIT;
    if (pg_place_password(r, &password, err) != 0 || pg_place_stage(r, idle, &password, err) != 0 ||
        record_state_set(&r->record, "login", idle, err) != 0)
        return -1;
    return former ? record_state_set(&r->record, "former_login", former, err) : 0;
}

static int stage(struct rotation *r, struct err *err)
{
    AUTO_FREE char *user = NULL;
    AUTO_PG_OBSTACLES obstacles = PG_OBSTACLES_INIT;
    const char *idle = NULL;
    struct pg_look look;
    if (pg_two_login_check(r->spec, err) != 0 || pg_place_user(r, &user, err) != 0 ||
        find_idle(r, user, &idle, err) != 0 ||
        look_at_roles(r, user, &look, &obstacles, err) != 0 || check_look(r, &look, idle, err) != 0)
        return -1;
    if (obstacles.plan.len > 0)
        return pg_obstacles_error(r, &obstacles, err);
    say_sessions(r, &look, idle);
    return note_logins(r, idle, user, err);
}

/* ---- set, test, restore ------------------------------------------------------------------------------ */

static int idle_login(const struct rotation *r, const char **out, struct err *err)
{
    *out = record_state(&r->record, "login");
    if (*out && (str_eq(*out, r->spec->logins[0]) || str_eq(*out, r->spec->logins[1])))
        return 0;
    err_set(err, ERR_ROTATION,
            "the record of '%s' is about the login '%s', which the contract does not name",
            r->spec->variable, *out ? *out : "(none)");
    return err_hint(err, "Put 'logins' back as they were when it began, and resume.");
}

static int set(struct rotation *r, struct err *err)
{
    AUTO_SECRET password = SECRET_INIT;
    const char *login = NULL;
    bool works = false;
    if (idle_login(r, &login, err) != 0)
        return -1;
    if (r->resumed) {
        if (pg_probe(r, "fields", login, &works, err) != 0)
            return -1;
        if (works)
            return 0;
    }
    if (pg_password_of(r, "fields", login, &password, err) != 0)
        return -1;
    if (pg_set_password(r, login, &password, err) == 0)
        return 0;
    struct err answer = ERR_INIT;
    if (pg_is_in_doubt(err) && pg_probe(r, "fields", login, &works, &answer) == 0 && works)
        return 0;
    return -1;
}

static int ask_as_application(struct rotation *r, struct db *db, struct db_results *results,
                              struct err *err)
{
    AUTO_BUF sql = BUF_INIT(PG_SQL_BYTES);
    pg_message_begin(&sql);
    buf_adds(&sql,
             "SELECT session_user, current_user, t.name, has_table_privilege(t.oid, 'SELECT') AND "
             "has_schema_privilege(t.space, 'USAGE') FROM (SELECT 1) one LEFT JOIN (SELECT c.oid, "
             "c.relnamespace AS space, c.oid::regclass::text AS name FROM pg_class c JOIN pg_roles "
             "o ON o.oid = c.relowner WHERE c.relkind IN ('r', 'p', 'v', 'm') AND o.rolname = ");
    db_add_literal(&sql, r->spec->owner);
    buf_adds(&sql, " ORDER BY c.oid LIMIT 1) t ON true");
    if (buf_check(&sql, ERR_CONTRACT, "a statement", err) != 0)
        return -1;
    return db_query(db, buf_text(&sql), login_deadline(r, LOGIN_STATEMENT_MS), results, NULL, err);
}

static int check_application(const struct rotation *r, const char *login,
                             const struct db_rows *rows, struct err *err)
{
    const char *session = db_cell(rows, 0, 0), *current = db_cell(rows, 0, 1);
    const char *table = db_cell(rows, 0, 2);
    if (!str_eq(session, login))
        return err_set(err, ERR_VIOLATION, "the new credential logs in as '%s', not as '%s'",
                       session, login);
    if (!str_eq(current, r->spec->owner))
        return err_set(err, ERR_VIOLATION, "a session of '%s' begins as '%s', not as '%s'", login,
                       current, r->spec->owner);
    if (*table && !str_eq(db_cell(rows, 0, 3), "t"))
        return err_set(err, ERR_VIOLATION, "a session of '%s' may not read %s, a table of '%s'",
                       login, table, r->spec->owner);
    return 0;
}

static int test(struct rotation *r, struct err *err)
{
    AUTO_SECRET url = SECRET_INIT;
    AUTO_DB db = NULL;
    struct db_results results = {0};
    const char *login = NULL;
    if (idle_login(r, &login, err) != 0 || login_url(r, "fields", login, &url, err) != 0)
        return -1;
    if (rotation_log_in(r, &url, &db, err) != 0)
        return err_wrap(err, "log in with the new credential");
    if (login_check_tls(r, &url, db, err) != 0 || ask_as_application(r, db, &results, err) != 0)
        return -1;
    int result = check_application(r, login, &results.list[results.count - 1], err);
    db_results_free(&results);
    return result;
}

/* LOGIN is to be taken away, so it must not be the one that is published: somebody may have done that by
 * hand. OTHERWISE is what agrees with it. */
static int check_not_published(struct rotation *r, const char *login, const char *otherwise,
                               struct err *err)
{
    AUTO_FREE char *user = NULL;
    document_release(&r->current);
    if (r->store->read_current(r, &r->current, &r->current_version, err) != 0 ||
        pg_place_user(r, &user, err) != 0)
        return -1;
    if (!user || !str_eq(user, login))
        return 0;
    err_set(err, ERR_ROTATION, "'%s' is published, by somebody else: it was not taken away", login);
    return err_hint(err, "agent rotate %s %s agrees with that.", otherwise, r->spec->variable);
}

/* The idle login is idle again. After a rollback its credential was public for a while: who has it is
 * not cut off, the next rotation gives it another. */
static int restore(struct rotation *r, struct err *err)
{
    const char *login = NULL;
    if (idle_login(r, &login, err) != 0)
        return -1;
    if (record_state_number(&r->record, "rolled_back") > 0) {
        engine_say(r, "'%s' still logs in with what was published: the next rotation ends that",
                   login);
        return 0;
    }
    if (check_not_published(r, login, "--resume", err) != 0)
        return -1;
    return pg_take_login(r, login, err);
}

/* ---- retire, rollback -------------------------------------------------------------------------------- */

static int retire(struct rotation *r, struct err *err)
{
    const char *former = record_state(&r->record, "former_login");
    if (!former)
        return 0; /* the first one: nobody was there before */
    if (!other_of(r->spec, former)) {
        engine_say(r, "'%s', which was used before, is none of the two logins: it is left as it is",
                   former);
        return 0;
    }
    const struct pg_refusal refusal = {.group = "former", .name = former, .expect_nologin = true};
    if (check_not_published(r, former, "--rollback", err) != 0 ||
        pg_take_login(r, former, err) != 0)
        return -1;
    return pg_prove_refused(r, &refusal, err);
}

static int rollback(struct rotation *r, struct err *err)
{
    const char *former = record_state(&r->record, "former_login");
    AUTO_DB db = NULL;
    if (login_with(r, "former", former ? former : "", &db, err) == 0)
        return 0;
    err_wrap(err, "log in with the former credential");
    if (!login_was_refused(err))
        return -1;
    err->kind = ERR_VIOLATION;
    return err_hint(err, "It does not work any more: agent rotate %s makes a new one.",
                    r->spec->variable);
}

/* ---- --dry-run --------------------------------------------------------------------------------------- */

static void plan_lines(const struct rotation *r, const struct pg_look *look, const char *idle,
                       struct buf *out)
{
    for (size_t i = 0; i < look->count; i++)
        buf_addf(out, "  login '%s': %s; sessions now: %u\n", look->names[i],
                 str_eq(look->names[i], idle) ? "idle, gets a new password"
                                              : "in use, may not log in any more after grace",
                 look->logins[i].sessions);
    buf_addf(out, "  owner '%s': both begin as it; nothing of it changes\n", r->spec->owner);
}

static int plan(struct rotation *r, struct buf *out, bool *ready, struct err *err)
{
    AUTO_FREE char *user = NULL;
    AUTO_PG_OBSTACLES obstacles = PG_OBSTACLES_INIT;
    struct err obstacle = ERR_INIT;
    const char *idle = NULL;
    struct pg_look look;
    if (pg_two_login_check(r->spec, err) != 0 || pg_place_user(r, &user, err) != 0)
        return -1;
    if (find_idle(r, user, &idle, &obstacle) != 0 ||
        look_at_roles(r, user, &look, &obstacles, &obstacle) != 0 ||
        check_look(r, &look, idle, &obstacle) != 0) {
        *ready = false;
        buf_addf(out, "  in the way: %s\n", obstacle.text);
        if (*obstacle.hint)
            buf_addf(out, "    %s\n", obstacle.hint);
        return 0;
    }
    plan_lines(r, &look, idle, out);
    if (obstacles.plan.len == 0)
        return 0;
    *ready = false;
    buf_addf(out, "  in the way: %s\n  as an administrator, in psql:\n%s",
             buf_text(&obstacles.said), buf_text(&obstacles.plan));
    return 0;
}

const struct strategy strategy_pg_two_login = {
    .kind = ROTATE_PG_TWO_LOGIN,
    .overlap = "both logins work until grace is over; no query fails",
    .reads_current = true,
    .promotes = true,
    .ends_former = true,
    .stage = stage,
    .set = set,
    .test = test,
    .restore = restore,
    .retire = retire,
    .rollback = rollback,
    .init = pg_two_login_init,
    .plan = plan,
};
