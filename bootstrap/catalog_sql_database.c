/* bootstrap/catalog_sql_database.c: schemas and what belongs to the database as a whole; what is
 * there and not compared. The columns are those of CATALOG_COLUMNS, the words in braces
 * catalog_sql.c's. */
#include "bootstrap/catalog_internal.h"

static const char schemas_sql[] =
    "SELECT 'schema', ns.name, 'owner ' || {role ns.nspowner}, d.description,\n"
    "{alone ns.nspname}\n"
    "FROM ns\n"
    "{comment pg_namespace|ns.oid}\n";

/* Another version is a textual difference: the zone is what may differ. */
static const char extensions_sql[] =
    "SELECT 'extension', quote_ident(x.extname), 'in schema ' || quote_ident(n.nspname)\n"
    " || ', version ' || {zone x.extversion}, d.description,\n"
    "{alone x.extname}\n"
    "FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace\n"
    "{comment pg_extension|x.oid}\n"
    "WHERE n.nspname = 'pg_catalog' OR (SELECT scope.is_whole FROM scope)\n"
    " OR EXISTS (SELECT FROM ns WHERE ns.oid = n.oid)";

static const char collations_sql[] =
    "SELECT 'collation', ns.name || '.' || quote_ident(l.collname), concat_ws(', ',\n"
    " 'provider ' || l.collprovider::text, 'collate ' || l.collcollate, 'ctype ' || l.collctype,\n"
    "{15-16 'locale ' || l.colliculocale,}\n"
    "{17 'locale ' || l.colllocale,}\n"
    "{16 'rules ' || l.collicurules,}\n"
    " CASE WHEN NOT l.collisdeterministic THEN 'not deterministic' END,\n"
    " 'owner ' || {role l.collowner}), d.description,\n"
    "{alone l.collname}\n"
    "FROM pg_collation l JOIN ns ON ns.oid = l.collnamespace\n"
    "{comment pg_collation|l.oid}\n"
    "WHERE {ours pg_collation|l.oid}";

static const char publications_sql[] =
    "SELECT 'publication', quote_ident(p.pubname), concat_ws(', ',\n"
    " CASE WHEN p.puballtables THEN 'for all tables' END,\n"
    " 'publish' || CASE WHEN p.pubinsert THEN ' insert' ELSE '' END\n"
    "  || CASE WHEN p.pubupdate THEN ' update' ELSE '' END\n"
    "  || CASE WHEN p.pubdelete THEN ' delete' ELSE '' END\n"
    "  || CASE WHEN p.pubtruncate THEN ' truncate' ELSE '' END,\n"
    "{13 CASE WHEN p.pubviaroot THEN 'via the partition root' END,}\n"
    "{18 CASE p.pubgencols WHEN 's' THEN 'stored generated columns' END,}\n"
    "{15 'schemas (' || (SELECT string_agg(quote_ident(n.nspname), ', ' ORDER BY n.nspname\n"
    "  COLLATE \"C\") FROM pg_publication_namespace t JOIN pg_namespace n ON n.oid = t.pnnspid\n"
    "  WHERE t.pnpubid = p.oid) || ')',}\n"
    " 'tables (' || (SELECT string_agg(t.prrelid::regclass::text\n"
    "  {15 || COALESCE(' (' || (SELECT string_agg(quote_ident(a.attname), ', '\n"
    "   ORDER BY a.attnum)\n"
    "   FROM unnest(t.prattrs::int2[]) n (number) JOIN pg_attribute a ON a.attrelid = t.prrelid\n"
    "   AND a.attnum = n.number) || ')', '')\n"
    "  || COALESCE(' where ' || pg_get_expr(t.prqual, t.prrelid), '')}\n"
    "  , ', ' ORDER BY t.prrelid::regclass::text COLLATE \"C\")\n"
    "  FROM pg_publication_rel t WHERE t.prpubid = p.oid) || ')',\n"
    " 'owner ' || {role p.pubowner}), d.description,\n"
    "{alone p.pubname}\n"
    "FROM pg_publication p\n"
    "{comment pg_publication|p.oid}\n";

/* Where it subscribes to (a password is often in it) is not even read; nor is the oid, which not
 * every role may read, and with it the comment. */
