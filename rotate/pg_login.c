/* pg_login.c: one login whose password is replaced; see rotate/pg_roles.h.
 *
 * PostgreSQL keeps one password for a role: from `set` on the former one is refused, and the new one is
 * published at `promote`. What connects in between with what is published fails; that time is measured
 * and shown. Sessions that are open live on.
 *
 * Exchanges, beside those with the store. A connection: what the network and TLS take, and three for
 * the log-in with SCRAM.
 *   stage     the current login's connection, 1: it is good, and which server it is on
 *             the admin's connection, 1: the role
 *   set       1 of the admin: ALTER ROLE
 *   test      the new credential's connection, 1
 *   retire    a connection with the former one, refused; 1 of the admin: sessions
 * restore and rollback give the former password back: a probe (restore: and one with what is published), 1
 * of the admin, a connection. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "rotate/pg_roles.h"

/* ---- stage ------------------------------------------------------------------------------------------- */

static int check_user(const struct rotation *r, const char *user, struct err *err)
{
    const char *login = r->spec->login;
    if (!login || !*login || strlen(login) >= PG_NAME_BYTES)
        return err_set(err, ERR_CONTRACT,
                       "'%s': pg-login needs a 'login', a name of at most %d bytes",
                       r->spec->variable, PG_NAME_BYTES - 1);
    /* Another user's password is not ours to change, whoever wrote that name there. */
    if (!user || str_eq(user, login))
        return 0;
    err_set(err, ERR_DB_STATE, "the user that '%s' has now is '%s', and the contract's login '%s'",
            r->spec->variable, user, login);
    return err_hint(err, "Nothing was changed. One of both is wrong.");
}

static int check_look(const struct rotation *r, const struct pg_look *look, struct err *err)
{
    const struct pg_login *login = &look->logins[0];
    const char *name = look->names[0];
    if (!look->sees_session) {
        err_set(err, ERR_DB_STATE,
                "the admin of '%s' is on another server than '%s': it does not see the session "
                "that was just made",
                r->spec->admin, r->spec->variable);
        return err_hint(err,
                        "Nothing was changed. Both URLs must name one server, and no replica.");
    }
    if (!login->there)
        return err_set(err, ERR_DB_STATE, "there is no role '%s'", name);
    if (login->we_may)
        return 0;
    err_set(err, ERR_DB_STATE, "the admin '%s' may not change the password of '%s'", look->admin,
            name);
    return err_hint(err,
                    "It takes CREATEROLE, and with PostgreSQL 16 and later ADMIN OPTION: GRANT "
                    "\"%s\" TO \"%s\" WITH ADMIN OPTION; a superuser's only a superuser changes.",
                    name, look->admin);
}

static int ask_role(struct rotation *r, struct pg_look *look, const struct pg_proof *proof,
                    struct err *err)
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
    if (pg_ask(r, &sql, &results, err) != 0)
        return err_wrap(err, "look at the role '%s'", look->names[0]);
    int result = pg_look_read(look, &results.list[PG_BEGIN_RESULTS], err);
    db_results_free(&results);
    return result;
}

/* What the place and the role are, with the current credential's session open. */
static int preflight(struct rotation *r, struct pg_look *look, struct err *err)
{
    AUTO_FREE char *user = NULL;
    struct pg_proof proof = PG_PROOF_INIT;
    if (pg_place_user(r, &user, err) != 0 || check_user(r, user, err) != 0 ||
        pg_proof_begin(r, r->spec->login, &proof, err) != 0)
        return -1;
    *look = (struct pg_look){.names = {r->spec->login}, .count = 1};
    int result = ask_role(r, look, &proof, err);
    pg_proof_release(&proof);
    return result == 0 ? check_look(r, look, err) : -1;
}

static int stage(struct rotation *r, struct err *err)
{
    struct pg_look look;
    AUTO_SECRET password = SECRET_INIT;
    if (preflight(r, &look, err) != 0 || pg_place_password(r, &password, err) != 0 ||
        pg_place_stage(r, NULL, &password, err) != 0)
        return -1;
    return record_state_set(&r->record, "login", r->spec->login, err);
}

