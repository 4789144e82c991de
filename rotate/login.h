/* rotate/login.h: connections that a rotation makes to PostgreSQL, beside those of rotate/internal.h. */
#ifndef ROTATE_LOGIN_H
#define ROTATE_LOGIN_H

#include "rotate/internal.h"

enum {
    LOGIN_CONNECT_MS = 20 * 1000,   /* one connection, all addresses */
    LOGIN_STATEMENT_MS = 60 * 1000, /* one message; the server's own limits are shorter */
};

/* The URL with which USER logs in where GROUP's ("fields", "former"; NULL: what is there now) values
 * are current. Where the variable is a password alone, host and database are the admin's. */
MUST_USE int login_url(struct rotation *r, const char *group, const char *user, struct secret *out,
                       struct err *err);

/* login_url, and a new connection with it. */
MUST_USE int login_with(struct rotation *r, const char *group, const char *user, struct db **out,
                        struct err *err);

/* Whether ERR, of a connection, is the server's own answer that these credentials are not good
 * (SQLSTATE class 28, or PgBouncer's word for it), and nothing else that kept us out. */
bool login_was_refused(const struct err *err);

/* Whether URL's words on TLS were kept: what asks for TLS over a network has it. */
MUST_USE int login_check_tls(const struct rotation *r, const struct secret *url,
                             const struct db *db, struct err *err);

int64_t login_deadline(const struct rotation *r, int64_t ms);

/* The admin's URL, as its source has it. Errors: ERR_CONTRACT where none is named. */
MUST_USE int login_admin_url(struct rotation *r, struct secret *out, struct err *err);

/* The admin's URL with another database, for a visit there. *out is the caller's, db_close. */
MUST_USE int login_admin_of_database(struct rotation *r, const char *database, struct db **out,
                                     struct err *err);

#endif
