/* bootstrap/look.c: what the catalogs say, in one statement with one result.
 *
 * The rows are facts: a word, and up to six texts. For PostgreSQL 12 and newer. All names are qualified
 * and all comparisons are between equal types, so that no search_path and no operator of somebody
 * else's changes what is read. What initdb made (oid below FirstNormalObjectId, 16384), extensions'
 * members (deptype e), parts of other objects (deptype i: row types, identity sequences, multiranges)
 * and temporary relations are not the user's.
 * The version table's rows come through query_to_xml, because a statement that named the table would
 * fail where it is not there; it reads with the statement's own snapshot. The ids travel in
 * hexadecimal: nothing to escape. A server built without libxml (no package is) answers 0A000 where
 * there is a version table, which is then the error. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "bootstrap/internal.h"

enum {
    LOOK_COLUMNS = 7,
    ID_BYTES = 64 * 1024, /* one revision id; a text column has no limit of its own */
    MODIFIER_HEADER = 4,  /* atttypmod of varchar(n) is n + 4 */
};

/* ---- the statement ------------------------------------------------------------------------------- */

static const char objects_sql[] =
    "everything AS MATERIALIZED (\n"
    " SELECT o.rank, o.class, o.oid, o.kind, o.name, ns.name AS schema, ns.managed, ns.usage\n"
    " FROM (\n"
    "  SELECT CASE WHEN c.relkind IN ('r','p','f') THEN 1 ELSE 2 END AS rank,\n"
    "   'pg_catalog.pg_class'::pg_catalog.regclass AS class, c.oid, c.relkind AS kind,\n"
    "   c.relname::pg_catalog.text AS name, c.relnamespace AS namespace\n"
    "  FROM pg_catalog.pg_class c WHERE c.oid >= 16384\n"
    "   AND c.relkind IN ('r','p','f','v','m','S') AND c.relpersistence <> 't'\n"
    "  UNION ALL SELECT 3, 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, 'T',\n"
    "   t.typname::pg_catalog.text, t.typnamespace\n"
    "  FROM pg_catalog.pg_type t WHERE t.oid >= 16384\n"
    "   AND (t.typcategory <> 'A' OR t.typtype = 'd')\n"
    "  UNION ALL SELECT 4, 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, 'F',\n"
    "   p.proname::pg_catalog.text, p.pronamespace\n"
    "  FROM pg_catalog.pg_proc p WHERE p.oid >= 16384) o\n"
    " JOIN ns ON ns.oid = o.namespace\n"
    " WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = o.class\n"
    "  AND d.objid = o.oid AND d.objsubid = 0 AND d.deptype IN ('e','i'))),\n";

static const char session_sql[] =
    "SELECT 'session' AS fact, pg_catalog.current_setting('server_version') AS a,\n"
    " current_user::pg_catalog.text AS b, pg_catalog.pg_backend_pid()::pg_catalog.text AS c,\n"
    " pg_catalog.pg_is_in_recovery()::pg_catalog.text AS d,\n"
    " pg_catalog.current_setting('transaction_read_only') AS e,\n"
    " pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')"
    "::pg_catalog.text AS f\n"
    "UNION ALL SELECT 'role', r.rolsuper::pg_catalog.text, CASE WHEN r.rolvaliduntil < 'infinity'\n"
    "  THEN pg_catalog.to_char(r.rolvaliduntil AT TIME ZONE 'UTC', "
    "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')\n"
    "  END, NULL, NULL, NULL, NULL\n"
    " FROM pg_catalog.pg_roles r WHERE r.rolname = current_user\n"
    "UNION ALL SELECT 'schema', ns.usage::pg_catalog.text,\n"
    " pg_catalog.has_schema_privilege(ns.oid, 'CREATE')::pg_catalog.text, NULL, NULL, NULL, NULL\n"
    " FROM ns WHERE ns.here\n";

static const char version_sql[] =
    "UNION ALL SELECT 'version', v.alembics::pg_catalog.text, v.readable::pg_catalog.text,\n"
    " v.width::pg_catalog.text, pg_catalog.pg_get_userbyid(v.relowner)::pg_catalog.text,\n"
    " CASE WHEN v.alembics AND v.readable THEN pg_catalog.query_to_xml(pg_catalog.format(\n"
    "  'SELECT pg_catalog.encode(pg_catalog.convert_to(version_num::pg_catalog.text, ''UTF8''),"
    " ''hex'') AS h FROM %I.%I ORDER BY 1 LIMIT %s', v.schema, v.name, ";

