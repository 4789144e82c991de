/* bootstrap/db_params.h: the keyword array of one connection attempt. No call of libpq. */
#ifndef BOOTSTRAP_DB_PARAMS_H
#define BOOTSTRAP_DB_PARAMS_H

#include "bootstrap/db.h"

enum { DB_MAX_PARAMS = 48 };

struct db_params {
    const char *keywords[DB_MAX_PARAMS + 1], *values[DB_MAX_PARAMS + 1]; /* NULL-terminated */
    char *owned[DB_MAX_PARAMS]; /* wiped on release: sslpassword may be among them */
    size_t count;
};
#define DB_PARAMS_INIT ((struct db_params){0})
#define AUTO_DB_PARAMS CLEANUP(db_params_release) struct db_params
void db_params_release(struct db_params *params);

/* HOST is one host; ADDRESS what it resolved to, or "". The password is borrowed from TARGET. Errors:
 * ERR_CONTRACT for a query that can't be read or asks for what is not there, ERR_RESOURCE. */
MUST_USE int db_params_build(const struct db_target *target, const char *host, const char *port,
                             const char *address, struct db_params *out, struct err *err);

/* KEYWORD, where it is there, has VALUE, which outlives PARAMS. */
void db_params_replace(struct db_params *params, const char *keyword, const char *value);

/* The value of KEYWORD, or NULL; for tests and messages. */
const char *db_params_get(const struct db_params *params, const char *keyword);

/* The process's environment without PG*: libpq reads it while a connection is made, and addresses come
 * from the URL alone. Not for two threads at once. Showing it again is safe after a failure, too. */
struct hidden_environment {
    char **ours, **shown;
};
MUST_USE int db_environment_hide(struct hidden_environment *hidden, struct err *err);
void db_environment_show(struct hidden_environment *hidden);

#endif
