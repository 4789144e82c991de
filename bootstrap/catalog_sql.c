/* bootstrap/catalog_sql.c: the catalog's message: transaction, settings, what all statements share.
 *
 * Names are not qualified: search_path is pg_catalog with pg_temp behind it, so nobody's relations,
 * functions and operators can be in the way, and deparsed names of users' objects are qualified. */
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "bootstrap/catalog_internal.h"
#include "bootstrap/internal.h"

/* What changes how expressions and values are written is fixed. jit: the planner takes the
 * statements for expensive ones, and compiling them would cost more than running them. */
static const char settings_sql[] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n"
                                   "SET LOCAL search_path = pg_catalog, pg_temp;\n"
                                   "SET LOCAL datestyle = 'ISO, YMD';\n"
                                   "SET LOCAL intervalstyle = 'postgres';\n"
                                   "SET LOCAL timezone = 'UTC';\n"
                                   "SET LOCAL bytea_output = 'hex';\n"
                                   "SET LOCAL extra_float_digits = 1;\n"
                                   "SET LOCAL quote_all_identifiers = off;\n"
                                   "SET LOCAL standard_conforming_strings = on;\n"
                                   "SET LOCAL jit = off;\n";

/* ---- phrases: words that stand for a text ---------------------------------------------------- */

/* $1 to $4 are the arguments, cut at '|' where there is more than one. */
static const struct phrase {
    const char *word, *text;
} phrases[] = {
    /* a role's name; the own login by one word */
    {"role", "CASE WHEN $1 = (SELECT me.oid FROM me) THEN '(own login)' WHEN $1 = 0 THEN 'PUBLIC'"
             " ELSE quote_ident(pg_get_userbyid($1)) END"},
    /* an array of options as sorted text; NULL where there is none, which costs nothing */
    {"options", "CASE WHEN $1 IS NOT NULL THEN (SELECT string_agg(o, ', ' ORDER BY o COLLATE \"C\")"
                " FROM unnest($1) o) END"},
    /* the same of a foreign object: values of what sounds like a secret stay on the server */
    {"foreign", "CASE WHEN $1 IS NOT NULL THEN (SELECT string_agg(CASE WHEN o ~* {secret}"
                " THEN split_part(o, '=', 1) || ' (not shown)' ELSE o END, ', ' ORDER BY o COLLATE "
                "\"C\") FROM unnest($1) o) END"},
    {"secret", "'^[^=]*(pass|secret|token|key|credential|auth)'"},
    {"zone", "E'\\x01' || ($1) || E'\\x02'"},
    {"tablespace",
     "CASE WHEN $1 <> 0 THEN 'tablespace ' || (SELECT quote_ident(s.spcname) FROM pg_tablespace s"
     " WHERE s.oid = $1) END"},
    {"collate", "CASE WHEN $1 <> $2 THEN 'collate ' || (SELECT quote_ident(n.nspname) || '.' ||"
                " quote_ident(l.collname) FROM pg_collation l JOIN pg_namespace n"
                " ON n.oid = l.collnamespace WHERE l.oid = $1) END"},
    /* of a NOT NULL: the name that somebody gave it; its comment beside the column's or domain's */
    {"given-not-null", "CASE WHEN right(rtrim($1.conname, '0123456789'), 9) <> '_not_null'"
                       " THEN '(constraint ' || quote_ident($1.conname) || ')' END"},
    {"with-not-null", "NULLIF(concat_ws(chr(10), d.description, $1.description), '')"},
    {"enabled", "CASE $1 WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'enabled on replicas'"
                " WHEN 'A' THEN 'enabled always' END"},
    {"right", "x.privilege_type || CASE WHEN x.is_grantable THEN ' with grant option' ELSE '' END"},
    /* who has what by a list of rights, in one text */
    {"rights-of", "(SELECT string_agg(g.grantee || ' has ' || g.rights, ', ' ORDER BY g.grantee"
                  " COLLATE \"C\") AS rights FROM (SELECT {role x.grantee} AS grantee,"
                  " string_agg(DISTINCT ({right}) COLLATE \"C\", ' and ') AS rights"
                  " FROM aclexplode($1) x GROUP BY 1) g)"},
    {"database", "(SELECT oid FROM pg_database WHERE datname = current_database())"},

    /* the comment on object $2 of catalog $1, joined as d */
    {"comment", "LEFT JOIN pg_description d ON d.objoid = $2 AND d.classoid = '$1'::regclass"
                " AND d.objsubid = 0"},
    /* not what CREATE EXTENSION made; whole: nor a part of another object, as a row type is */
    {"ours", "NOT EXISTS (SELECT FROM pg_depend m WHERE m.classid = '$1'::regclass"
             " AND m.objid = $2 AND m.objsubid = 0 AND m.deptype = 'e')"},
    {"whole", "NOT EXISTS (SELECT FROM pg_depend m WHERE m.classid = '$1'::regclass"
              " AND m.objid = $2 AND m.objsubid = 0 AND m.deptype IN ('e', 'i'))"},

    /* made by initdb, or by an extension that is looked at; of the information schema's rights no
     * record is kept */
    {"brought",
     "($3 = 'pg_catalog'::regnamespace AND (SELECT scope.is_whole FROM scope)"
     " OR $3 <> 'information_schema'::regnamespace AND NOT {ours $1|$2} AND"
     " ((SELECT scope.is_whole FROM scope) OR EXISTS (SELECT FROM ns WHERE ns.oid = $3)))"},

    /* own: sequences that belong to a column; a serial's by deptype a, an identity's by i. It goes
     * before the statements that need it and no others: a CTE that is named twice is not inlined */
    {"owned",
     ", own AS (SELECT p.objid AS sequence, p.deptype, rel.oid AS table_oid, a.attnum, rel.kind,"
     " rel.name AS relation, rel.relname, a.attname,"
     " rel.name || '.' || quote_ident(a.attname) AS name"
     " FROM pg_depend p JOIN rel ON rel.oid = p.refobjid"
     " JOIN pg_attribute a ON a.attrelid = p.refobjid AND a.attnum = p.refobjsubid"
     " WHERE p.classid = 'pg_class'::regclass AND p.refclassid = 'pg_class'::regclass"
     " AND p.objsubid = 0 AND p.refobjsubid > 0 AND p.deptype IN ('a', 'i'))"},

    /* the last eight cells of what stands alone, and of a part: parent's kind, parent, word,
     * table */
    {"alone", "NULL, NULL, $1, NULL, NULL, NULL, NULL, NULL"},
    {"part", "$1, $2, $3, $4, NULL, NULL, NULL, NULL"},
    {"type", "SELECT 'type', ns.name || '.' || quote_ident(t.typname), concat_ws(', ',"},
    {"end-type", ", 'owner ' || {role t.typowner}), d.description, {alone t.typname}"},

    /* a word for one, a word for several, and how many; what initdb made lies below oid 16384 */
    {"count", "SELECT '$1' AS one, '$2' AS several, count(*) AS n $3"},
    {"count-global", "{count $1|$2|FROM $3 o WHERE o.oid >= 16384 AND {whole $3|o.oid}} UNION ALL"},
    {"count-named",
     "{count $1|$2|FROM $3 o JOIN ns ON ns.oid = o.$4 WHERE {ours $3|o.oid}} UNION ALL"},
};

