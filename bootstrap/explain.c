/* bootstrap/explain.c: why a database is in a state, and what to do next, in words. */
#include <string.h>

#include "base/str.h"
#include "bootstrap/internal.h"

void settings_add_migrate_line(const struct database_settings *settings, struct buf *out)
{
    for (size_t i = 0; settings->migrate && settings->migrate[i]; i++) {
        if (i > 0)
            buf_addc(out, ' ');
        str_add_shell(out, settings->migrate[i], strlen(settings->migrate[i]));
    }
}

void settings_add_version_table(const struct database_settings *settings, struct buf *out)
{
    db_add_identifier(out, settings->schema);
    buf_addc(out, '.');
    db_add_identifier(out, settings->table);
}

void settings_describe_version_table(const struct database_settings *settings, struct buf *out)
{
    buf_addf(out, "%s.%s", settings->schema, settings->table);
}

/* "a, b and c"; of more than MOST the first ones, and how many others. */
static void add_list(struct buf *out, const char *const *list, size_t count, size_t most)
{
    size_t shown = count > most ? most : count;
    for (size_t i = 0; i < shown; i++) {
        if (i > 0)
            buf_adds(out, i + 1 == count ? " and " : ", ");
        buf_adds(out, list[i]);
    }
    if (count > shown)
        buf_addf(out, " and %zu more", count - shown);
}

static void add_names(struct buf *out, const struct names *names)
{
    add_list(out, (const char *const *)names->list, names->count, LOOK_FIRST_OBJECTS);
}

static void add_count(struct buf *out, size_t count, const char *one, const char *many,
                      bool *is_first)
{
    if (count == 0)
        return;
    buf_addf(out, "%s%zu %s", *is_first ? "" : ", ", count, count == 1 ? one : many);
    *is_first = false;
}

/* "2 tables, 1 view (table public.orgs and table public.users)" */
static void add_objects(struct buf *out, const struct look *look)
{
    const struct look_counts *c = &look->counts;
    bool is_first = true;
    add_count(out, c->tables, "table", "tables", &is_first);
    add_count(out, c->views, "view", "views", &is_first);
    add_count(out, c->sequences, "sequence", "sequences", &is_first);
    add_count(out, c->types, "type", "types", &is_first);
    add_count(out, c->functions, "function", "functions", &is_first);
    if (is_first) {
        buf_adds(out, "nothing of the user's");
        return;
    }
    buf_adds(out, look_objects(look) > look->objects.count ? " (first: " : " (");
    add_list(out, (const char *const *)look->objects.list, look->objects.count, LOOK_FIRST_OBJECTS);
    buf_addc(out, ')');
}

/* ---- why ------------------------------------------------------------------------------------------- */

/* What an explanation is made from, and where it goes. */
struct telling {
    const struct database_settings *settings;
    const struct look *look;
    const struct stamp_facts *stamp;
    struct buf *out;
};

static void add_version_table(const struct telling *t)
{
    settings_describe_version_table(t->settings, t->out);
}

static void why_fresh(const struct telling *t)
{
    buf_adds(t->out, "nothing of the user's is in it");
    if (t->look->version_exists) {
        buf_adds(t->out, " but an empty version table ");
        add_version_table(t);
    }
    if (t->look->elsewhere.count > 0) {
        buf_adds(t->out, "; in schemas that are not managed here there is ");
        add_names(t->out, &t->look->elsewhere);
    }
}

static void why_current(const struct telling *t)
{
    add_version_table(t);
    buf_adds(t->out, " holds ");
    add_names(t->out, &t->look->rows);
    buf_adds(t->out, t->look->rows.count == 1 ? ": the head" : ": the heads");
}

static void why_unstamped(const struct telling *t)
{
    add_objects(t->out, t->look);
    buf_adds(t->out, t->look->version_exists ? ", and " : ", and no version table ");
    add_version_table(t);
    if (t->look->version_exists)
        buf_adds(t->out, " is not the version table that Alembic makes (one column version_num of "
                         "a character type, NOT NULL)");
    if (t->look->elsewhere.count > 0) {
        buf_adds(t->out, "; there is one elsewhere: ");
        add_names(t->out, &t->look->elsewhere);
    }
}

