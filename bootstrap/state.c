/* bootstrap/state.c: a look at the catalogs → what the database is. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "bootstrap/apply.h"

static const char *const words[] = {
#define X(state, word) [state] = (word),
    DATABASE_STATES(X)
#undef X
};

const char *state_word(enum database_state state)
{
    return (unsigned)state < STATE_COUNT ? words[state] : "unknown";
}

int state_parse(const char *word, enum database_state *out)
{
    for (size_t i = 0; i < STATE_COUNT; i++)
        if (str_eq(word, words[i])) {
            *out = (enum database_state)i;
            return 0;
        }
    return -1;
}

/* ---- rows against revisions ------------------------------------------------------------------------ */

static bool row_is_older(const struct graph *graph, const char *older, const char *newer)
{
    return str_eq(older, newer) || (graph && graph_find(graph, older) && graph_find(graph, newer) &&
                                    graph_is_ancestor(graph, older, newer));
}

static bool rows_hold(const struct names *rows, const char *id)
{
    for (size_t i = 0; i < rows->count; i++)
        if (str_eq(rows->list[i], id))
            return true;
    return false;
}

static bool rows_hold_all_heads(const struct names *rows, const struct graph *graph)
{
    for (size_t i = 0; graph && i < graph->effective_head_count; i++)
        if (!rows_hold(rows, graph->effective_heads[i]))
            return false;
    return true;
}

static void find_redundant(const struct names *rows, const struct graph *graph,
                           struct stamp_facts *stamp)
{
    for (size_t i = 0; i < rows->count; i++)
        for (size_t j = 0; j < rows->count; j++)
            if (i != j && row_is_older(graph, rows->list[i], rows->list[j])) {
                stamp->redundant = rows->list[i];
                stamp->newer = rows->list[j];
                return;
            }
}

/* Without a graph no script is known, so every row is a revision that no script has. */
static struct stamp_facts compare_stamp(const struct graph *graph, const struct names *rows)
{
    struct stamp_facts stamp = {0};
    find_redundant(rows, graph, &stamp);
    for (size_t i = 0; i < rows->count && !stamp.unknown; i++)
        if (!graph || !graph_find(graph, rows->list[i]))
            stamp.unknown = rows->list[i];
    if (graph && !stamp.unknown && rows->count > 0)
        stamp.behind = graph_behind(graph, (const char *const *)rows->list, rows->count, stamp.next,
                                    LOOK_NEXT_REVISIONS, &stamp.next_count);
    return stamp;
}

/* ---- the states, in the order in which they win ---------------------------------------------------- */

struct subject {
    const struct database_settings *settings;
    const struct look *look;
    const struct stamp_facts *stamp;
};

static bool is_invisible(const struct subject *s)
{
    const struct look *l = s->look;
    return l->hidden.count > 0 ||
           (l->version_exists && l->version_is_alembics && !l->version_readable);
}

static bool is_fresh(const struct subject *s)
{
    const struct look *l = s->look;
    bool no_stamp = !l->version_exists || (l->version_is_alembics && l->rows.count == 0);
    return look_objects(l) == 0 && no_stamp;
}

static bool is_unstamped(const struct subject *s)
{
    return !s->look->version_exists || !s->look->version_is_alembics;
}

static bool is_lost_stamp(const struct subject *s)
{
    return s->look->rows.count == 0;
}

static bool is_redundant(const struct subject *s)
{
    return s->stamp->redundant != NULL;
}

static bool is_unknown_revision(const struct subject *s)
{
    return s->stamp->unknown != NULL;
}

static bool is_behind(const struct subject *s)
{
    return !rows_hold_all_heads(&s->look->rows, s->settings->graph);
}

static bool is_stamp_only(const struct subject *s)
{
    return s->look->counts.tables == 0;
}

static bool is_incomplete(const struct subject *s)
{
    return s->look->missing.count > 0 || s->look->invalid_indexes.count > 0;
}

/* The first that holds. Those with rows in the version table come behind those without, so that their
 * tests may take the rows for granted. */
static const struct {
    enum database_state state;
    bool (*holds)(const struct subject *subject);
} precedence[] = {
    {STATE_INVISIBLE, is_invisible},   {STATE_FRESH, is_fresh},
    {STATE_UNSTAMPED, is_unstamped},   {STATE_LOST_STAMP, is_lost_stamp},
    {STATE_REDUNDANT, is_redundant},   {STATE_UNKNOWN_REVISION, is_unknown_revision},
    {STATE_BEHIND, is_behind},         {STATE_STAMP_ONLY, is_stamp_only},
    {STATE_INCOMPLETE, is_incomplete},
};

static enum database_state decide(const struct subject *subject)
{
    for (size_t i = 0; i < ARRAY_LEN(precedence); i++)
        if (precedence[i].holds(subject))
            return precedence[i].state;
    return STATE_CURRENT;
}

/* ---- into the report -------------------------------------------------------------------------------- */