static const char facts_sql[] =
    "UNION ALL (SELECT 'elsewhere', o.schema, o.name, o.managed::pg_catalog.text, NULL, NULL, "
    "NULL\n"
    " FROM object o JOIN ns ON ns.name = o.schema\n"
    " WHERE o.is_version AND NOT ns.here ORDER BY 2)\n"
    "UNION ALL SELECT 'count', o.kind::pg_catalog.text, pg_catalog.count(*)::pg_catalog.text,\n"
    " NULL, NULL, NULL, NULL FROM counted o GROUP BY o.kind\n"
    "UNION ALL (SELECT 'object', o.kind::pg_catalog.text, o.schema, o.name, NULL, NULL, NULL\n"
    " FROM counted o ORDER BY o.rank, o.schema, o.name LIMIT %d)\n"
    "UNION ALL SELECT DISTINCT 'hidden', o.schema, NULL, NULL, NULL, NULL, NULL\n"
    " FROM object o JOIN ns ON ns.name = o.schema WHERE (o.managed OR ns.here) AND NOT o.usage\n"
    "UNION ALL (SELECT 'index', ns.name, c.relname::pg_catalog.text, NULL, NULL, NULL, NULL\n"
    " FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid\n"
    " JOIN ns ON ns.oid = c.relnamespace\n"
    " WHERE NOT i.indisvalid AND ns.managed AND c.relpersistence <> 't' ORDER BY 2, 3 LIMIT %d)\n";

/* ns: the schemas that can hold what is the user's. */
static void add_schemas(const struct database_settings *s, struct buf *out)
{
    buf_adds(out, "WITH ns AS MATERIALIZED (\n"
                  " SELECT n.oid, n.nspname::pg_catalog.text AS name, n.nspname = ");
    db_add_literal(out, s->schema);
    buf_adds(out, " AS here,\n"
                  " pg_catalog.has_schema_privilege(n.oid, 'USAGE') AS usage, ");
    if (!s->schemas || !s->schemas[0])
        buf_adds(out, "true");
    for (size_t i = 0; s->schemas && s->schemas[i]; i++) {
        buf_adds(out, i ? ", " : "n.nspname IN (");
        db_add_literal(out, s->schemas[i]);
        if (!s->schemas[i + 1])
            buf_addc(out, ')');
    }
    buf_adds(out, " AS managed\n FROM pg_catalog.pg_namespace n\n"
                  " WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'),\n");
}

/* object: all of the user's; counted: without the version table, in managed schemas; version: it. */
static void add_objects(const struct database_settings *s, struct buf *out)
{
    buf_adds(out, objects_sql);
    buf_adds(out, "object AS (SELECT o.*, (o.kind IN ('r','p','f','v','m') AND o.name = ");
    db_add_literal(out, s->table);
    buf_adds(out, ") AS is_version FROM everything o),\n"
                  "counted AS (SELECT o.* FROM object o WHERE o.managed AND NOT (o.is_version AND "
                  "o.schema = ");
    db_add_literal(out, s->schema);
    buf_adds(out,
             ")),\n"
             "version AS (SELECT o.schema, o.name, c.relowner,\n"
             " c.relkind = 'r' AND (SELECT pg_catalog.count(*) = 1\n"
             "   AND pg_catalog.bool_and(a.attname = 'version_num' AND a.attnotnull\n"
             "    AND a.atttypid IN ('pg_catalog.text'::pg_catalog.regtype,\n"
             "     'pg_catalog.varchar'::pg_catalog.regtype, "
             "'pg_catalog.bpchar'::pg_catalog.regtype))\n"
             "  FROM pg_catalog.pg_attribute a\n"
             "  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS alembics,\n"
             " o.usage AND pg_catalog.has_any_column_privilege(c.oid, 'SELECT')\n"
             "  AND NOT pg_catalog.row_security_active(c.oid) AS readable,\n"
             " (SELECT pg_catalog.max(a.atttypmod) FROM pg_catalog.pg_attribute a\n"
             "  WHERE a.attrelid = c.oid AND a.attname = 'version_num') AS width\n"
             " FROM object o JOIN pg_catalog.pg_class c ON c.oid = o.oid\n"
             " WHERE o.is_version AND o.schema = ");
    db_add_literal(out, s->schema);
    buf_adds(out, ")\n");
}

