/* bootstrap/history.c: whether a server has what another one, or it itself, had acknowledged before.
 *
 * What create.command made is committed before its stamp is, on connections of its own. A fail-over in
 * between may lead to a server that has received a part of it, and that part may well be all that
 * `expect` names. A server whose WAL is on the same timeline is the same, or has lost nothing; one
 * that was promoted has what its recovery had replayed, and goes on saying up to where that was
 * (PostgreSQL's manual, "Recovery Control Functions"). */
#include <string.h>

#include "bootstrap/apply.h"

#define TIMELINE                                                                                \
    "pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 1, " \
    "8)"

/* One value into OUT (SIZE bytes); "" where the server does not say: some services have no such
 * functions. A connection that breaks here is noticed by the next that uses it. */
static void ask(const struct run *run, struct db *db, const char *sql, char *out, size_t size)
{
    struct db_results results;
    struct err err = ERR_INIT;
    *out = '\0';
    if (db_query(db, sql, run_deadline(run, 1), &results, NULL, &err) != 0) {
        log_line(LOG_DEBUG, "the server does not say where its log is", "why", err.text, NULL);
        return;
    }
    const char *cell = results.count && results.list[0].row_count ? db_cell(&results.list[0], 0, 0)
                                                                  : "";
    if (strlen(cell) < size)
        memcpy(out, cell, strlen(cell) + 1);
    db_results_free(&results);
}

void history_begin(struct run *run, struct db *db)
{
    run->made_until[0] = '\0';
    ask(run, db, "SELECT " TIMELINE, run->timeline, sizeof(run->timeline));
}

void history_note(struct run *run, struct db *db)
{
    ask(run, db, "SELECT pg_catalog.pg_current_wal_insert_lsn()", run->made_until,
        sizeof(run->made_until));
}

int history_has_all(const struct run *run, struct db *db, bool *has_all, struct err *err)
{
    AUTO_BUF sql = BUF_INIT(OWN_SQL_MAX_BYTES);
    struct db_results results;
    if (!run->timeline[0]) {
        *has_all = true; /* it never said; then it is not known to be another one, either */
        return 0;
    }
    buf_adds(&sql, "SELECT " TIMELINE " = ");
    db_add_literal(&sql, run->timeline);
    if (run->made_until[0]) {
        buf_adds(&sql, " OR COALESCE(pg_catalog.pg_last_wal_replay_lsn() >= ");
        db_add_literal(&sql, run->made_until);
        buf_adds(&sql, "::pg_catalog.pg_lsn, false)");
    }
    if (buf_check(&sql, ERR_DEFECT, "the question about the server's log", err) != 0 ||
        db_query(db, buf_text(&sql), run_deadline(run, 1), &results, NULL, err) != 0)
        return -1;
    *has_all = results.count && results.list[0].row_count &&
               strcmp(db_cell(&results.list[0], 0, 0), "t") == 0;
    db_results_free(&results);
    return 0;
}
