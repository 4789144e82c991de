/* bootstrap/catalog_sql_grant.c: who may do what.
 *
 * The columns are those of CATALOG_COLUMNS, the words in braces are catalog_sql.c's. A NULL list of
 * rights is the default one. What an owner has by being the owner is left out; that an owner has
 * less (or more) than that is a row of its own. */
#include "bootstrap/catalog_internal.h"

/* acl: an object's words, its owner, the letter of its kind for acldefault, its rights. Relations
 * and columns have no default rights but their owner's, so that a NULL list says nothing. A
 * sequence that belongs to a column goes by the column's name: its own may be automatic. */
static const char grants_sql[] =
    "{owned}, acl (object, parent_kind, parent, word, owner, letter, rights) AS (\n"
    " SELECT CASE WHEN own.name IS NULL THEN rel.kind || ' ' || rel.name\n"
    "   ELSE 'sequence of ' || own.name END, COALESCE(own.kind, rel.kind),\n"
    "  COALESCE(own.relation, rel.name), rel.relname, rel.relowner,\n"
    "  CASE rel.relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\", rel.relacl\n"
    " FROM rel LEFT JOIN own ON own.sequence = rel.oid\n"
    " WHERE rel.relacl IS NOT NULL\n"
    " UNION ALL SELECT 'column ' || rel.name || '.' || quote_ident(a.attname),\n"
    "  rel.kind, rel.name,\n"
    "  rel.relname, rel.relowner, 'c', a.attacl\n"
    " FROM pg_attribute a JOIN rel ON rel.oid = a.attrelid\n"
    " WHERE a.attacl IS NOT NULL AND NOT a.attisdropped\n"
    " UNION ALL SELECT 'schema ' || ns.name, 'schema', ns.name, ns.nspname, ns.nspowner, 'n',\n"
    "  ns.nspacl FROM ns\n"
    " UNION ALL SELECT k.kind || ' ' || k.name, k.kind, k.name, p.proname,\n"
    "  p.proowner, 'f', p.proacl\n"
    " FROM pg_proc p JOIN ns ON ns.oid = p.pronamespace, LATERAL (SELECT\n"
    "  p.oid::regprocedure::text\n"
    "  AS name, CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate'\n"
    "  ELSE 'function' END AS kind) k WHERE {whole pg_proc|p.oid}\n"
    " UNION ALL SELECT 'type ' || ns.name || '.' || quote_ident(t.typname), 'type',\n"
    "  ns.name || '.' || quote_ident(t.typname), t.typname, t.typowner, 'T', t.typacl\n"
    " FROM pg_type t JOIN ns ON ns.oid = t.typnamespace WHERE {whole pg_type|t.oid}\n"
    " UNION ALL SELECT 'foreign data wrapper ' || quote_ident(w.fdwname),\n"
    "  'foreign data wrapper',\n"
    "  quote_ident(w.fdwname), w.fdwname, w.fdwowner, 'F', w.fdwacl\n"
    " FROM pg_foreign_data_wrapper w\n"
    " WHERE {ours pg_foreign_data_wrapper|w.oid}\n"
    " UNION ALL SELECT 'foreign server ' || quote_ident(s.srvname), 'foreign server',\n"
    "  quote_ident(s.srvname), s.srvname, s.srvowner, 'S', s.srvacl FROM pg_foreign_server s\n"
    " WHERE {ours pg_foreign_server|s.oid})\n"
    "SELECT 'grant', acl.object || ' to ' || {role x.grantee},\n"
    " string_agg(DISTINCT ({right} || CASE WHEN x.grantor = acl.owner THEN ''\n"
    "  ELSE ' by ' || {role x.grantor} END) COLLATE \"C\", ', '), NULL,\n"
    " {part acl.parent_kind|acl.parent|acl.word|NULL}\n"
    "FROM acl, aclexplode(COALESCE(acl.rights, acldefault(acl.letter, acl.owner))) x\n"
    "WHERE x.grantee <> acl.owner\n"
    "GROUP BY acl.object, acl.parent_kind, acl.parent, acl.word, x.grantee\n"
    "UNION ALL\n"
    "SELECT 'grant', acl.object || ' to its owner', COALESCE(has.rights, 'nothing'), NULL,\n"
    " {part acl.parent_kind|acl.parent|acl.word|NULL}\n"
    "FROM acl, LATERAL (SELECT string_agg(DISTINCT ({right}) COLLATE \"C\", ', ') AS rights\n"
    "  FROM aclexplode(acl.rights) x WHERE x.grantee = acl.owner) has,\n"
    " LATERAL (SELECT string_agg(DISTINCT ({right}) COLLATE \"C\", ', ') AS rights\n"
    "  FROM aclexplode(acldefault(acl.letter, acl.owner)) x WHERE x.grantee = acl.owner) usual\n"
    "WHERE acl.rights IS NOT NULL AND has.rights IS DISTINCT FROM usual.rights";