static void why_lost_stamp(const struct telling *t)
{
    add_objects(t->out, t->look);
    buf_adds(t->out, ", and no row in ");
    add_version_table(t);
    buf_adds(t->out, ": what a stamp leaves that was rolled back or stopped");
}

static void why_redundant(const struct telling *t)
{
    add_version_table(t);
    buf_addf(t->out, " holds '%s' and '%s', ", t->stamp->newer, t->stamp->redundant);
    buf_adds(t->out, str_eq(t->stamp->newer, t->stamp->redundant) ? "the same one twice"
                                                                  : "which is an ancestor of it");
}

/* From `alembic heads` nothing is known but the heads. */
static bool heads_alone(const struct graph *graph)
{
    return graph->count > 0 && !graph->revisions[0].file[0];
}

static void why_unknown(const struct telling *t)
{
    const struct graph *graph = t->settings->graph;
    const char *nearest = graph ? graph_nearest(graph, t->stamp->unknown) : NULL;
    add_version_table(t);
    buf_addf(t->out, " holds '%s', which ", t->stamp->unknown);
    if (!graph)
        buf_adds(t->out, "nothing here knows: the contract names no migrations (database.stamp)");
    else if (heads_alone(graph))
        buf_adds(t->out, "is none of the heads that the command of database.stamp.heads gave; "
                         "whether it is an older one can't be told from them");
    else
        buf_adds(t->out, "no revision file has");
    if (nearest)
        buf_addf(t->out, "; the closest that there is: '%s'", nearest);
}

static void why_behind(const struct telling *t)
{
    add_version_table(t);
    buf_adds(t->out, " holds ");
    add_names(t->out, &t->look->rows);
    buf_addf(t->out, ", %zu revision%s behind", t->stamp->behind, t->stamp->behind == 1 ? "" : "s");
    if (t->stamp->next_count > 0) {
        buf_adds(t->out, "; next: ");
        add_list(t->out, t->stamp->next, t->stamp->next_count, LOOK_NEXT_REVISIONS);
    }
}

static void why_stamp_only(const struct telling *t)
{
    add_version_table(t);
    buf_adds(t->out, " says ");
    add_names(t->out, &t->look->rows);
    buf_adds(t->out, ", and there is no table at all");
}

static void why_incomplete(const struct telling *t)
{
    const struct look *look = t->look;
    buf_adds(t->out, "stamped at head, but ");
    if (look->missing.count > 0) {
        buf_adds(t->out, "missing: ");
        add_names(t->out, &look->missing);
    }
    if (look->invalid_indexes.count > 0) {
        buf_adds(t->out, look->missing.count > 0 ? "; invalid index: " : "invalid index: ");
        add_names(t->out, &look->invalid_indexes);
    }
}

static void why_invisible(const struct telling *t)
{
    const struct look *look = t->look;
    buf_addf(t->out, "'%s' may not see all of it: ", look->user);
    if (look->hidden.count > 0) {
        buf_adds(t->out, "no USAGE on schema ");
        add_names(t->out, &look->hidden);
    }
    if (look->version_exists && look->version_is_alembics && !look->version_readable) {
        buf_adds(t->out, look->hidden.count > 0 ? "; the rows of " : "the rows of ");
        add_version_table(t);
        buf_adds(t->out, " can't be read");
    }
}

/* ---- what to do ------------------------------------------------------------------------------------ */

static void hint_fresh(const struct telling *t)
{
    const struct database_settings *s = t->settings;
    if (s->create == CREATE_NONE)
        buf_adds(t->out, "Say in the contract what makes it: database.create.");
    else if (!s->graph)
        buf_adds(t->out, "Say in the contract what it is stamped with: database.stamp.");
    else if (s->graph->effective_head_count == 0)
        buf_adds(t->out, "Make the first revision, to stamp it with: alembic revision -m first.");
    else
        buf_adds(t->out, "agent bootstrap makes and stamps it.");
    if (s->create != CREATE_NONE || !s->migrate || !s->migrate[0])
        return;
    buf_adds(t->out, " Or let its migrations make it: ");
    settings_add_migrate_line(s, t->out);
}

/* A revision that was read in a hurry and stamped by hand is the harm that --adopt is there to prevent:
 * it comes first wherever it can do something. */
