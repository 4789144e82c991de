/* bootstrap/db_password.c: passwords that are set over a connection.
 *
 * A verifier is made here, so that the server, its log and its statistics never have the password;
 * and what a server or a trigger repeats of a statement is shown without what was in it. See
 * db_internal.h for why libpq is called by five files. */
#include <string.h>

#include "base/mem.h"
#include "bootstrap/db_internal.h"

int db_password_verifier(struct db *db, const char *user, const struct secret *password,
                         struct secret *out, struct err *err)
{
    /* The algorithm is named: without a name libpq asks the server, whose answer may be md5. */
    char *verifier = pq.PQencryptPasswordConn(db->conn, secret_reveal(password), user,
                                              "scram-sha-256");
    if (!verifier) {
        struct db_said said;
        db_said_from_text(&said, pq.PQerrorMessage(db->conn));
        db_said_hide(&said, password);
        return err_set(err, ERR_RESOURCE, "no SCRAM-SHA-256 verifier could be made for '%s': %s",
                       user, said.primary[0] ? said.primary : "libpq gave no reason");
    }
    size_t length = strlen(verifier);
    struct secret made = SECRET_INIT;
    int result = secret_set(&made, verifier, length, err);
    mem_wipe(verifier, length);
    pq.PQfreemem(verifier);
    if (result == 0)
        *out = made;
    return result;
}

int db_hide(struct db *db, const struct secret *text, struct err *err)
{
    struct secret copy = SECRET_INIT;
    if (secret_set(&copy, secret_reveal(text), secret_length(text), err) != 0)
        return -1;
    secret_release(&db->hidden[db->hidden_next]);
    db->hidden[db->hidden_next] = copy;
    db->hidden_next = (db->hidden_next + 1) % DB_HIDDEN;
    return 0;
}

void db_hide_release(struct db *db)
{
    for (size_t i = 0; i < DB_HIDDEN; i++)
        secret_release(&db->hidden[i]);
}

void db_said_hide_all(struct db_said *said, const struct db *db)
{
    db_said_hide(said, &db->password);
    for (size_t i = 0; i < DB_HIDDEN; i++)
        db_said_hide(said, &db->hidden[i]);
}
