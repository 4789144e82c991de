/* rotate/pg_roles.h: the SQL of pg-two-login and pg-login; it never leaves the folder.
 *
 *   pg_roles.c  what roles are, a password set, a login taken away, its sessions
 *   pg_owned.c  what belongs to a login that should be the owner's, with the SQL that changes it
 *   pg_place.c  who is in the place now, and what goes there
 *   pg_init.c   --init of pg-two-login
 *
 * Statements of a step travel in one message, which is one transaction: what it SETs for itself is gone
 * with it, also behind a pooler. Each says the exchanges that it costs. Names and passwords are quoted by
 * db_add_identifier and db_add_literal. Everything is the server's word at that time; passwords are
 * sent as SCRAM-SHA-256 verifiers unless the contract says `"password": "plain"`. */
#ifndef ROTATE_PG_ROLES_H
#define ROTATE_PG_ROLES_H

#include "rotate/login.h"

enum {
    PG_LOGINS = 2, /* at most, of one rotation */
    PG_SQL_BYTES = 1024 * 1024,
    PG_DATABASES_MAX = 64, /* that are visited for what a login has there */
    PG_PASSWORD_LENGTH = 32,
    PG_NAME_BYTES = 64, /* of an identifier, its NUL too: longer ones the server would cut */
};

/* ---- pg_roles.c ----------------------------------------------------------------------------------- */

struct pg_login {
    bool there, can_login, superuser;
    bool is_member;  /* of the owner */
    bool sets_owner; /* ALTER ROLE ... SET role = owner, for the application's database, too */
    bool expired;    /* VALID UNTIL is over */
    bool we_may;     /* the admin may change its password */
    bool we_may_end; /* and end its sessions */
    unsigned sessions;
};

/* Who is asked about, and what was found. */
struct pg_look {
    const char *names[PG_LOGINS];
    size_t count;
    const char *owner;    /* or NULL */
    const char *model;    /* whose settings the other one must have; NULL: they are not looked at */
    const char *database; /* the application's */
    struct pg_login logins[PG_LOGINS];
    bool owner_there, owner_can_login, owner_superuser;
    bool admin_superuser;
    /* The admin is a role with an end, as a lease's is, and what it makes would hang on it: from PostgreSQL 16
     * on nobody else may change such a role, and a grantor can't be dropped. */
    bool admin_must_not_make;
    char admin[PG_NAME_BYTES]; /* current_user of the admin's connection */
    bool sees_session;         /* the admin's server has the session of pg_proof */
};

/* A session that is known to be with the application's server: found by the admin, both are on one. */
struct pg_proof {
    struct db *db; /* open while the admin looks; NULL: none */
    char pid[24];
    char session_user[PG_NAME_BYTES], mark[PG_NAME_BYTES];
};
#define PG_PROOF_INIT ((struct pg_proof){0})
void pg_proof_release(struct pg_proof *proof);

/* Log in with what is there now, as USER, and mark the session. One connection, one exchange. Errors:
 * of the connection; ERR_DB_REFUSED for a current credential that is not good, with what to do. */
MUST_USE int pg_proof_begin(struct rotation *r, const char *user, struct pg_proof *out,
                            struct err *err);

/* Add the query to SQL whose result pg_look_read reads. */
void pg_look_sql(const struct pg_look *look, const struct pg_proof *proof, int server_version,
                 struct buf *sql);
MUST_USE int pg_look_read(struct pg_look *look, const struct db_rows *rows, struct err *err);

/* The beginning of a message: where names are looked up, and how long it may wait. It gives
 * PG_BEGIN_RESULTS results. */
enum { PG_BEGIN_RESULTS = 3 };
void pg_message_begin(struct buf *sql);

/* Send SQL as the admin and collect what it answers. One exchange. */
MUST_USE int pg_ask(struct rotation *r, const struct buf *sql, struct db_results *out,
                    struct err *err);

/* NAME may log in with PASSWORD from now on. One exchange. Errors: pg_is_in_doubt() tells where it may
 * have been done all the same. */
MUST_USE int pg_set_password(struct rotation *r, const char *name, const struct secret *password,
                             struct err *err);

/* NAME may not log in any more, and its password is gone. One exchange. */
MUST_USE int pg_take_login(struct rotation *r, const char *name, struct err *err);