static void hint_stamp_by_proof(const struct telling *t)
{
    const struct database_settings *s = t->settings;
    if (s->create != CREATE_NONE || (s->migrate && s->migrate[0]))
        buf_adds(t->out,
                 "agent bootstrap --adopt compares its schema with the expected one, and stamps "
                 "it only when they are equal.");
    else if (s->expect && s->expect[0])
        buf_adds(t->out,
                 "If its schema is known to be the one that this code wants: agent bootstrap "
                 "--adopt --trust, which looks for the tables of database.expect alone.");
    else
        buf_adds(t->out,
                 "Say in the contract what makes the database (database.create) or what "
                 "migrates it (database.migrate): agent bootstrap --adopt then compares its "
                 "schema with that, and stamps it when they are equal.");
}

static void hint_no_stamp(const struct telling *t)
{
    const struct look *look = t->look;
    if (look->elsewhere.count > 0 && !look->version_exists) {
        buf_addf(t->out, "If %s is the one, say its schema in the contract: database.stamp.schema.",
                 look->elsewhere.list[0]);
        return;
    }
    if (look->version_exists && !look->version_is_alembics) {
        buf_adds(t->out, HINT_NO_VERSION_TABLE);
        return;
    }
    hint_stamp_by_proof(t);
    if (!t->settings->plain_stamp)
        buf_adds(t->out, " If it is an older revision's: alembic stamp REVISION, and upgrade it.");
    buf_adds(t->out, " If it is a left-over: drop what is there and run agent bootstrap.");
}

static void hint_behind(const struct telling *t)
{
    const char *const *migrate = t->settings->migrate;
    buf_adds(t->out, "Upgrade it: ");
    if (!migrate || !migrate[0]) {
        buf_adds(t->out, "alembic upgrade heads.");
        return;
    }
    settings_add_migrate_line(t->settings, t->out);
    buf_adds(t->out, " (agent bootstrap --migrate runs that).");
}

static void hint_unknown(const struct telling *t)
{
    buf_adds(t->out, "Newer code has migrated it, or the revision's file was lost: deploy the code "
                     "that has it.");
}

static void add_delete(const struct telling *t, const char *id)
{
    buf_adds(t->out, "DELETE FROM ");
    settings_add_version_table(t->settings, t->out);
    if (id) {
        buf_adds(t->out, " WHERE version_num = ");
        db_add_literal(t->out, id);
    }
    buf_addc(t->out, ';');
}

static void hint_twice(const struct telling *t)
{
    buf_adds(t->out, "Leave it once: ");
    add_delete(t, t->stamp->redundant);
    buf_adds(t->out, " INSERT INTO ");
    settings_add_version_table(t->settings, t->out);
    buf_adds(t->out, " VALUES (");
    db_add_literal(t->out, t->stamp->redundant);
    buf_adds(t->out, ");");
}

static void hint_redundant(const struct telling *t)
{
    if (str_eq(t->stamp->newer, t->stamp->redundant)) {
        hint_twice(t);
        return;
    }
    buf_adds(t->out, "Alembic silently drops a head from that. Take the older one out: ");
    add_delete(t, t->stamp->redundant);
}

static void hint_stamp_only(const struct telling *t)
{
    buf_adds(t->out, "Restore the tables from a backup; or, if it is to be made anew, ");
    add_delete(t, NULL);
    buf_adds(t->out, " and agent bootstrap.");
}

static void hint_incomplete(const struct telling *t)
{
    const struct look *look = t->look;
    if (look->missing.count > 0)
        buf_adds(t->out, "A revision that should have made it did not run, or database.expect is "
                         "wrong.");
    if (look->invalid_indexes.count > 0)
        buf_addf(t->out, "%sREINDEX INDEX CONCURRENTLY %s; or drop it.",
                 look->missing.count > 0 ? " " : "", look->invalid_indexes.list[0]);
}

static void add_grant(const struct telling *t, const char *what, bool *is_first)
{
    buf_addf(t->out, "%sGRANT %s ", *is_first ? "" : " ", what);
    *is_first = false;
}

static void add_grantee(const struct telling *t)
{
    buf_adds(t->out, " TO ");
    db_add_identifier(t->out, t->look->user);
    buf_addc(t->out, ';');
}

