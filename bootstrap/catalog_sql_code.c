/* bootstrap/catalog_sql_code.c: types, functions, and what acts by itself: rules, triggers,
 * policies. The columns are those of CATALOG_COLUMNS, the words in braces are catalog_sql.c's. */
#include "bootstrap/catalog_internal.h"

static const char enums_sql[] =
    "{type}\n"
    " 'enum (' || COALESCE((SELECT string_agg(quote_literal(e.enumlabel), ', '\n"
    "  ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid), '') || ')'\n"
    "{end-type}\n"
    "FROM pg_type t JOIN ns ON ns.oid = t.typnamespace\n"
    "{comment pg_type|t.oid}\n"
    "WHERE t.typtype = 'e' AND {whole pg_type|t.oid}";

/* Since PostgreSQL 17 a domain's NOT NULL is a constraint: it is told with the domain. */
static const char domains_sql[] =
    "{type}\n"
    " concat_ws(' ', 'domain over', format_type(t.typbasetype, t.typtypmod),\n"
    "  {collate t.typcollation|b.typcollation},\n"
    "  CASE WHEN t.typnotnull THEN concat_ws(' ', 'not null'{17 , {given-not-null nn}}) END,\n"
    "  'default ' || {zone COALESCE(pg_get_expr(t.typdefaultbin, 0), t.typdefault)}),\n"
    " 'owner ' || {role t.typowner}), {-16 d.description}{17 {with-not-null nd}},\n"
    " {alone t.typname}\n"
    "FROM pg_type t JOIN ns ON ns.oid = t.typnamespace JOIN pg_type b ON b.oid = t.typbasetype\n"
    "{comment pg_type|t.oid}\n"
    "{17 LEFT JOIN pg_constraint nn ON nn.contypid = t.oid AND nn.contype = 'n'\n"
    " LEFT JOIN pg_description nd ON nd.objoid = nn.oid\n"
    "  AND nd.classoid = 'pg_constraint'::regclass AND nd.objsubid = 0}\n"
    "WHERE t.typtype = 'd' AND {whole pg_type|t.oid}";

static const char domain_constraints_sql[] =
    "SELECT 'constraint', ns.name || '.' || quote_ident(t.typname) || '.' ||\n"
    " quote_ident(c.conname),\n"
    " {zone pg_get_constraintdef(c.oid)}, d.description, 'type',\n"
    " ns.name || '.' || quote_ident(t.typname), c.conname, t.typname, NULL,\n"
    " 'check', NULL, NULL\n"
    "FROM pg_constraint c JOIN pg_type t ON t.oid = c.contypid\n"
    " JOIN ns ON ns.oid = t.typnamespace\n"
    "{comment pg_constraint|c.oid}\n"
    "WHERE c.contypid <> 0 AND c.contype = 'c' AND {whole pg_type|t.oid}";

/* The order of attributes is a part of what a row of the type is. Comments on attributes are shown
 * as the type's. */
static const char composites_sql[] =
    "{type}\n"
    " 'composite (' || COALESCE((SELECT string_agg(concat_ws(' ', quote_ident(a.attname),\n"
    "  format_type(a.atttypid, a.atttypmod), {collate a.attcollation|b.typcollation}),\n"
    "  ', ' ORDER BY a.attnum)\n"
    "  FROM pg_attribute a JOIN pg_type b ON b.oid = a.atttypid\n"
    "  WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '') || ')',\n"
    " 'owner ' || {role t.typowner}),\n"
    " NULLIF(concat_ws(chr(10), d.description,\n"
    "  (SELECT string_agg(a.attname || ': ' || p.description,\n"
    "  chr(10) ORDER BY a.attnum) FROM pg_attribute a\n"
    "  JOIN pg_description p ON p.objoid = a.attrelid\n"
    "  AND p.classoid = 'pg_class'::regclass AND p.objsubid = a.attnum\n"
    "  WHERE a.attrelid = t.typrelid AND a.attnum > 0)), ''),\n"
    " {alone t.typname}\n"
    "FROM pg_type t JOIN ns ON ns.oid = t.typnamespace\n"
    "{comment pg_type|t.oid}\n"
    "WHERE t.typtype = 'c' AND {whole pg_type|t.oid}";