static int copy_list(char ***field, const char *const *list, size_t count, struct err *err)
{
    struct names names = {0};
    for (size_t i = 0; i < count; i++)
        if (names_add(&names, list[i], err) != 0) {
            names_release(&names);
            return -1;
        }
    char **taken = names_take(&names);
    if (!taken)
        return err_nomem(err);
    names_free_list(*field);
    *field = taken;
    return 0;
}

static int copy_names(char ***field, const struct names *names, struct err *err)
{
    return copy_list(field, (const char *const *)names->list, names->count, err);
}

static int fill_lists(const struct subject *s, struct database_report *report, struct err *err)
{
    const struct graph *graph = s->settings->graph;
    struct names rights = {0};
    int result = explain_rights(s->settings, s->look, &rights, err);
    if (result == 0)
        result = copy_names(&report->rights, &rights, err);
    names_release(&rights);
    if (result != 0 || copy_names(&report->missing, &s->look->missing, err) != 0 ||
        copy_names(&report->stamped, &s->look->rows, err) != 0 ||
        copy_list(&report->next, s->stamp->next, s->stamp->next_count, err) != 0)
        return -1;
    return copy_list(&report->heads, graph ? graph->effective_heads : NULL,
                     graph ? graph->effective_head_count : 0, err);
}

static int fill_texts(const struct subject *s, enum database_state state,
                      struct database_report *report, struct err *err)
{
    AUTO_BUF why = BUF_INIT(LOOK_TEXT_BYTES);
    AUTO_BUF hint = BUF_INIT(LOOK_TEXT_BYTES);
    explain_why(s->settings, s->look, s->stamp, state, &why);
    explain_hint(s->settings, s->look, s->stamp, state, &hint);
    if (buf_check(&why, ERR_DEFECT, "the reason for a state", err) != 0 ||
        buf_check(&hint, ERR_DEFECT, "the hint for a state", err) != 0 ||
        report_set(&report->why, err, "%s", buf_text(&why)) != 0 ||
        report_set(&report->server_version, err, "%s", s->look->server_version) != 0 ||
        report_set(&report->user, err, "%s", s->look->user) != 0)
        return -1;
    if (hint.len > 0)
        return report_set(&report->hint, err, "%s", buf_text(&hint));
    free(report->hint);
    report->hint = NULL;
    return 0;
}

/* What bootstrap would be refused for, before it is tried. */
static int fill_lacks(const struct subject *s, struct database_report *report, struct err *err)
{
    char place[] = "the database";
    const struct run run = {.settings = s->settings, .place = place};
    struct err refusal = ERR_INIT;
    if (s->settings->create == CREATE_NONE || rights_check(&run, s->look, &refusal) == 0)
        return 0;
    if (report_set(&report->lacks, err, "%s", refusal.text) != 0 ||
        report_set(&report->lacks_hint, err, "%s", refusal.hint) != 0)
        return -1;
    return report_set(&report->hint, err, "agent bootstrap can't make it yet. %s", refusal.hint);
}

int state_classify(const struct database_settings *settings, const struct look *look,
                   struct database_report *report, struct err *err)
{
    struct stamp_facts stamp = compare_stamp(settings->graph, &look->rows);
    const struct subject subject = {.settings = settings, .look = look, .stamp = &stamp};
    enum database_state state = decide(&subject);
    if (fill_lists(&subject, report, err) != 0 || fill_texts(&subject, state, report, err) != 0)
        return -1;
    if (state == STATE_FRESH && fill_lacks(&subject, report, err) != 0)
        return -1;
    report->state = state;
    report->state_known = true;
    report->read_only = look->read_only;
    report->in_recovery = look->in_recovery;
    report->table_count = look->counts.tables;
    report->behind = stamp.behind;
    return 0;
}

int state_look(struct db *db, const struct database_settings *settings, int64_t deadline_ms,
               struct database_report *report, struct look *look, struct err *err)
{
    AUTO_BUF sql = BUF_INIT(LOOK_SQL_BYTES);
    AUTO_LOOK seen = LOOK_INIT;
    struct db_results results = {0};
    state_look_sql(settings, &sql);
    if (buf_check(&sql, ERR_CONTRACT, "the list of expected tables and schemas", err) != 0 ||
        db_query(db, buf_text(&sql), deadline_ms, &results, NULL, err) != 0)
        return -1;
    int result = state_look_read(&results, 0, &seen, err);
    db_results_free(&results);
    if (result != 0)
        return -1;
    db_note_backend_pid(db, seen.backend_pid);
    if (state_classify(settings, &seen, report, err) != 0)
        return -1;
    if (look) {
        *look = seen;
        seen = LOOK_INIT; /* moved */
    }
    return 0;
}

int64_t settings_deadline(const struct database_settings *settings, int64_t ms)
{
    return clock_earlier(settings->deadline_ms, clock_in_ms(ms));
}

int64_t settings_statement_deadline(const struct database_settings *settings)
{
    int64_t most = settings->statement_timeout_ms;
    return most > 0 ? settings_deadline(settings, most) : settings->deadline_ms;
}