static const char subscriptions_sql[] =
    "SELECT 'subscription', quote_ident(s.subname), concat_ws(', ',\n"
    " CASE WHEN s.subenabled THEN 'enabled' ELSE 'disabled' END,\n"
    " 'slot ' || quote_ident(s.subslotname), 'synchronous commit ' || s.subsynccommit,\n"
    "{14 CASE WHEN s.subbinary THEN 'binary' END, 'streaming ' || s.substream::text,}\n"
    "{15 CASE WHEN s.subtwophasestate <> 'd' THEN 'two phases' END,\n"
    " CASE WHEN s.subdisableonerr THEN 'disabled on error' END,}\n"
    "{16 'origin ' || s.suborigin, CASE WHEN NOT s.subpasswordrequired THEN 'without a password'\n"
    " END, CASE WHEN s.subrunasowner THEN 'run as its owner' END,}\n"
    "{17 CASE WHEN s.subfailover THEN 'failover' END,}\n"
    " 'publications (' || (SELECT string_agg(quote_ident(p), ', ' ORDER BY p COLLATE \"C\")\n"
    "  FROM unnest(s.subpublications) p) || ')',\n"
    " 'owner ' || {role s.subowner}), NULL,\n"
    "{alone s.subname}\n"
    "FROM pg_subscription s WHERE s.subdbid = {database}";

static const char wrappers_sql[] =
    "SELECT 'foreign data wrapper', quote_ident(w.fdwname), concat_ws(', ',\n"
    " 'handler ' || NULLIF(w.fdwhandler, 0)::regproc,\n"
    " 'validator ' || NULLIF(w.fdwvalidator, 0)::regproc,\n"
    " 'options (' || {foreign w.fdwoptions} || ')',\n"
    " 'owner ' || {role w.fdwowner}), d.description,\n"
    "{alone w.fdwname}\n"
    "FROM pg_foreign_data_wrapper w\n"
    "{comment pg_foreign_data_wrapper|w.oid}\n"
    "WHERE {ours pg_foreign_data_wrapper|w.oid}";

static const char servers_sql[] =
    "SELECT 'foreign server', quote_ident(s.srvname), concat_ws(', ',\n"
    " 'wrapper ' || quote_ident(w.fdwname), 'type ' || s.srvtype, 'version ' || s.srvversion,\n"
    " 'options (' || {foreign s.srvoptions} || ')',\n"
    " 'owner ' || {role s.srvowner}), d.description,\n"
    "{alone s.srvname}\n"
    "FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw\n"
    "{comment pg_foreign_server|s.oid}\n"
    "WHERE {ours pg_foreign_server|s.oid}";

/* Only that they are there. */
static const char mappings_sql[] =
    "SELECT 'user mapping', quote_ident(m.srvname) || ' for ' || {role m.umuser},\n"
    " 'user mapping', NULL, 'foreign server', quote_ident(m.srvname), m.srvname,\n"
    " NULL, NULL, NULL,\n"
    " NULL, NULL FROM pg_user_mappings m";

/* Settings of the database and its rights: the same in two scratch databases, the administrator's
 * in a real one. A setting with a dot in its name is an application's: its value stays on the
 * server. */