static const char ranges_sql[] =
    "{type}\n"
    " 'range over ' || format_type(r.rngsubtype, NULL),\n"
    " {collate r.rngcollation|b.typcollation},\n"
    " 'operator class ' || (SELECT quote_ident(n.nspname) || '.' || quote_ident(o.opcname)\n"
    "  FROM pg_opclass o JOIN pg_namespace n ON n.oid = o.opcnamespace\n"
    "  WHERE o.oid = r.rngsubopc),\n"
    " 'canonical ' || NULLIF(r.rngcanonical::oid, 0)::regproc,\n"
    " 'difference ' || NULLIF(r.rngsubdiff::oid, 0)::regproc\n"
    "{14 , 'multirange ' || format_type(NULLIF(r.rngmultitypid, 0), NULL)}\n"
    "{end-type}\n"
    "FROM pg_type t JOIN ns ON ns.oid = t.typnamespace JOIN pg_range r ON r.rngtypid = t.oid\n"
    " JOIN pg_type b ON b.oid = r.rngsubtype\n"
    "{comment pg_type|t.oid}\n"
    "WHERE t.typtype = 'r' AND {whole pg_type|t.oid}";

static const char bases_sql[] =
    "{type}\n"
    " CASE WHEN t.typisdefined THEN 'base type' ELSE 'shell' END,\n"
    " 'input ' || NULLIF(t.typinput::oid, 0)::regproc,\n"
    " 'output ' || NULLIF(t.typoutput::oid, 0)::regproc,\n"
    " 'receive ' || NULLIF(t.typreceive::oid, 0)::regproc,\n"
    " 'send ' || NULLIF(t.typsend::oid, 0)::regproc,\n"
    " 'typmod ' || NULLIF(t.typmodin::oid, 0)::regproc,\n"
    " 'typmod text ' || NULLIF(t.typmodout::oid, 0)::regproc,\n"
    " 'analyze ' || NULLIF(t.typanalyze::oid, 0)::regproc,\n"
    " 'length ' || t.typlen, CASE WHEN t.typbyval THEN 'by value' END,\n"
    " 'alignment ' || t.typalign::text,\n"
    " 'storage ' || t.typstorage::text, 'category ' || t.typcategory::text,\n"
    " CASE WHEN t.typispreferred THEN 'preferred' END, 'delimiter ' || t.typdelim::text,\n"
    " 'element ' || format_type(NULLIF(t.typelem, 0), NULL), 'default ' || t.typdefault,\n"
    " CASE WHEN t.typcollation <> 0 THEN 'collatable' END\n"
    "{end-type}\n"
    "FROM pg_type t JOIN ns ON ns.oid = t.typnamespace\n"
    "{comment pg_type|t.oid}\n"
    "WHERE (t.typtype = 'b' OR NOT t.typisdefined) AND {whole pg_type|t.oid}";

static const char functions_sql[] =
    "SELECT CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END,\n"
    " p.oid::regprocedure::text,\n"
    " 'owner ' || {role p.proowner} || E'\\n"
    "' || pg_get_functiondef(p.oid),\n"
    " d.description, {alone p.proname}\n"
    "FROM pg_proc p JOIN ns ON ns.oid = p.pronamespace\n"
    "{comment pg_proc|p.oid}\n"
    "WHERE p.prokind <> 'a' AND {whole pg_proc|p.oid}";