/* Whether a statement that failed with ERR may have been done: its answer was lost, or not awaited. */
bool pg_is_in_doubt(const struct err *err);

/* What is to be refused from now on. */
struct pg_refusal {
    const char *group, *name; /* the record's values, and the login that they are of */
    bool expect_nologin;      /* the role itself can't log in; else its password is another */
    int64_t before_us; /* sessions that began before that count (Unix time by the server); 0: all */
};
/* Prove that a new connection is refused (one, which fails), that the server's catalog agrees, and
 * count the sessions that live on (one exchange): they are reported, and --terminate ends them and waits
 * for it. Errors: ERR_VIOLATION, what is left. */
MUST_USE int pg_prove_refused(struct rotation *r, const struct pg_refusal *refusal,
                              struct err *err);

/* ---- pg_owned.c ----------------------------------------------------------------------------------- */

/* What is in the way, as lines for people, and the SQL that clears it, database by database. */
struct pg_obstacles {
    struct buf said; /* "app_a owns 3 objects in database 'app' (table t)", joined by "; " */
    struct buf plan; /* \connect "app", then statements, a line each; "": nothing is in the way */
};
#define PG_OBSTACLES_INIT \
    ((struct pg_obstacles){.said = BUF_INIT(PG_SQL_BYTES), .plan = BUF_INIT(PG_SQL_BYTES)})
#define AUTO_PG_OBSTACLES CLEANUP(pg_obstacles_release) struct pg_obstacles
void pg_obstacles_release(struct pg_obstacles *obstacles);

/* Queries for a message: what LOOK's logins have anywhere, the grants of the database at hand, and with a
 * model how the settings of the two differ. */
void pg_owned_sql(const struct pg_look *look, struct buf *sql);

/* Read them from RESULTS->list[FIRST] on, visit the other databases that the first one names (one
 * connection and one exchange each; none where the logins have nothing, as it should be), and say what
 * should be the owner's. A database that can't be visited is said, with what is known from outside. */
MUST_USE int pg_owned_read(struct rotation *r, const struct pg_look *look,
                           const struct db_results *results, size_t first, struct pg_obstacles *out,
                           struct err *err);

/* The line of a plan behind which statements are for DATABASE. */
void pg_plan_connect(const char *database, struct buf *plan);

/* OBSTACLES as an error: ERR_DB_STATE, the plan in its hint. */
int pg_obstacles_error(const struct rotation *r, const struct pg_obstacles *obstacles,
                       struct err *err);

/* ---- pg_place.c ----------------------------------------------------------------------------------- */

/* The user that is in the place now: decoded, the caller frees; NULL where the place names none. */
MUST_USE int pg_place_user(struct rotation *r, char **out, struct err *err);

/* USER (NULL: as it is) and PASSWORD become the record's "fields", what is there its "former". Where the
 * place has no URL yet, the admin's is what it starts from. */
MUST_USE int pg_place_stage(struct rotation *r, const char *user, const struct secret *password,
                            struct err *err);

/* A new password by the contract's length and alphabet. */
MUST_USE int pg_place_password(const struct rotation *r, struct secret *out, struct err *err);

/* The application's database: of the URL that is there now, else the admin's. The caller frees. */
MUST_USE int pg_place_database(struct rotation *r, char **out, struct err *err);

/* The password with which LOGIN logs in where GROUP's values are current. Errors: ERR_CONTRACT where they
 * are another user's. */
MUST_USE int pg_password_of(struct rotation *r, const char *group, const char *login,
                            struct secret *out, struct err *err);

/* Whether GROUP's values log in: a new connection. -1: it can't be told. */
MUST_USE int pg_probe(struct rotation *r, const char *group, const char *login, bool *works,
                      struct err *err);

/* ---- pg_two_login.c, pg_init.c ---------------------------------------------------------------------- */

/* Errors: ERR_CONTRACT, where the three roles are not three names. */
MUST_USE int pg_two_login_check(const struct rotate_spec *spec, struct err *err);

/* The owner, the logins, their membership and setting, what of it is missing. r->wants_first: the place
 * has none of the two logins yet, or one that is refused. Errors: ERR_DB_STATE with the plan where a login
 * that is in use has something of its own; nothing that it uses was taken away then. */
MUST_USE int pg_two_login_init(struct rotation *r, struct err *err);

#endif