/* ---- set, test --------------------------------------------------------------------------------------- */

static int login_of_record(const struct rotation *r, const char **out, struct err *err)
{
    *out = record_state(&r->record, "login");
    if (*out && str_eq(*out, r->spec->login))
        return 0;
    err_set(err, ERR_ROTATION,
            "the record of '%s' is about the login '%s', which the contract does not name",
            r->spec->variable, *out ? *out : "(none)");
    return err_hint(err, "Put 'login' back as it was when it began, and resume.");
}

/* Before it is set again: was it, and is the former one still what the server has? */
static int probe_both(struct rotation *r, const char *login, bool *is_set, struct err *err)
{
    bool former_works = false;
    if (pg_probe(r, "fields", login, is_set, err) != 0)
        return -1;
    if (*is_set)
        return 0;
    if (pg_probe(r, "former", login, &former_works, err) != 0)
        return -1;
    if (former_works)
        return 0;
    err_set(err, ERR_ROTATION,
            "neither the former nor the pending password of '%s' logs in: somebody changed it",
            login);
    return err_hint(err,
                    "Nothing was overwritten. Find out who did; give the role one of the two "
                    "passwords, or agent rotate --abort %s puts the former one back.",
                    r->spec->variable);
}

static int set(struct rotation *r, struct err *err)
{
    AUTO_SECRET password = SECRET_INIT;
    const char *login = NULL;
    bool works = false;
    if (login_of_record(r, &login, err) != 0 ||
        (r->resumed && probe_both(r, login, &works, err) != 0))
        return -1;
    if (works)
        return 0;
    if (pg_password_of(r, "fields", login, &password, err) != 0)
        return -1;
    if (pg_set_password(r, login, &password, err) == 0)
        return 0;
    struct err answer = ERR_INIT;
    if (pg_is_in_doubt(err) && pg_probe(r, "fields", login, &works, &answer) == 0 && works)
        return 0;
    return -1;
}

/* Nobody but us has the new password before promote: so what began before this session did, began with
 * the former one. */
static int read_session(struct rotation *r, const char *login, const struct db_rows *rows,
                        struct err *err)
{
    const char *session = db_cell(rows, 0, 0), *began = db_cell(rows, 0, 1);
    const char *current = db_cell(rows, 0, 2), *owner = r->spec->owner;
    int64_t began_us = 0;
    if (!str_eq(session, login))
        return err_set(err, ERR_VIOLATION, "the new credential logs in as '%s', not as '%s'",
                       session, login);
    if (owner && !str_eq(current, owner))
        return err_set(err, ERR_VIOLATION, "a session of '%s' begins as '%s', not as '%s'", login,
                       current, owner);
    if (str_to_int64(began, strlen(began), &began_us) != 0)
        return 0; /* not told: then all its sessions are counted */
    return record_state_set_number(&r->record, "tested_us", began_us, err);
}

static int test(struct rotation *r, struct err *err)
{
    static const char sql[] =
        "SELECT session_user, (SELECT (extract(epoch FROM backend_start) * 1e6)::bigint FROM "
        "pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()), current_user";
    AUTO_SECRET url = SECRET_INIT;
    AUTO_DB db = NULL;
    struct db_results results = {0};
    const char *login = NULL;
    if (login_of_record(r, &login, err) != 0 || login_url(r, "fields", login, &url, err) != 0)
        return -1;
    if (rotation_log_in(r, &url, &db, err) != 0)
        return err_wrap(err, "log in with the new credential");
    if (login_check_tls(r, &url, db, err) != 0 ||
        db_query(db, sql, login_deadline(r, LOGIN_STATEMENT_MS), &results, NULL, err) != 0)
        return -1;
    int result = read_session(r, login, &results.list[0], err);
    db_results_free(&results);
    return result;
}