static void add_owner(const struct database_settings *s, struct buf *out)
{
    if (!s->owner)
        return;
    buf_adds(out,
             "UNION ALL SELECT 'owner', pg_catalog.pg_has_role(r.oid, 'MEMBER')::pg_catalog.text,\n"
             " pg_catalog.has_database_privilege(r.oid, pg_catalog.current_database(), "
             "'CREATE')::pg_catalog.text,\n"
             " (SELECT pg_catalog.has_schema_privilege(r.oid, ns.oid, 'CREATE') FROM ns "
             "WHERE ns.here)::pg_catalog.text,\n"
             " pg_catalog.pg_has_role(r.oid, CASE WHEN "
             "pg_catalog.current_setting('server_version_num')::pg_catalog.int4 >= 160000\n"
             "  THEN 'SET' ELSE 'MEMBER' END)::pg_catalog.text,\n"
             " NULL, NULL FROM pg_catalog.pg_roles r WHERE r.rolname = ");
    db_add_literal(out, s->owner);
    buf_addc(out, '\n');
}

/* "schema.table", or a table in public. */
static void add_expected(const struct database_settings *s, struct buf *out)
{
    if (!s->expect || !s->expect[0])
        return;
    buf_adds(out,
             "UNION ALL (SELECT 'missing', e.label, NULL, NULL, NULL, NULL, NULL\n FROM (VALUES ");
    for (size_t i = 0; s->expect[i]; i++) {
        const char *dot = strchr(s->expect[i], '.');
        buf_addf(out, i ? ", (%zu, " : "(%zu, ", i);
        if (dot)
            db_add_literal_n(out, s->expect[i], (size_t)(dot - s->expect[i]));
        else
            db_add_literal(out, "public");
        buf_adds(out, ", ");
        db_add_literal(out, dot ? dot + 1 : s->expect[i]);
        buf_adds(out, ", ");
        db_add_literal(out, s->expect[i]);
        buf_addc(out, ')');
    }
    buf_adds(out, ") e (n, schema, name, label)\n"
                  " WHERE NOT EXISTS (SELECT FROM object o WHERE o.kind IN ('r','p','f')\n"
                  "  AND o.schema = e.schema AND o.name = e.name) ORDER BY e.n)\n");
}

void state_look_sql(const struct database_settings *settings, struct buf *out)
{
    add_schemas(settings, out);
    add_objects(settings, out);
    buf_adds(out, session_sql);
    buf_adds(out, version_sql);
    buf_addf(out, "'%d'), false, true, '')::pg_catalog.text END, NULL FROM version v\n",
             LOOK_MAX_ROWS + 1);
    buf_addf(out, facts_sql, LOOK_FIRST_OBJECTS, LOOK_FIRST_OBJECTS);
    add_owner(settings, out);
    add_expected(settings, out);
    buf_adds(out, ";\n");
}

/* ---- lists of names ------------------------------------------------------------------------------ */

int names_add(struct names *names, const char *text, struct err *err)
{
    char *copy = mem_dup(text);
    if (!copy || mem_grow(&names->list, names->count + 1, &names->capacity, sizeof(char *)) != 0) {
        free(copy);
        return err_nomem(err);
    }
    names->list[names->count++] = copy;
    names->list[names->count] = NULL;
    return 0;
}

char **names_take(struct names *names)
{
    char **list = names->list ? names->list : mem_new(1, sizeof(char *));
    *names = (struct names){0};
    return list;
}

void names_release(struct names *names)
{
    names_free_list(names->list);
    *names = (struct names){0};
}

void names_free_list(char **list)
{
    for (char **name = list; name && *name; name++)
        free(*name);
    free(list);
}

/* ---- the result ---------------------------------------------------------------------------------- */