enum { MAX_ARGUMENTS = 4, MAX_DEPTH = 8 };

struct span {
    const char *text;
    size_t length;
};

static void expand(struct span in, int version, int depth, struct buf *out);

/* Where the brace is that closes the one that TEXT starts behind; LENGTH where there is none. */
static size_t closing(const char *text, size_t length)
{
    size_t depth = 1;
    for (size_t i = 0; i < length; i++) {
        depth += text[i] == '{';
        depth -= text[i] == '}';
        if (depth == 0)
            return i;
    }
    return length;
}

static size_t split(struct span body, struct span arguments[static MAX_ARGUMENTS], size_t wanted)
{
    size_t count = 0;
    for (; count + 1 < wanted; count++) {
        const char *bar = memchr(body.text, '|', body.length);
        if (!bar)
            break;
        arguments[count] = (struct span){body.text, (size_t)(bar - body.text)};
        body.length -= (size_t)(bar - body.text) + 1;
        body.text = bar + 1;
    }
    arguments[count++] = body;
    return count;
}

static void add_phrase(const struct phrase *t, struct span body, int version, int depth,
                       struct buf *out)
{
    struct span arguments[MAX_ARGUMENTS];
    size_t wanted = 1;
    AUTO_BUF text = BUF_INIT(LOOK_SQL_BYTES);
    for (const char *p = t->text; (p = strchr(p, '$')) != NULL; p++)
        if ((size_t)(p[1] - '0') > wanted)
            wanted = (size_t)(p[1] - '0');
    size_t count = split(body, arguments, wanted);
    for (const char *p = t->text; *p; p++) {
        size_t number = *p == '$' ? (size_t)(p[1] - '0') : 0;
        if (number == 0 || number > count) {
            buf_addc(&text, *p);
            continue;
        }
        buf_add(&text, arguments[number - 1].text, arguments[number - 1].length);
        p++;
    }
    if (text.no_memory || text.too_long) {
        out->no_memory |= text.no_memory;
        out->too_long |= text.too_long;
        return;
    }
    expand((struct span){buf_text(&text), text.len}, version, depth + 1, out);
}

/* "15", "15-16" or "-16" */
static bool is_for_version(struct span word, int version)
{
    int major = version / 10000, since = 0, until = 0;
    size_t i = 0;
    for (; i < word.length && word.text[i] != '-'; i++)
        since = since * 10 + (word.text[i] - '0');
    for (i++; i < word.length; i++)
        until = until * 10 + (word.text[i] - '0');
    return major >= since && (until == 0 || major <= until);
}