/* ---- back to the former, and its end ------------------------------------------------------------------ */

/* Whether the role has a password by now that somebody else published: the former one would cut off whoever
 * uses that. What is published and can't be used, for whatever reason, is nobody's. */
static int is_anothers(struct rotation *r, const char *login, bool *anothers, struct err *err)
{
    AUTO_FREE char *user = NULL;
    *anothers = false;
    document_release(&r->current);
    if (r->store->read_current(r, &r->current, &r->current_version, err) != 0)
        return -1;
    struct err unusable = ERR_INIT;
    if (r->current.count == 0 || pg_place_user(r, &user, &unusable) != 0 ||
        (user && !str_eq(user, login)))
        return 0;
    if (pg_probe(r, NULL, login, anothers, &unusable) == 0 || !err_try_again(unusable.kind))
        return 0;
    *err = unusable;
    return err_wrap(err, "try what is published");
}

static int give_back(struct rotation *r, const char *login, struct err *err)
{
    AUTO_SECRET password = SECRET_INIT;
    bool works = false;
    if (pg_password_of(r, "former", login, &password, err) != 0 ||
        pg_set_password(r, login, &password, err) != 0 ||
        pg_probe(r, "former", login, &works, err) != 0)
        return err_wrap(err, "give '%s' its former password back", login);
    if (!works)
        return err_set(err, ERR_DB_STATE,
                       "'%s' has its former password back, and is refused with it all the same",
                       login);
    engine_say(r, "'%s' has its former password back", login);
    return 0;
}

static int restore(struct rotation *r, struct err *err)
{
    const char *login = NULL;
    bool works = false, anothers = false;
    if (login_of_record(r, &login, err) != 0 || pg_probe(r, "former", login, &works, err) != 0)
        return -1;
    if (!works && is_anothers(r, login, &anothers, err) != 0)
        return -1;
    if (anothers)
        engine_say(r, "'%s' keeps the password that somebody else published meanwhile", login);
    return works || anothers ? 0 : give_back(r, login, err);
}

/* What is published is the new one: it goes on working until this. */
static int rollback(struct rotation *r, struct err *err)
{
    const char *login = NULL;
    bool works = false;
    if (login_of_record(r, &login, err) != 0 || pg_probe(r, "former", login, &works, err) != 0)
        return -1;
    return works ? 0 : give_back(r, login, err);
}

static int retire(struct rotation *r, struct err *err)
{
    const char *login = NULL;
    if (login_of_record(r, &login, err) != 0)
        return -1;
    const struct pg_refusal refusal = {
        .group = "former",
        .name = login,
        .before_us = record_state_number(&r->record, "tested_us"),
    };
    return pg_prove_refused(r, &refusal, err);
}

static int plan(struct rotation *r, struct buf *out, bool *ready, struct err *err)
{
    struct err obstacle = ERR_INIT;
    struct pg_look look;
    (void)err; /* what stands in the way is what a plan is for, not a failure of it */
    if (preflight(r, &look, &obstacle) != 0) {
        *ready = false;
        buf_addf(out, "  in the way: %s\n", obstacle.text);
        if (*obstacle.hint)
            buf_addf(out, "    %s\n", obstacle.hint);
        return 0;
    }
    buf_addf(out, "  login '%s': gets a new password, as %s; %u sessions, which live on\n",
             r->spec->login,
             r->spec->plain ? "it is, which the server's log may have" : "a SCRAM-SHA-256 verifier",
             look.logins[0].sessions);
    return 0;
}

const struct strategy strategy_pg_login = {
    .kind = ROTATE_PG_LOGIN,
    .overlap = "none: what connects between set and promote is refused; that time is measured",
    .gap = true,
    .reads_current = true,
    .promotes = true,
    .stage = stage,
    .set = set,
    .test = test,
    .restore = restore,
    .retire = retire,
    .rollback = rollback,
    .plan = plan,
};