void look_release(struct look *look)
{
    struct names *lists[] = {&look->rows,    &look->elsewhere, &look->objects,
                             &look->missing, &look->hidden,    &look->invalid_indexes};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        names_release(lists[i]);
    free(look->server_version);
    free(look->user);
    free(look->user_ends);
    free(look->version_owner);
    *look = LOOK_INIT;
}

size_t look_objects(const struct look *look)
{
    const struct look_counts *c = &look->counts;
    return c->tables + c->views + c->sequences + c->types + c->functions;
}

/* One row of facts. */
struct fact {
    const char *cell[LOOK_COLUMNS]; /* the word and its texts, "" for NULL */
};

static bool is_true(const char *text)
{
    return str_eq(text, "true") || str_eq(text, "on");
}

static int read_count(const char *text, struct err *err, int64_t *out)
{
    if (str_to_int64(text, strlen(text), out) != 0)
        return err_set(err, ERR_DEFECT, "the look at the catalogs gave '%s' for a number", text);
    return 0;
}

static int copy_text(char **out, const char *text, struct err *err)
{
    char *copy = mem_dup(text);
    if (!copy)
        return err_nomem(err);
    free(*out);
    *out = copy;
    return 0;
}

static int take_session(struct look *look, const struct fact *f, struct err *err)
{
    int64_t pid;
    if (read_count(f->cell[3], err, &pid) != 0)
        return -1;
    look->backend_pid = (int)pid;
    look->in_recovery = is_true(f->cell[4]);
    look->read_only = look->in_recovery || is_true(f->cell[5]);
    look->may_create_schema = is_true(f->cell[6]);
    if (copy_text(&look->server_version, f->cell[1], err) != 0)
        return -1;
    return copy_text(&look->user, f->cell[2], err);
}

static int take_role(struct look *look, const struct fact *f, struct err *err)
{
    look->superuser = is_true(f->cell[1]);
    return *f->cell[2] ? copy_text(&look->user_ends, f->cell[2], err) : 0;
}

static int take_schema(struct look *look, const struct fact *f, struct err *err)
{
    (void)err; /* can't fail; the table below wants one shape */
    look->schema_exists = true;
    look->schema_usage = is_true(f->cell[1]);
    look->schema_create = is_true(f->cell[2]);
    return 0;
}