static void hint_invisible(const struct telling *t)
{
    const struct look *look = t->look;
    bool is_first = true;
    for (size_t i = 0; i < look->hidden.count && i < LOOK_FIRST_OBJECTS; i++) {
        add_grant(t, "USAGE ON SCHEMA", &is_first);
        db_add_identifier(t->out, look->hidden.list[i]);
        add_grantee(t);
    }
    if (look->version_exists && !look->version_readable) {
        add_grant(t, "SELECT ON", &is_first);
        settings_add_version_table(t->settings, t->out);
        add_grantee(t);
        buf_adds(t->out, " (and no row security on it)");
    }
    if (look->hidden.count > 0)
        buf_adds(t->out, " Or name the schemas that are this application's in database.schemas.");
}

/* ---- by state -------------------------------------------------------------------------------------- */

static const struct {
    void (*why)(const struct telling *t);
    void (*hint)(const struct telling *t); /* NULL: nothing to do */
} tellings[STATE_COUNT] = {
    [STATE_FRESH] = {why_fresh, hint_fresh},
    [STATE_CURRENT] = {why_current, NULL},
    [STATE_BEHIND] = {why_behind, hint_behind},
    [STATE_UNKNOWN_REVISION] = {why_unknown, hint_unknown},
    [STATE_LOST_STAMP] = {why_lost_stamp, hint_no_stamp},
    [STATE_UNSTAMPED] = {why_unstamped, hint_no_stamp},
    [STATE_REDUNDANT] = {why_redundant, hint_redundant},
    [STATE_STAMP_ONLY] = {why_stamp_only, hint_stamp_only},
    [STATE_INCOMPLETE] = {why_incomplete, hint_incomplete},
    [STATE_INVISIBLE] = {why_invisible, hint_invisible},
};

void explain_why(const struct database_settings *settings, const struct look *look,
                 const struct stamp_facts *stamp, enum database_state state, struct buf *out)
{
    const struct telling t = {.settings = settings, .look = look, .stamp = stamp, .out = out};
    if (tellings[state].why)
        tellings[state].why(&t);
}

void explain_hint(const struct database_settings *settings, const struct look *look,
                  const struct stamp_facts *stamp, enum database_state state, struct buf *out)
{
    const struct telling t = {.settings = settings, .look = look, .stamp = stamp, .out = out};
    if (!tellings[state].hint)
        return;
    tellings[state].hint(&t);
    if (look->in_recovery)
        buf_addf(out, "%sThis server is a standby: that is done on its primary.",
                 out->len > 0 ? " " : "");
}

/* ---- rights ---------------------------------------------------------------------------------------- */

static const char *yes_no(bool yes)
{
    return yes ? "yes" : "no";
}

static void rights_of_schema(const struct database_settings *s, const struct look *look,
                             struct buf *out)
{
    if (!look->schema_exists)
        buf_addf(out, "schema %s is not there", s->schema);
    else
        buf_addf(out, "schema %s: USAGE %s, CREATE %s", s->schema, yes_no(look->schema_usage),
                 yes_no(look->schema_create));
}

static void rights_of_owner(const struct database_settings *s, const struct look *look,
                            struct buf *out)
{
    if (!look->owner_exists)
        buf_addf(out, "owner %s is no role of this server", s->owner);
    else
        buf_addf(out, "owner %s: member %s, its CREATE on schema %s %s", s->owner,
                 look->owner_member && !look->owner_settable ? "without SET ROLE"
                                                             : yes_no(look->owner_member),
                 s->schema, yes_no(look->owner_schema_create));
}

int explain_rights(const struct database_settings *s, const struct look *look, struct names *out,
                   struct err *err)
{
    AUTO_BUF line = BUF_INIT(LOOK_TEXT_BYTES);
    if (look->superuser)
        return names_add(out, "superuser", err);
    rights_of_schema(s, look, &line);
    if (names_add(out, buf_text(&line), err) != 0 ||
        names_add(out,
                  look->may_create_schema ? "may create schemas in this database"
                                          : "may not create schemas in this database",
                  err) != 0)
        return -1;
    if (!s->owner)
        return 0;
    buf_clear(&line);
    rights_of_owner(s, look, &line);
    return names_add(out, buf_text(&line), err);
}