static const char defaults_sql[] =
    "SELECT 'default privileges', 'of ' || {role p.defaclrole} || ' in '\n"
    " || COALESCE('schema ' || ns.name, 'every schema') || ' on '\n"
    " || CASE p.defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN\n"
    "  'functions' WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas' ELSE 'large objects' END,\n"
    " COALESCE((SELECT string_agg(g.grantee || ' has ' || g.rights, ', '\n"
    "   ORDER BY g.grantee COLLATE \"C\")\n"
    "  FROM (SELECT {role x.grantee} AS grantee,\n"
    "   string_agg(DISTINCT ({right}) COLLATE \"C\", ' and ') AS rights\n"
    "   FROM aclexplode(p.defaclacl) x GROUP BY 1) g), 'nobody has anything'),\n"
    " NULL, {alone ns.nspname}\n"
    "FROM pg_default_acl p LEFT JOIN ns ON ns.oid = p.defaclnamespace\n"
    "WHERE p.defaclnamespace = 0 OR ns.oid IS NOT NULL";

/* What PostgreSQL or an extension has brought is nobody's to compare, but the rights on it are:
 * those that are others than were brought with it (pg_init_privs; no row: the default ones). All of
 * an object's in one row, so that one that was taken away shows. A kind of its own: in a real
 * database they are the administrator's. */
static const char delivered_sql[] =
    ", brought (catalog, object, word, owner, letter, rights, oid) AS (\n"
    " SELECT 'pg_proc'::regclass, CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN "
    "'aggregate'\n"
    "  ELSE 'function' END || ' ' || p.oid::regprocedure, p.proname, p.proowner, 'f'::\"char\",\n"
    "  p.proacl, p.oid\n"
    " FROM pg_proc p WHERE p.proacl IS NOT NULL AND {brought pg_proc|p.oid|p.pronamespace}\n"
    " UNION ALL SELECT 'pg_class'::regclass, CASE c.relkind WHEN 'v' THEN 'view'\n"
    "  WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' WHEN 'S' THEN 'sequence'\n"
    "  ELSE 'table' END || ' ' || c.oid::regclass, c.relname, c.relowner,\n"
    "  CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\", c.relacl, c.oid\n"
    " FROM pg_class c WHERE c.relacl IS NOT NULL AND c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S')\n"
    "  AND {brought pg_class|c.oid|c.relnamespace}\n"
    " UNION ALL SELECT 'pg_language'::regclass, 'language ' || quote_ident(l.lanname), l.lanname,\n"
    "  l.lanowner, 'l', l.lanacl, l.oid\n"
    " FROM pg_language l WHERE l.lanacl IS NOT NULL AND (SELECT scope.is_whole FROM scope))\n"
    "SELECT 'rights', b.object, COALESCE(has.rights, 'nobody has anything'),\n"
    " NULL, {alone b.word}\n"
    "FROM brought b LEFT JOIN pg_init_privs ip ON ip.objoid = b.oid AND ip.classoid = b.catalog\n"
    " AND ip.objsubid = 0,\n"
    " LATERAL {rights-of b.rights} has,\n"
    " LATERAL {rights-of COALESCE(ip.initprivs, acldefault(b.letter, b.owner))} was\n"
    "WHERE b.rights::text IS DISTINCT FROM ip.initprivs::text\n"
    " AND has.rights IS DISTINCT FROM was.rights";

const char *const catalog_grant_statements[] = {grants_sql, defaults_sql, delivered_sql, NULL};