static int take_owner(struct look *look, const struct fact *f, struct err *err)
{
    (void)err; /* as above */
    look->owner_exists = true;
    look->owner_member = is_true(f->cell[1]);
    look->owner_may_create_schema = is_true(f->cell[2]);
    look->owner_schema_create = is_true(f->cell[3]);
    look->owner_settable = is_true(f->cell[4]);
    return 0;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "<row><h>6162</h></row>..." -> "ab", ... */
static int take_rows(struct look *look, const char *xml, struct err *err)
{
    for (const char *at = xml; (at = strstr(at, "<h>")) != NULL;) {
        AUTO_BUF id = BUF_INIT(ID_BYTES);
        for (at += strlen("<h>"); hex_value(at[0]) >= 0 && hex_value(at[1]) >= 0; at += 2)
            buf_addc(&id, (char)(hex_value(at[0]) * 16 + hex_value(at[1])));
        if (buf_check(&id, ERR_DB_STATE, "a row of the version table", err) != 0 ||
            names_add(&look->rows, buf_text(&id), err) != 0)
            return -1;
    }
    if (look->rows.count > LOOK_MAX_ROWS)
        return err_set(err, ERR_DB_STATE, "the version table has more than %d rows", LOOK_MAX_ROWS);
    return 0;
}

static int take_version(struct look *look, const struct fact *f, struct err *err)
{
    int64_t width = 0;
    if (*f->cell[3] && read_count(f->cell[3], err, &width) != 0)
        return -1;
    look->version_exists = true;
    look->version_is_alembics = is_true(f->cell[1]);
    look->version_readable = is_true(f->cell[2]);
    look->version_width = width > MODIFIER_HEADER ? (size_t)(width - MODIFIER_HEADER) : 0;
    if (copy_text(&look->version_owner, f->cell[4], err) != 0)
        return -1;
    return take_rows(look, f->cell[5], err);
}

static int add_qualified(struct names *to, const char *word, const char *schema, const char *name,
                         struct err *err)
{
    AUTO_BUF text = BUF_INIT(ID_BYTES);
    buf_addf(&text, "%s%s%s.%s", word, *word ? " " : "", schema, name);
    if (buf_check(&text, ERR_DEFECT, "an object's name", err) != 0)
        return -1;
    return names_add(to, buf_text(&text), err);
}

static int take_elsewhere(struct look *look, const struct fact *f, struct err *err)
{
    look->elsewhere_is_managed = look->elsewhere_is_managed || is_true(f->cell[3]);
    return add_qualified(&look->elsewhere, "", f->cell[1], f->cell[2], err);
}

static const struct {
    char kind; /* pg_class.relkind, and T and F for types and functions */
    const char *word;
    size_t offset; /* of its count */
} kinds[] = {
    {'r', "table", offsetof(struct look_counts, tables)},
    {'p', "partitioned table", offsetof(struct look_counts, tables)},
    {'f', "foreign table", offsetof(struct look_counts, tables)},
    {'v', "view", offsetof(struct look_counts, views)},
    {'m', "materialized view", offsetof(struct look_counts, views)},
    {'S', "sequence", offsetof(struct look_counts, sequences)},
    {'T', "type", offsetof(struct look_counts, types)},
    {'F', "function", offsetof(struct look_counts, functions)},
};

static int unknown_kind(const char *kind, struct err *err)
{
    return err_set(err, ERR_DEFECT, "the look at the catalogs gave an object of kind '%s'", kind);
}

static int take_counts(struct look *look, const struct fact *f, struct err *err)
{
    int64_t count;
    if (read_count(f->cell[2], err, &count) != 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (f->cell[1][0] == kinds[i].kind) {
            size_t *total = (size_t *)(void *)((char *)&look->counts + kinds[i].offset);
            *total += (size_t)count;
            return 0;
        }
    return unknown_kind(f->cell[1], err);
}

static int take_object(struct look *look, const struct fact *f, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (f->cell[1][0] == kinds[i].kind)
            return add_qualified(&look->objects, kinds[i].word, f->cell[2], f->cell[3], err);
    return unknown_kind(f->cell[1], err);
}

static int take_hidden(struct look *look, const struct fact *f, struct err *err)
{
    return names_add(&look->hidden, f->cell[1], err);
}

static int take_index(struct look *look, const struct fact *f, struct err *err)
{
    return add_qualified(&look->invalid_indexes, "", f->cell[1], f->cell[2], err);
}

static int take_missing(struct look *look, const struct fact *f, struct err *err)
{
    return names_add(&look->missing, f->cell[1], err);
}

static int take_fact(struct look *look, const struct fact *f, struct err *err)
{
    static const struct {
        const char *word;
        int (*take)(struct look *look, const struct fact *f, struct err *err);
    } facts[] = {
        {"session", take_session}, {"role", take_role},       {"schema", take_schema},
        {"owner", take_owner},     {"version", take_version}, {"elsewhere", take_elsewhere},
        {"count", take_counts},    {"object", take_object},   {"hidden", take_hidden},
        {"index", take_index},     {"missing", take_missing},
    };
    for (size_t i = 0; i < ARRAY_LEN(facts); i++)
        if (str_eq(f->cell[0], facts[i].word))
            return facts[i].take(look, f, err);
    return err_set(err, ERR_DEFECT, "the look at the catalogs gave '%s'", f->cell[0]);
}

int state_look_read(const struct db_results *results, size_t first, struct look *out,
                    struct err *err)
{
    AUTO_LOOK look = LOOK_INIT;
    if (first >= results->count || results->list[first].column_count != LOOK_COLUMNS)
        return err_set(err, ERR_DEFECT, "the look at the catalogs is not result %zu", first);
    const struct db_rows *rows = &results->list[first];
    for (size_t r = 0; r < rows->row_count; r++) {
        struct fact f;
        for (size_t c = 0; c < LOOK_COLUMNS; c++)
            f.cell[c] = db_cell(rows, r, c);
        if (take_fact(&look, &f, err) != 0)
            return -1;
    }
    if (!look.user)
        return err_set(err, ERR_DEFECT, "the look at the catalogs says nothing of the session");
    *out = look;
    look = LOOK_INIT; /* moved */
    return 0;
}
