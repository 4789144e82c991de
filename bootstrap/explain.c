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

static void why_fresh(const struct database_settings *s, const struct look *look, struct buf *out)
{
    buf_adds(out, "nothing of the user's is in it");
    if (look->version_exists)
        buf_addf(out, " but an empty version table %s.%s", s->schema, s->table);
    if (look->elsewhere.count > 0) {
        buf_adds(out, "; in schemas that are not managed here there is ");
        add_names(out, &look->elsewhere);
    }
}

static void why_unstamped(const struct database_settings *s, const struct look *look,
                          struct buf *out)
{
    add_objects(out, look);
    if (look->version_exists)
        buf_addf(out,
                 ", and %s.%s is not the version table that Alembic makes (one column version_num "
                 "of a character type, NOT NULL)",
                 s->schema, s->table);
    else
        buf_addf(out, ", and no version table %s.%s", s->schema, s->table);
    if (look->elsewhere.count > 0) {
        buf_adds(out, "; there is one elsewhere: ");
        add_names(out, &look->elsewhere);
    }
}

static void why_unknown(const struct database_settings *s, const struct stamp_facts *stamp,
                        struct buf *out)
{
    const char *nearest = s->graph ? graph_nearest(s->graph, stamp->unknown) : NULL;
    buf_addf(out, "%s.%s holds '%s', which ", s->schema, s->table, stamp->unknown);
    buf_adds(out, s->graph ? "no revision file has"
                           : "nothing here knows: the contract names no "
                             "migrations (database.stamp)");
    if (nearest)
        buf_addf(out, "; the closest that there is: '%s'", nearest);
}

static void why_behind(const struct database_settings *s, const struct look *look,
                       const struct stamp_facts *stamp, struct buf *out)
{
    buf_addf(out, "%s.%s holds ", s->schema, s->table);
    add_names(out, &look->rows);
    buf_addf(out, ", %zu revision%s behind", stamp->behind, stamp->behind == 1 ? "" : "s");
    if (stamp->next_count > 0) {
        buf_adds(out, "; next: ");
        add_list(out, stamp->next, stamp->next_count, LOOK_NEXT_REVISIONS);
    }
}

static void why_incomplete(const struct look *look, struct buf *out)
{
    buf_adds(out, "stamped at head, but ");
    if (look->missing.count > 0) {
        buf_adds(out, "missing: ");
        add_names(out, &look->missing);
    }
    if (look->invalid_indexes.count > 0) {
        buf_adds(out, look->missing.count > 0 ? "; invalid index: " : "invalid index: ");
        add_names(out, &look->invalid_indexes);
    }
}

static void why_invisible(const struct database_settings *s, const struct look *look,
                          struct buf *out)
{
    buf_addf(out, "'%s' may not see all of it: ", look->user);
    if (look->hidden.count > 0) {
        buf_adds(out, "no USAGE on schema ");
        add_names(out, &look->hidden);
    }
    if (look->version_exists && look->version_is_alembics && !look->version_readable)
        buf_addf(out, "%sthe rows of %s.%s can't be read", look->hidden.count > 0 ? "; " : "",
                 s->schema, s->table);
}

void explain_why(const struct database_settings *s, const struct look *look,
                 const struct stamp_facts *stamp, enum database_state state, struct buf *out)
{
    if (state == STATE_FRESH) {
        why_fresh(s, look, out);
    } else if (state == STATE_UNSTAMPED) {
        why_unstamped(s, look, out);
    } else if (state == STATE_UNKNOWN_REVISION) {
        why_unknown(s, stamp, out);
    } else if (state == STATE_BEHIND) {
        why_behind(s, look, stamp, out);
    } else if (state == STATE_INCOMPLETE) {
        why_incomplete(look, out);
    } else if (state == STATE_INVISIBLE) {
        why_invisible(s, look, out);
    } else if (state == STATE_LOST_STAMP) {
        add_objects(out, look);
        buf_addf(out, ", and no row in %s.%s: what a stamp leaves that was rolled back or stopped",
                 s->schema, s->table);
    } else if (state == STATE_REDUNDANT) {
        buf_addf(out, "%s.%s holds '%s' and '%s', ", s->schema, s->table, stamp->newer,
                 stamp->redundant);
        buf_adds(out, str_eq(stamp->newer, stamp->redundant) ? "the same one twice"
                                                             : "which is an ancestor of it");
    } else if (state == STATE_STAMP_ONLY) {
        buf_addf(out, "%s.%s says ", s->schema, s->table);
        add_names(out, &look->rows);
        buf_adds(out, ", and there is no table at all");
    } else {
        buf_addf(out, "%s.%s holds ", s->schema, s->table);
        add_names(out, &look->rows);
        buf_addf(out, ": the head%s", look->rows.count == 1 ? "" : "s");
    }
}