static void add_word(struct span inside, int version, int depth, struct buf *out)
{
    const char *blank = memchr(inside.text, ' ', inside.length);
    size_t length = blank ? (size_t)(blank - inside.text) : inside.length;
    struct span word = {inside.text, length};
    struct span body = {inside.text + length + (blank != NULL),
                        inside.length - length - (blank != NULL)};
    if (strchr("-0123456789", inside.text[0])) {
        if (is_for_version(word, version))
            expand(body, version, depth + 1, out);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(phrases); i++)
        if (strlen(phrases[i].word) == length && memcmp(phrases[i].word, word.text, length) == 0) {
            add_phrase(&phrases[i], body, version, depth, out);
            return;
        }
    buf_addf(out, "{%.*s}", (int)inside.length, inside.text); /* the server will say what it is */
}

static void expand(struct span in, int version, int depth, struct buf *out)
{
    while (in.length > 0 && depth <= MAX_DEPTH) {
        const char *open = memchr(in.text, '{', in.length);
        size_t before = open ? (size_t)(open - in.text) : in.length;
        buf_add(out, in.text, before);
        in.text += before;
        in.length -= before;
        if (!open)
            return;
        size_t inside = closing(in.text + 1, in.length - 1);
        if (inside == in.length - 1) {
            buf_add(out, in.text, in.length);
            return;
        }
        add_word((struct span){in.text + 1, inside}, version, depth, out);
        in.text += inside + 2;
        in.length -= inside + 2;
    }
}

static void add_expanded(const char *text, int version, struct buf *out)
{
    expand((struct span){text, strlen(text)}, version, 0, out);
}

/* ---- what every statement starts with --------------------------------------------------------
 *
 * Names of the contract stand in it: it is not a template. */

/* me: the login, where it is not the owner. scope: whether every schema is managed. ns: those that
 * are. */
static void add_scope(const struct database_settings *s, int version, struct buf *out)
{
    buf_adds(out, "WITH me AS MATERIALIZED (SELECT r.oid FROM pg_roles r\n"
                  " WHERE r.rolname = session_user");
    if (s->owner) {
        buf_adds(out, " AND r.rolname <> ");
        db_add_literal(out, s->owner);
    }
    buf_addf(out, "),\nscope AS (SELECT %s AS is_whole),\n",
             s->schemas && s->schemas[0] ? "false" : "true");
    buf_adds(out, "ns AS MATERIALIZED (SELECT n.oid, n.nspname, quote_ident(n.nspname) AS name,\n"
                  " n.nspowner, n.nspacl FROM pg_namespace n\n"
                  " WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'");
    for (size_t i = 0; s->schemas && s->schemas[i]; i++) {
        buf_adds(out, i ? ", " : "\n  AND n.nspname IN (");
        db_add_literal(out, s->schemas[i]);
        if (!s->schemas[i + 1])
            buf_addc(out, ')');
    }
    add_expanded("\n AND {ours pg_namespace|n.oid}),\n", version, out);
}

/* rel: tables and what is like one, without the version table. */
static void add_relations(const struct database_settings *s, int version, struct buf *out)
{
    buf_adds(out,
             "rel AS (SELECT c.oid, c.relname, c.relkind, c.relpersistence, c.relowner, c.relam,\n"
             " c.reltoastrelid, c.reloptions, c.reltablespace, c.reloftype, c.relrowsecurity,\n"
             " c.relforcerowsecurity, c.relreplident, c.relispartition, c.relispopulated,\n"
             " c.relpartbound, c.relacl, ns.name || '.' || quote_ident(c.relname) AS name,\n"
             " CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'\n"
             "  WHEN 'f' THEN 'foreign table' WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind\n"
             " FROM pg_class c JOIN ns ON ns.oid = c.relnamespace\n"
             " WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S') AND c.relpersistence <> 't'\n"
             " AND NOT (c.relkind <> 'S' AND ns.nspname = ");
    db_add_literal(out, s->schema);
    buf_adds(out, " AND c.relname = ");
    db_add_literal(out, s->table);
    add_expanded(")\n AND {ours pg_class|c.oid})", version, out);
}

/* ---- the message ----------------------------------------------------------------------------- */

void catalog_add_sql(const struct database_settings *settings, int server_version, struct buf *out)
{
    const char *const *const parts[] = {catalog_relation_statements, catalog_code_statements,
                                        catalog_database_statements, catalog_grant_statements};
    AUTO_BUF scope = BUF_INIT(LOOK_SQL_BYTES);

    add_scope(settings, server_version, &scope);
    add_relations(settings, server_version, &scope);
    out->no_memory |= scope.no_memory;
    out->too_long |= scope.too_long;
    buf_adds(out, settings_sql);
    buf_addf(out,
             "SET LOCAL statement_timeout = %" PRId64 ";\nSET LOCAL lock_timeout = %" PRId64 ";\n",
             settings->statement_timeout_ms, settings->lock_timeout_ms);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        for (const char *const *statement = parts[i]; *statement; statement++) {
            buf_adds(out, buf_text(&scope));
            add_expanded(*statement, server_version, out);
            buf_adds(out, ";\n");
        }
    buf_adds(out, "COMMIT;\n");
}