static const char aggregates_sql[] =
    "SELECT 'aggregate', p.oid::regprocedure::text, concat_ws(', ',\n"
    " 'aggregate (' || pg_get_function_arguments(p.oid) || ')',\n"
    " 'returns ' || pg_get_function_result(p.oid),\n"
    " CASE a.aggkind WHEN 'o' THEN 'ordered set, ' || a.aggnumdirectargs || ' direct'\n"
    "  WHEN 'h' THEN 'hypothetical set, ' || a.aggnumdirectargs || ' direct' END,\n"
    " 'sfunc ' || a.aggtransfn::regprocedure, 'stype ' || format_type(a.aggtranstype, NULL),\n"
    " 'sspace ' || NULLIF(a.aggtransspace, 0),\n"
    " 'final ' || NULLIF(a.aggfinalfn::oid, 0)::regprocedure || ' ' || a.aggfinalmodify::text\n"
    "  || CASE WHEN a.aggfinalextra THEN ' extra' ELSE '' END,\n"
    " 'combine ' || NULLIF(a.aggcombinefn::oid, 0)::regprocedure,\n"
    " 'serial ' || NULLIF(a.aggserialfn::oid, 0)::regprocedure,\n"
    " 'deserial ' || NULLIF(a.aggdeserialfn::oid, 0)::regprocedure,\n"
    " 'initial ' || quote_literal(a.agginitval),\n"
    " 'moving sfunc ' || NULLIF(a.aggmtransfn::oid, 0)::regprocedure,\n"
    " 'moving inverse ' || NULLIF(a.aggminvtransfn::oid, 0)::regprocedure,\n"
    " 'moving stype ' || format_type(NULLIF(a.aggmtranstype, 0), NULL),\n"
    " 'moving sspace ' || NULLIF(a.aggmtransspace, 0),\n"
    " 'moving final ' || NULLIF(a.aggmfinalfn::oid, 0)::regprocedure || ' ' ||\n"
    "  a.aggmfinalmodify::text\n"
    "  || CASE WHEN a.aggmfinalextra THEN ' extra' ELSE '' END,\n"
    " 'moving initial ' || quote_literal(a.aggminitval),\n"
    " 'sort operator ' || NULLIF(a.aggsortop, 0)::regoperator,\n"
    " CASE p.proparallel WHEN 's' THEN 'parallel safe' WHEN 'r' THEN 'parallel restricted' END,\n"
    " 'owner ' || {role p.proowner}),\n"
    " d.description, {alone p.proname}\n"
    "FROM pg_proc p JOIN ns ON ns.oid = p.pronamespace JOIN pg_aggregate a ON a.aggfnoid = p.oid\n"
    "{comment pg_proc|p.oid}\n"
    "WHERE p.prokind = 'a' AND {whole pg_proc|p.oid}";

static const char rules_sql[] = "SELECT 'rule', rel.name || '.' || quote_ident(r.rulename),\n"
                                " concat_ws(', ', {enabled r.ev_enabled}, pg_get_ruledef(r.oid)),\n"
                                " d.description, {part rel.kind|rel.name|r.rulename|rel.relname}\n"
                                "FROM pg_rewrite r JOIN rel ON rel.oid = r.ev_class\n"
                                "{comment pg_rewrite|r.oid}\n"
                                "WHERE r.rulename <> '_RETURN'";

static const char triggers_sql[] =
    "SELECT 'trigger', rel.name || '.' || quote_ident(t.tgname),\n"
    " concat_ws(', ', {enabled t.tgenabled}, pg_get_triggerdef(t.oid)),\n"
    " d.description, {part rel.kind|rel.name|t.tgname|rel.relname}\n"
    "FROM pg_trigger t JOIN rel ON rel.oid = t.tgrelid\n"
    "{comment pg_trigger|t.oid}\n"
    "WHERE NOT t.tgisinternal";

static const char event_triggers_sql[] =
    "SELECT 'event trigger', quote_ident(t.evtname), concat_ws(', ', 'on ' || t.evtevent,\n"
    " 'when tag in (' || {options t.evttags} || ')',\n"
    " 'execute ' || t.evtfoid::regprocedure, {enabled t.evtenabled},\n"
    " 'owner ' || {role t.evtowner}),\n"
    " d.description, {alone t.evtname}\n"
    "FROM pg_event_trigger t\n"
    "{comment pg_event_trigger|t.oid}\n"
    "WHERE {ours pg_event_trigger|t.oid}";

static const char policies_sql[] =
    "SELECT 'policy', rel.name || '.' || quote_ident(p.polname), concat_ws(' ',\n"
    " CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END,\n"
    " CASE p.polcmd WHEN 'r' THEN 'for select' WHEN 'a' THEN 'for insert'\n"
    "  WHEN 'w' THEN 'for update' WHEN 'd' THEN 'for delete' ELSE 'for all' END,\n"
    " 'to ' || (SELECT string_agg(r.name, ', ' ORDER BY r.name COLLATE \"C\") FROM\n"
    "  (SELECT {role o.oid} AS name FROM unnest(p.polroles) o (oid)) r),\n"
    " {zone concat_ws(' ', 'using (' || pg_get_expr(p.polqual, p.polrelid) || ')',\n"
    "  'with check (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')')}),\n"
    " d.description, {part rel.kind|rel.name|p.polname|rel.relname}\n"
    "FROM pg_policy p JOIN rel ON rel.oid = p.polrelid\n"
    "{comment pg_policy|p.oid}\n";

const char *const catalog_code_statements[] = {
    enums_sql,  domains_sql,  domain_constraints_sql, composites_sql,
    ranges_sql, bases_sql,    functions_sql,          aggregates_sql,
    rules_sql,  triggers_sql, event_triggers_sql,     policies_sql,
    NULL,
};