/* ---- what to do ------------------------------------------------------------------------------------ */

static void add_stamp_command(const struct database_settings *s, struct buf *out)
{
    buf_adds(out, "alembic stamp ");
    if (!s->graph || s->graph->effective_head_count != 1)
        buf_adds(out, "heads");
    else
        str_add_shell(out, s->graph->effective_heads[0], strlen(s->graph->effective_heads[0]));
}

static void hint_no_stamp(const struct database_settings *s, const struct look *look,
                          struct buf *out)
{
    if (look->elsewhere.count > 0 && !look->version_exists) {
        buf_addf(out, "If %s is the one, say its schema in the contract: database.stamp.schema.",
                 look->elsewhere.list[0]);
        return;
    }
    buf_adds(out, "If the tables are what the migrations make, say which revision that is (");
    add_stamp_command(s, out);
    buf_adds(out, ") and look again; if not, drop them and run agent bootstrap.");
}

static void hint_behind(const struct database_settings *s, struct buf *out)
{
    AUTO_BUF line = BUF_INIT(LOOK_TEXT_BYTES);
    settings_add_migrate_line(s, &line);
    if (line.len > 0)
        buf_addf(out, "Upgrade it: %s (agent bootstrap --migrate runs that).", buf_text(&line));
    else
        buf_adds(out, "Upgrade it: alembic upgrade heads.");
}

static void add_delete(const struct database_settings *s, const char *id, struct buf *out)
{
    buf_adds(out, "DELETE FROM ");
    settings_add_version_table(s, out);
    if (id) {
        buf_adds(out, " WHERE version_num = ");
        db_add_literal(out, id);
    }
    buf_addc(out, ';');
}

static void hint_invisible(const struct database_settings *s, const struct look *look,
                           struct buf *out)
{
    for (size_t i = 0; i < look->hidden.count && i < LOOK_FIRST_OBJECTS; i++) {
        buf_adds(out, i ? " GRANT USAGE ON SCHEMA " : "GRANT USAGE ON SCHEMA ");
        db_add_identifier(out, look->hidden.list[i]);
        buf_adds(out, " TO ");
        db_add_identifier(out, look->user);
        buf_addc(out, ';');
    }
    if (look->version_exists && !look->version_readable) {
        buf_adds(out, look->hidden.count > 0 ? " GRANT SELECT ON " : "GRANT SELECT ON ");
        settings_add_version_table(s, out);
        buf_adds(out, " TO ");
        db_add_identifier(out, look->user);
        buf_adds(out, "; (and no row security on it)");
    }
    if (look->hidden.count > 0)
        buf_adds(out, " Or name the schemas that are this application's in database.schemas.");
}

static void hint_incomplete(const struct look *look, struct buf *out)
{
    if (look->missing.count > 0)
        buf_adds(out, "A revision that should have made it did not run, or database.expect is "
                      "wrong.");
    if (look->invalid_indexes.count > 0)
        buf_addf(out, "%sREINDEX INDEX CONCURRENTLY %s; or drop it.",
                 look->missing.count > 0 ? " " : "", look->invalid_indexes.list[0]);
}

void explain_hint(const struct database_settings *s, const struct look *look,
                  const struct stamp_facts *stamp, enum database_state state, struct buf *out)
{
    if (state == STATE_FRESH) {
        buf_adds(out, "agent bootstrap makes and stamps it.");
    } else if (state == STATE_UNSTAMPED || state == STATE_LOST_STAMP) {
        hint_no_stamp(s, look, out);
    } else if (state == STATE_BEHIND) {
        hint_behind(s, out);
    } else if (state == STATE_UNKNOWN_REVISION) {
        buf_adds(out,
                 "Newer code has migrated it, or the revision's file was lost: deploy the code "
                 "that has it.");
    } else if (state == STATE_REDUNDANT) {
        buf_adds(out, "Alembic silently drops a head from that. Take the older one out: ");
        add_delete(s, stamp->redundant, out);
    } else if (state == STATE_STAMP_ONLY) {
        buf_adds(out, "Restore the tables from a backup; or, if it is to be made anew, ");
        add_delete(s, NULL, out);
        buf_adds(out, " and agent bootstrap.");
    } else if (state == STATE_INCOMPLETE) {
        hint_incomplete(look, out);
    } else if (state == STATE_INVISIBLE) {
        hint_invisible(s, look, out);
    }
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
                 yes_no(look->owner_member), s->schema, yes_no(look->owner_schema_create));
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