static const char context_sql[] =
    "SELECT '#context', NULL, concat_ws(', ',\n"
    " 'PostgreSQL ' || current_setting('server_version'),\n"
    " 'encoding ' || pg_encoding_to_char(b.encoding), 'collate ' || b.datcollate,\n"
    " 'ctype ' || b.datctype,\n"
    "{15 'locale provider ' || b.datlocprovider::text,}\n"
    "{15-16 'locale ' || b.daticulocale,}\n"
    "{17 'locale ' || b.datlocale,}\n"
    "{16 'rules ' || b.daticurules,}\n"
    " CASE WHEN b.datconnlimit >= 0 THEN 'connection limit ' || b.datconnlimit END,\n"
    " (SELECT string_agg(\n"
    "  CASE WHEN s.setrole = 0 THEN '' ELSE 'for ' || {role s.setrole} || ' ' END\n"
    "  || CASE WHEN strpos(split_part(c.setting, '=', 1), '.') > 0\n"
    "  THEN split_part(c.setting, '=', 1) || ' (not shown)' ELSE c.setting END, ', '\n"
    "  ORDER BY s.setrole, c.setting COLLATE \"C\")\n"
    "  FROM pg_db_role_setting s, unnest(s.setconfig) c (setting) WHERE s.setdatabase = b.oid),\n"
    " (SELECT string_agg(g.grantee || ' has ' || g.rights, ', '\n"
    "  ORDER BY g.grantee COLLATE \"C\")\n"
    "  FROM (SELECT {role x.grantee} AS grantee, string_agg(DISTINCT x.privilege_type\n"
    "   || CASE WHEN x.is_grantable THEN ' with grant option' ELSE '' END, ' and ') AS rights\n"
    "   FROM aclexplode(COALESCE(b.datacl, acldefault('d', b.datdba))) x\n"
    "   WHERE x.grantee <> b.datdba GROUP BY 1) g),\n"
    " 'comment ' || quote_literal(o.description)),\n"
    " NULL, {alone NULL}\n"
    "FROM pg_database b LEFT JOIN pg_shdescription o ON o.objoid = b.oid\n"
    " AND o.classoid = 'pg_database'::regclass\n"
    " AND NOT starts_with(o.description, '" SCRATCH_COMMENT_PREFIX "')\n"
    "WHERE b.datname = current_database()";

/* What is there and is not compared: a word for one, how many, a word for several. */
static const char uncounted_sql[] =
    "SELECT '#uncounted', c.one, c.n, NULL, NULL, c.several, NULL, NULL, NULL, NULL, NULL, NULL\n"
    "FROM ({count-global cast|casts|pg_cast}\n"
    "{count-global language|languages|pg_language}\n"
    "{count-global access method|access methods|pg_am}\n"
    "{count-global transform|transforms|pg_transform}\n"
    "{count-named conversion|conversions|pg_conversion|connamespace}\n"
    "{count-named operator|operators|pg_operator|oprnamespace}\n"
    "{count-named operator class|operator classes|pg_opclass|opcnamespace}\n"
    "{count-named operator family|operator families|pg_opfamily|opfnamespace}\n"
    "{count-named text search configuration|text search "
    "configurations|pg_ts_config|cfgnamespace}\n"
    "{count-named text search dictionary|text search dictionaries|pg_ts_dict|dictnamespace}\n"
    "{count-named text search parser|text search parsers|pg_ts_parser|prsnamespace}\n"
    "{count-named text search template|text search templates|pg_ts_template|tmplnamespace}\n"
    "{count large object|large objects|FROM pg_largeobject_metadata}\n"
    " UNION ALL {count security label|security labels|FROM pg_seclabel}\n"
    " UNION ALL {count user mapping''s options|user mappings'' options|FROM pg_user_mappings}\n"
    " UNION ALL {count subscription''s connection and comment|subscriptions'' "
    "connections and comments|\n"
    "  FROM pg_subscription WHERE subdbid = {database}}\n"
    " UNION ALL {count application''s setting|applications'' settings|\n"
    "  FROM pg_db_role_setting s, unnest(s.setconfig) c (setting)\n"
    "  WHERE s.setdatabase = {database} AND strpos(split_part(c.setting, '=', 1), '.') > 0}\n"
    " UNION ALL {count foreign option''s secret|foreign options'' secrets|\n"
    "  FROM (SELECT unnest(fdwoptions) AS option FROM pg_foreign_data_wrapper\n"
    "   UNION ALL SELECT unnest(srvoptions) FROM pg_foreign_server\n"
    "   UNION ALL SELECT unnest(ftoptions) FROM pg_foreign_table\n"
    "   UNION ALL SELECT unnest(attfdwoptions) FROM pg_attribute\n"
    "    WHERE attfdwoptions IS NOT NULL) f\n"
    "  WHERE f.option ~* {secret}}) c\n"
    "WHERE c.n > 0 ORDER BY c.one COLLATE \"C\"";

const char *const catalog_database_statements[] = {
    schemas_sql,       extensions_sql, collations_sql, publications_sql,
    subscriptions_sql, wrappers_sql,   servers_sql,    mappings_sql,
    context_sql,       uncounted_sql,  NULL,
};
